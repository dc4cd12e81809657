"""Runs in one of several processes that train together, or in one alone.

  python -m tests.run.on_hosts FOLDER CASES [COORDINATOR COUNT INDEX]

Alone, on as many forced devices as XLA_FLAGS says.
"""

import pathlib
import sys

import jax
import numpy as np

from plasticity_rl.distributed import address
from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.learner import learner
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import agent_builder
from plasticity_rl.types import Transition
from tests.training import host_trainer_test
from tests.training import small
from tests.training import walks

# Compiling is what takes the time.
NO_DIAGNOSTICS = {'diagnostics.every_steps': 1000}


def sac(**changes):
  """SAC in a small environment on the host."""
  return host_trainer_test.make(
    f'{walks.__name__}:Reach',
    agent='sac',
    **{
      'agent.random_steps': 10,
      'replay.updates_per_step': 0.25,
      **NO_DIAGNOSTICS,
      **changes,
    },
  )


CASES = {
  # Each device plays its own environment; the task changes at step 48.
  'dqn_data': lambda count: small.dqn(
    parallel='data',
    num_seeds=1,
    interventions=('injection(at_steps=40)',),
    **{'environment.num_envs': count, 'environment.switch_every_steps': 48},
  ),
  # For any number of hosts; nothing is looked at.
  'dqn_short': lambda count: small.dqn(
    parallel='data',
    num_seeds=1,
    num_steps=48,
    segment_steps=24,
    **{
      'environment.num_envs': count,
      'replay.capacity': 12 * count,
      'replay.min_size': 4 * count,
      'replay.batch_size': 2 * count,
      'replay.updates_per_step': 1 / count,
      'checkpoint.every_steps': 48,
      'evaluation.every_steps': 960,
      'diagnostics.every_steps': 960,
    },
  ),
  # Each host steps its own environment and draws its half of a batch.
  'sac_data': lambda count: sac(
    parallel='data', num_seeds=1, **{'environment.num_envs': count}
  ),
  'sac_seeds': lambda count: sac(parallel='seeds', num_seeds=count),
}


def run(name, folder, count):
  settings = CASES[name](count)
  experiment = small.build(settings)
  runner.check(experiment)
  run_folder.prepare(folder / name, settings)
  runner.run(experiment, folder / name)


def sac_updates(folder):
  """Three updates of SAC on batches that do not depend on who has them."""
  where = parallel.Layout('data', tuple(jax.devices()))
  spaces = Spaces((5,), np.float32, Continuous(2))
  agent = agent_builder.make(sac(), spaces)
  rng = np.random.default_rng(0)
  shape = (3, len(where.devices), 4)  # Updates, shares, examples.

  def draw(*more):
    numbers = rng.uniform(-1, 1, (*shape, *more)).astype(np.float32)
    return numbers[:, where.own_parts]

  batches = Transition(draw(5), draw(2), draw(), draw(), draw(5))

  def learn(key, nets, batches):
    return learner.learn(
      key,
      agent,
      nets,
      {},
      lambda _, i: jax.tree.map(lambda x: x[i], batches),
      np.int32(0),
      3,
      shard=where.shard,
    )[0]

  key = jax.random.PRNGKey(3)
  nets = where.jit(learn, data=parallel.Axes((None, None, 1), None))(
    key, jax.jit(agent.init)(key), batches
  )
  np.savez(
    folder / f'updates_{where.host}.npz',
    *jax.tree.leaves(jax.device_get(where.to_first_device(nets))),
  )


def main(argv):
  folder, cases = pathlib.Path(argv[1]), argv[2].split(',')
  folder.mkdir(exist_ok=True)
  where, count = None, 0
  if argv[3:]:
    count = int(argv[4])
    where = address.Address(argv[3], count, int(argv[5]))
  with hosts.joined(where, timeout=20):
    for name in cases:
      if name == 'sac_updates':
        sac_updates(folder)
        continue
      run(name, folder, count or len(jax.devices()))


if __name__ == '__main__':
  main(sys.argv)
