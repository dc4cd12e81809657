"""What an update of each agent costs, asked of XLA; prints JSON.

  python -m benchmarks.scaling_costs

In a process of its own, as it forces host devices. Of the full configs: FLOPs
of the lowered programs, bytes that the compiled ones access, and what crosses
the wire where two devices share a batch. Nothing is run.
"""

import json
import os

if __name__ == '__main__':
  os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=2'

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from benchmarks import collectives
from configs import dqn_atari
from configs import drq_dmc
from configs import sac_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.learner import learner
from plasticity_rl.replay import host_spec
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.training import agent_builder
from plasticity_rl.types import Transition

DEVICES = 2


@dataclasses.dataclass(frozen=True)
class Case:
  """A full config and the spaces of its environment."""

  name: str
  config: ml_collections.ConfigDict
  spaces: Spaces


def cases() -> list[Case]:
  """Atari with all 18 actions; cheetah-run from state and from pixels."""
  cases = [
    Case(
      'DQN, Atari',
      dqn_atari.get_config(),
      Spaces((84, 84, 4), np.uint8, Discrete(18)),
    ),
    Case(
      'SAC, DMC', sac_dmc.get_config(), Spaces((17,), np.float32, Continuous(6))
    ),
    Case(
      'DrQ, DMC pixels',
      drq_dmc.get_config(),
      Spaces((64, 64, 9), np.uint8, Continuous(6)),
    ),
  ]
  for case in cases:  # As on an accelerator.
    case.config.network.convolution = 'lax'
  return cases


def batch_of(spaces: Spaces, *leading: int) -> Transition:
  """Shapes of a batch `[*leading, ...]`."""

  def shape(rest, dtype):
    return jax.ShapeDtypeStruct((*leading, *rest), dtype)

  observation = shape(spaces.observation_shape, spaces.observation_dtype)
  if isinstance(spaces.actions, Discrete):
    action = shape((), jnp.int32)
  else:
    action = shape((spaces.actions.size,), jnp.float32)
  scalar = shape((), jnp.float32)
  return Transition(observation, action, scalar, scalar, observation)


KEY = jax.ShapeDtypeStruct((2,), jnp.uint32)


def lower_update(agent, nets, batch) -> jax.stages.Lowered:
  """One update, on shapes."""
  count = jax.ShapeDtypeStruct((), jnp.int32)
  return jax.jit(agent.update).lower(KEY, nets, batch, count)


def flops_of(lowered: jax.stages.Lowered) -> float:
  """As written, before XLA optimises it for some machine."""
  return float(lowered.cost_analysis()['flops'])


def cost_of(lowered: jax.stages.Lowered) -> dict[str, float]:
  """FLOPs of the lowered program, bytes that the compiled one accesses."""
  accessed = lowered.compile().cost_analysis()['bytes accessed']
  return {'flops': flops_of(lowered), 'bytes': float(accessed)}


def bytes_of(shapes: Any) -> int:
  """Of a tree of arrays or shapes."""
  return int(
    sum(np.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(shapes))
  )


def wire(
  settings: settings_lib.Settings, spaces: Spaces
) -> tuple[dict[str, int], int]:
  """Bytes by collective, and how many, where devices share a batch."""
  where = parallel.Layout('data', tuple(jax.devices()[:DEVICES]))
  agent = agent_builder.make(settings, spaces)

  def learn(key, nets, batches):
    nets, _, metrics = learner.learn(
      key,
      agent,
      nets,
      {},
      lambda _, i: batches,
      jnp.array(0),
      1,
      shard=where.shard,
    )
    return nets, metrics

  program = where.jit(learn, data=parallel.Axes((None, None, 0), None))
  key = jax.random.PRNGKey(0)
  share = settings.replay.batch_size // DEVICES
  batch = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype), batch_of(spaces, DEVICES, share)
  )
  text = program.lower(key, agent.init(key), batch).compile().as_text()
  return collectives.bytes_of(text), collectives.count(text)


def measure(case: Case) -> dict[str, Any]:
  """All that `scaling_arithmetic.Work` needs of an agent, but rates."""
  settings = settings_lib.resolve(case.config)
  spaces, batch = case.spaces, settings.replay.batch_size
  agent = agent_builder.make(settings, spaces, UNSHARDED)
  nets = jax.eval_shape(agent.init, KEY)

  def update_cost(size):
    return cost_of(lower_update(agent, nets, batch_of(spaces, size)))

  found, count = wire(settings, spaces)
  ring = host_spec.HostReplaySpec(
    settings.replay.capacity,
    settings.environment.num_envs,
    spaces,
    settings.replay.discount,
    stack=settings.environment_options.get('stack_frames', 1),
  )
  packed = dataclasses.replace(ring, compress=True)
  return {
    'name': case.name,
    'batch': batch,
    'update': update_cost(batch),
    'half_batch': update_cost(batch // 2),
    'act': cost_of(
      jax.jit(agent.act_greedily).lower(KEY, nets, batch_of(spaces, 1).s_tm1)
    ),
    'state_bytes': bytes_of(nets),
    'batch_bytes': bytes_of(batch_of(spaces, batch)),
    'wire': found,
    'collectives': count,
    'updates_per_step': settings.replay.updates_per_step,
    'steps': settings.num_steps,
    'replay_bytes': host_spec.bytes_needed(ring),
    'compressed_replay_bytes': host_spec.bytes_needed(packed),
  }


if __name__ == '__main__':
  print(json.dumps([measure(case) for case in cases()]))
