"""What a diagnostic is given and what it returns."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import injection
from plasticity_rl.layers import Layer
from plasticity_rl.layers import feeds
from plasticity_rl.layers import get_layer
from plasticity_rl.measures import kernels
from plasticity_rl.measures import ranks
from plasticity_rl.split import gradient_of
from plasticity_rl.types import Key
from plasticity_rl.types import Loss
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Params
from plasticity_rl.types import name_tag


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
  """One network looked at on a probe batch.

  What several diagnostics look at is computed once, and only if it is used.

  Attributes:
    net: what is static of it.
    state: its online parameters (the target's, where that is looked at),
      optimizer state and initial weights.
    inputs: what it is fed, `[B, ...]`.
    output: what it returns on the inputs; of an injected head the layers are
      those of the part that learns.
    loss: what it is trained on, on the probe batch.
    loss_on: `(n) -> loss`, on the first `n` examples.
    updated: `(n=None) -> NetState`, its state after one more update on the
      first `n` examples (on all of them), as in training.
    policy: `(params) -> decisions [B, ...]` of the agent on the probe batch,
      its other networks as they are.
    memory: what `dormant_overlap` saw last, bool `[U]` by hidden layer.
    key: root of the randomness; see `key_for`.
  """

  net: NetSpec
  state: NetState
  inputs: Any
  output: NetworkOutput
  loss: Loss | None = None
  loss_on: Callable[[int], Loss] | None = None
  updated: Callable[..., NetState] | None = None
  policy: Callable[[Params], jax.Array] | None = None
  memory: Mapping[str, jax.Array] | None = None
  key: Key | None = None

  @property
  def params(self) -> Params:
    """The parameters looked at."""
    return self.state.params

  @property
  def learns(self) -> Params:
    """The part of them that learns, as before any injection."""
    return injection.trainable(self.params)

  def with_learning(self, learns: Params) -> Params:
    """The parameters with another learning part."""
    return injection.replace_trainable(self.params, learns)

  @functools.cached_property
  def gradient(self) -> Params:
    """That of the mean loss, without any penalty, by what learns."""
    return gradient_of(self.loss, self.params)

  @functools.cached_property
  def singular_values(self) -> dict[str, jax.Array]:
    """Of the features of each dense layer but the last, and of the encoder.

    Descending, `[min(B, F)]`. A convolution inside the encoder is left out:
    its flattened features are large, and nothing but the next layer reads
    them. After a layer that ends a residual block, features are the block's.
    """
    layers = self.net.layers
    values = {}
    for layer in layers:
      parts = {follower.path[0] for follower in feeds(layer, layers)}
      if not parts:  # The last one: predictions.
        continue
      features = self.output.layers[layer.name]
      ends_encoder = layer.path[0] == 'encoder' and 'head' in parts
      if ends_encoder or features.ndim == 2:
        values[layer.name] = ranks.singular_values(features)
    return values

  @functools.cached_property
  def _ntk_eigenvalues(self) -> dict[int, jax.Array]:
    """What `ntk_eigenvalues` has computed, by number of examples."""
    return {}

  def ntk_eigenvalues(self, examples: int) -> jax.Array:
    """Of the tangent kernel on the first examples, descending, `[examples]`.

    As many as there are, if there are fewer. See `diagnostics.ntk`.
    """
    examples = min(examples, jax.tree.leaves(self.inputs)[0].shape[0])
    if examples not in self._ntk_eigenvalues:
      kernel = self._ntk(jax.tree.map(lambda x: x[:examples], self.inputs))
      self._ntk_eigenvalues[examples] = kernels.eigenvalues(kernel)
    return self._ntk_eigenvalues[examples]

  def _ntk(self, inputs: Any) -> jax.Array:
    """The tangent kernel on `n` inputs, summed over outputs, `[n, n]`."""

    def outputs(learns: Params, one: Any) -> jax.Array:
      """Of one example, `[outputs]`."""
      found = self.net.network.apply(
        self.with_learning(learns), jax.tree.map(lambda x: x[None], one)
      ).outputs
      return jnp.concatenate([y.ravel() for y in jax.tree.leaves(found)])

    first = jax.tree.map(lambda x: x[0], inputs)
    number = jax.eval_shape(outputs, self.learns, first).size
    examples = jax.tree.leaves(inputs)[0].shape[0]

    def add(total: jax.Array, a: jax.Array) -> tuple[jax.Array, None]:
      gradients = jax.vmap(
        jax.grad(lambda p, x: outputs(p, x)[a]), in_axes=(None, 0)
      )(self.learns, inputs)
      return total + kernels.gram(gradients), None

    # One output at a time: the gradients of all may not fit into memory.
    zeros = jnp.zeros([examples, examples])
    return jax.lax.scan(add, zeros, jnp.arange(number))[0]

  def key_for(self, name: str) -> Key:
    """A key for the diagnostic of that name, whatever others there are."""
    return jax.random.fold_in(self.key, name_tag(name))


Diagnostic = Callable[..., dict[str, jax.Array]]


def of_layer(tree: Params, layer: Layer) -> Params:
  """What a tree of the structure of `Probe.learns` holds of one layer."""
  return get_layer(tree, layer)


def by_layer(
  net: NetSpec, measure: Callable[..., jax.Array], *trees: Params
) -> dict[str, jax.Array]:
  """`measure` of each layer (weights and biases), and of all that learns.

  Args:
    net: whose layers.
    measure: a function of as many trees as are given.
    *trees: of the structure of `Probe.learns`.

  Returns:
    A value for each layer's name, and 'trainable' for the whole.
  """
  values = {
    layer.name: measure(*(of_layer(tree, layer) for tree in trees))
    for layer in net.layers
  }
  return {**values, 'trainable': measure(*trees)}


def hidden_units(
  probe: Probe, measure: Callable[[jax.Array, int], jax.Array]
) -> dict[str, jax.Array]:
  """A per-unit measure of each hidden layer.

  Args:
    probe: the network on the probe batch.
    measure: `(features [B, ..., k U], k) -> [U]`, of k features per unit.
  """
  return {
    layer.name: measure(
      probe.output.layers[layer.name], layer.features_per_unit
    )
    for layer in probe.net.layers
    if layer.hidden
  }


def with_parts(
  net: NetSpec, units: Mapping[str, jax.Array]
) -> dict[str, jax.Array]:
  """Values of units by hidden layer, and side by side by part.

  Returns:
    `units`, and as many more for each of 'encoder' and 'head' that has such
    layers.
  """
  parts = {}
  for layer in net.layers:
    if layer.name in units:
      parts.setdefault(layer.path[0], []).append(units[layer.name])
  return {**units, **{k: jnp.concatenate(v) for k, v in parts.items()}}


def by_hidden_layer(
  probe: Probe, measure: Callable[[jax.Array, int], jax.Array]
) -> dict[str, jax.Array]:
  """A per-unit measure averaged over the units of each layer and part.

  `measure` is as in `hidden_units`.
  """
  units = with_parts(probe.net, hidden_units(probe, measure))
  return {where: values.mean() for where, values in units.items()}
