"""The programs that the parts run and time."""

import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from benchmarks.accelerator.sizes import Sizes
from configs import dqn_atari
from configs import drq_dmc
from configs import minatar
from configs import sac_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.training import agent_builder
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.types import Transition

AGENTS = ('DQN, Nature network', 'SAC', 'DrQ')
# Instructions of a compiled program that launch nothing.
_FREE = {
  'parameter',
  'constant',
  'tuple',
  'get-tuple-element',
  'bitcast',
  'after-all',
}


def config_of(agent: str, sizes: Sizes) -> tuple[Any, Spaces]:
  """The config of an agent, and the spaces of its environment."""
  picture = 36 if sizes.small else None
  config, spaces = {
    'DQN, Nature network': lambda: (
      dqn_atari.get_config(),
      Spaces((picture or 84, picture or 84, 4), np.uint8, Discrete(18)),
    ),
    'SAC': lambda: (
      sac_dmc.get_config(),
      Spaces((17,), np.float32, Continuous(6)),
    ),
    'DrQ': lambda: (
      drq_dmc.get_config(),
      Spaces((picture or 84, picture or 84, 9), np.uint8, Continuous(6)),
    ),
  }[agent]()
  config.network.convolution = 'lax'
  if sizes.small:
    shrink(config)
  return config, spaces


def shrink(config: ml_collections.ConfigDict) -> None:
  """Tiny networks and batches."""
  if config.network.convolutions:
    config.network.convolutions = ((2, 3, 2),)
  config.network.hidden = (4,)
  config.network.split = 1
  config.replay.batch_size = 4


def make_agent(config: ml_collections.ConfigDict, spaces: Spaces) -> Agent:
  return agent_builder.make(settings_lib.resolve(config), spaces)


def batch_of(spaces: Spaces, size: int, seed: int = 0) -> Transition:
  """Random transitions, in NumPy."""
  rng = np.random.default_rng(seed)

  def observations():
    shape = (size, *spaces.observation_shape)
    if spaces.observation_dtype == np.uint8:
      return rng.integers(0, 256, shape).astype(np.uint8)
    return rng.normal(size=shape).astype(np.float32)

  if isinstance(spaces.actions, Discrete):
    actions = rng.integers(0, spaces.actions.num_actions, size).astype(np.int32)
  else:
    actions = rng.uniform(-1, 1, (size, spaces.actions.size)).astype(np.float32)
  return Transition(
    observations(),
    actions,
    rng.normal(size=size).astype(np.float32),
    np.full(size, 0.99, np.float32),
    observations(),
  )


def updates(agent: Agent, count: int) -> Callable[[Any, Transition], Any]:
  """`count` updates on one batch, with different keys, in one program."""

  @jax.jit
  def run(nets, batch):
    def one(nets, key):
      nets, metrics = agent.update(key, nets, batch, jnp.int32(1))
      return nets, metrics['loss']

    keys = jax.random.split(jax.random.PRNGKey(2), count)
    return jax.lax.scan(one, nets, keys)[0]

  return run


def best_seconds(function: Callable[[], Any], repeats: int) -> float:
  """The least time of a call, after one that compiles."""
  jax.block_until_ready(function())
  best = float('inf')
  for _ in range(repeats):
    begun = time.perf_counter()
    jax.block_until_ready(function())
    best = min(best, time.perf_counter() - begun)
  return best


@dataclasses.dataclass(frozen=True)
class Peaks:
  """What the device reaches: FLOP/s of a product, bytes/s of a copy."""

  flops: float
  bandwidth: float


def product_seconds(size: int, dtype: Any, precision: str, repeats: int):
  """Seconds of a product of two square matrices."""
  x = jnp.ones((size, size), dtype)
  run = jax.jit(lambda x: jnp.matmul(x, x, precision=precision))
  return best_seconds(lambda: run(x), repeats)


def peaks(sizes: Sizes) -> Peaks:
  """Measured, with float32 as XLA multiplies it by default."""
  seconds = product_seconds(
    sizes.product, jnp.float32, 'default', sizes.repeats
  )
  x = jnp.zeros(sizes.stream, jnp.float32)
  copy = jax.jit(lambda x: x + 1)
  return Peaks(
    2 * sizes.product**3 / seconds,
    2 * x.nbytes / best_seconds(lambda: copy(x), sizes.repeats),
  )


def launches(compiled_text: str) -> int:
  """Instructions that launch something, of a compiled program's main part."""
  main = compiled_text[compiled_text.index('ENTRY') :].partition('\n}')[0]
  operations = re.findall(r'= .*?([a-z][a-z\-]*)\(', main)
  return sum(name not in _FREE for name in operations)


def game(
  name: str, sizes: Sizes, seeds: int, envs: int
) -> experiment_lib.Experiment:
  """A run with environments on the device, an update a row."""
  if name == 'minatar':
    config = minatar.get_config()
  else:
    config = settings_lib.default_config('sac', name)
    config.network.hidden = (64, 64)
    config.network.split = 1
    config.replay.batch_size = 64
  if sizes.small:
    shrink(config)
  config.num_seeds = seeds
  config.environment.num_envs = envs
  config.segment_steps = sizes.rows * envs
  config.num_steps = 100 * config.segment_steps
  config.evaluation.every_steps = config.segment_steps
  config.diagnostics.every_steps = config.segment_steps
  config.checkpoint.every_steps = config.num_steps
  config.fork.horizon = config.segment_steps
  config.replay.capacity = 16 * max(envs, 1024)
  config.replay.min_size = max(envs, 64 * (not sizes.small))
  config.replay.updates_per_step = 1 / envs
  return experiment_lib.build(settings_lib.resolve(config))


def segment_seconds(experiment: experiment_lib.Experiment, repeats: int):
  """The least time of a segment, after one that compiles; and the state."""
  state, best = experiment.init(), float('inf')
  for i in range(repeats + 1):
    begun = time.perf_counter()
    state, metrics = experiment.trainer.segment(state)
    jax.block_until_ready((state.nets, metrics))
    if i:
      best = min(best, time.perf_counter() - begun)
  return best, state
