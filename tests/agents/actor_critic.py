"""Small actor-critic agents, the same layers in NumPy, and a toy task."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.training import agent_builder
from plasticity_rl.types import Transition

KEY = jax.random.PRNGKey(7)
SIZE, ACTIONS, BATCH = 3, 2, 5
IMAGE = (7, 6, 2)


def make(agent=None, slots=0, **network):
  """On vectors of 3, or on images where the agent is a DrQ."""
  agent = agent or settings.SACConfig()
  pixels = isinstance(agent, settings.DrQConfig)
  one = {
    'hidden': (4, 3),
    'split': 1,
    'slots': slots,
    'convolutions': ((3, 3, 2),) if pixels else (),
    **network,
  }
  return agent_builder.make(
    dataclasses.replace(
      settings.Settings(),
      agent=agent,
      network=settings.NetworkConfig(**one),
      # One step of it is the gradient.
      optimizer=settings.OptimizerConfig(name='sgd', learning_rate=1.0),
    ),
    Spaces(IMAGE if pixels else (SIZE,), np.float32, Continuous(ACTIONS)),
  )


def batch(shape=(SIZE,), size=BATCH):
  rng = np.random.default_rng(1)

  def observations():
    if len(shape) == 3:
      return rng.integers(0, 256, (size, *shape)).astype(np.uint8)
    return rng.standard_normal((size, *shape), np.float32)

  return Transition(
    observations(),
    rng.uniform(-1, 1, (size, ACTIONS)).astype(np.float32),
    rng.standard_normal(size, np.float32),
    # The second one ended its episode.
    np.array([0.9, 0.0, 0.9, 0.5, 0.9], np.float32)[:size],
    observations(),
  )


def init(agent, seed=0):
  """Networks whose every weight, the target's too, is its own."""
  rng = np.random.default_rng(seed)

  def own(x):
    return jnp.asarray(x + rng.normal(size=x.shape) * 0.3, jnp.float32)

  return {
    name: net._replace(
      params=jax.tree.map(own, net.params),
      target=None if net.target is None else jax.tree.map(own, net.target),
    )
    for name, net in agent.init(KEY).items()
  }


def mlp(layers, x):
  """ReLU layers and a linear one, in double precision, in NumPy."""
  for i, layer in enumerate(layers):
    x = x @ np.asarray(layer['w'], float) + np.asarray(layer['b'], float)
    if i < len(layers) - 1:
      x = np.maximum(x, 0)
  return x


def layers_of(params, member=None):
  """Those of a perceptron in order, of one member of an ensemble."""
  flat = {**params['encoder'], **params['head']}
  return [
    flat[name]
    if member is None
    else jax.tree.map(lambda x: x[member], flat[name])
    for name in sorted(flat)
  ]
