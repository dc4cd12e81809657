"""The penalty of a network: the sum of the regularisers of a config."""

from collections.abc import Sequence

import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.errors import UserError
from plasticity_rl.layers import Layer
from plasticity_rl.layers import feeds
from plasticity_rl.layers import get_layer
from plasticity_rl.learner.regularizers import c_chain
from plasticity_rl.learner.regularizers.infer import infer
from plasticity_rl.losses import feature_norm
from plasticity_rl.losses import l2
from plasticity_rl.losses import l2_init
from plasticity_rl.losses import parseval
from plasticity_rl.losses import spectral_norm
from plasticity_rl.split import SplitNetwork
from plasticity_rl.types import Penalty
from plasticity_rl.weight_norm import effective_weight

REGISTRY = {
  f.__name__: f
  for f in (
    c_chain.c_chain,
    feature_norm,
    infer,
    l2,
    l2_init,
    parseval,
    spectral_norm,
  )
}


def infer_heads(config: settings.RegularizerConfig) -> int:
  """Number of auxiliary heads that the network needs for InFeR."""
  return config.infer_heads if config.infer else 0


def make(
  config: settings.RegularizerConfig,
  network: SplitNetwork,
  layers: Sequence[Layer],
) -> Penalty | None:
  """Sums the penalties whose coefficients are not zero, times coefficients.

  The penalty of an ensemble is the sum over its members, and so is its loss.

  Args:
    config: coefficients.
    network: the network, built with `infer_heads(config)`.
    layers: its layers.

  Returns:
    The penalty, or None if all coefficients are zero.

  Raises:
    UserError: the network does not have the layer that a regulariser acts on.
  """
  terms = _terms(config, network, layers)
  if not terms and not config.c_chain:
    return None

  def penalty(params, state, inputs, output, reference):
    arguments = params, state, inputs, output
    total = sum((c * term(*arguments) for c, term in terms), jnp.zeros([]))
    if not config.c_chain:
      return total, {}
    outputs, before = (
      network.apply(p, reference).outputs
      for p in (params, c_chain.previous_params(state))
    )
    churn = c_chain.c_chain(outputs, before)
    c = c_chain.coefficient(state, config.c_chain)
    return total + c * churn, {c_chain.CHURN: churn}

  return penalty


def _terms(config, network, layers):
  """Coefficients and penalties `(params, state, inputs, output) -> scalar`."""
  hidden = [layer for layer in layers if layer.hidden]
  inner = [layer for layer in layers if feeds(layer, layers)]
  if config.parseval and not inner:
    raise UserError('regularizer.parseval: the network has no hidden layer')

  def over(some_layers, measure):
    def total(params, *_):
      plain = injection.trainable(params)
      return sum(
        measure(effective_weight(get_layer(plain, layer), layer.weight))
        for layer in some_layers
      )

    return total

  terms = []
  if config.l2:
    terms.append((config.l2, lambda params, *_: l2(params)))
  if config.l2_init:
    terms.append(
      (
        config.l2_init,
        lambda params, state, *_: l2_init(params, state.initial),
      )
    )
  if config.parseval:
    terms.append(
      (
        config.parseval,
        over(inner, lambda w: parseval(w, config.parseval_scale)),
      )
    )
  if config.spectral_norm:
    terms.append(
      (
        config.spectral_norm,
        over(layers, lambda w: spectral_norm(w, config.power_iterations)),
      )
    )
  if config.feature_norm:
    names = _feature_names(config.feature_norm_of, hidden)
    terms.append(
      (
        config.feature_norm,
        lambda params, state, inputs, output: sum(
          feature_norm(output.layers[name]) for name in names
        ),
      )
    )
  if config.infer:
    terms.append(
      (
        config.infer,
        lambda params, state, inputs, output: infer(
          output, network.apply(state.initial, inputs), config.infer_scale
        ),
      )
    )
  return terms


def _feature_names(where, hidden):
  """Names of the layer whose features are regularised, one for each member."""
  if where == 'encoder':
    hidden = [layer for layer in hidden if layer.path[0] == 'encoder']
  if not hidden:
    raise UserError(
      f'regularizer.feature_norm_of is {where!r}, but the network has no '
      'such layer'
    )
  return [layer.name for layer in hidden if layer.path == hidden[-1].path]
