"""Optimizers by name, with separate states for the encoder and the head."""

import optax

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.learner.adam_per_weight import scale_by_adam_per_weight
from plasticity_rl.learner.muon import scale_by_muon
from plasticity_rl.learner.on_sphere import onto_sphere
from plasticity_rl.learner.regularizers import c_chain
from plasticity_rl.learner.trac import scale_by_trac
from plasticity_rl.learner.upgd import scale_by_upgd


def make(
  config: settings.OptimizerConfig,
  *,
  remember: bool = False,
  on_sphere: bool = False,
) -> optax.GradientTransformation:
  """The optimizer of a config, grouped (see `injection.grouped`).

  Args:
    config: settings.
    remember: whether it remembers its last update (see `c_chain.remember`).
    on_sphere: whether it puts weights back on the unit sphere (see `sphere`).
  """
  adam = optax.scale_by_adam(config.b1, config.b2, config.eps)
  decayed = optax.add_decayed_weights(config.weight_decay)
  cores = {
    'adam': adam,
    'adam_per_weight': scale_by_adam_per_weight(
      config.b1, config.b2, config.eps
    ),
    'adamw': optax.chain(adam, decayed),
    'muon': optax.chain(scale_by_muon(config.momentum, adam), decayed),
    'trac': scale_by_trac(adam),
    'rmsprop_centered': optax.scale_by_stddev(config.decay, config.eps),
    'sgd': optax.identity(),
    'upgd': optax.chain(
      scale_by_upgd(config.utility_decay, config.noise), decayed
    ),
    'adam_upgd': optax.chain(
      scale_by_upgd(config.utility_decay, config.noise, adam), decayed
    ),
  }
  rate = config.learning_rate
  if config.decay_updates:
    rate = optax.linear_schedule(rate, 0.0, config.decay_updates)
  before = None
  if config.max_gradient_norm:
    before = optax.clip_by_global_norm(config.max_gradient_norm)
  after = optax.scale_by_learning_rate(rate)
  if on_sphere:
    after = optax.chain(after, onto_sphere())
  if remember:
    after = optax.chain(after, c_chain.remember())
  return injection.grouped(cores[config.name], before=before, after=after)
