"""Runs in one of several processes that train together, or in one alone.

  python -m tests.experiment.on_hosts FOLDER CASES [COORDINATOR COUNT INDEX]

Alone, on as many forced devices as XLA_FLAGS says.
"""

import functools
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import hosts
from plasticity_rl.experiment import agents
from plasticity_rl.experiment import run_folder
from plasticity_rl.experiment import timeline
from plasticity_rl.learner import parallel
from tests.experiment import host_loop_test
from tests.experiment import small
from tests.experiment import walks

# Compiling is what takes the time.
NO_DIAGNOSTICS = {'diagnostics.every_steps': 1000}


def sac(**changes):
  """SAC in a small environment on the host."""
  return host_loop_test.make(
      f'{walks.__name__}:Reach', agent='sac', **{
          'agent.random_steps': 10, 'replay.updates_per_step': 0.25,
          **NO_DIAGNOSTICS, **changes,
      }
  )


CASES = {
    # Each device plays its own environment; the task changes at step 48.
    'dqn_data': lambda count: small.dqn(
        parallel='data', num_seeds=1, interventions=('injection(at_steps=40)',),
        **{'environment.num_envs': count, 'environment.switch_every_steps': 48},
    ),
    # Seeds, each of which waits for its own loss.
    'dqn_seeds': lambda count: small.dqn(
        parallel='seeds', num_seeds=count,
        interventions=('injection(when="train/loss > 0")',),
        **{'network.slots': 1}, **NO_DIAGNOSTICS,
    ),
    'dqn_short': lambda count: small.dqn(
        parallel='data', num_seeds=1, num_steps=40,
        **{'environment.num_envs': count}, **NO_DIAGNOSTICS,
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
  timeline.check(experiment)
  run_folder.prepare(folder / name, settings)
  timeline.run(experiment, folder / name)


def update(folder, count):
  """Updates of SAC: on each host its share of batches, alone the whole."""
  # It forces devices of its own, of which each process takes one here.
  from tests.learner import spread

  devices = {}
  for device in sorted(jax.devices(), key=lambda d: (d.process_index, d.id)):
    devices.setdefault(device.process_index, device)
  where = parallel.Layout(
      'data' if count > 1 else 'none', tuple(devices.values())
  )
  settings, nets = spread.start('sac', False, jnp.float32)
  batches = spread.floats(spread.batches_of('sac'), jnp.float32)
  if count > 1:
    batches = jax.tree.map(
        lambda x: x.reshape(x.shape[0], count, -1, *x.shape[2:])[
            :, where.own_parts
        ], batches,
    )
  agent = agents.make(settings, spread.SPACES['sac'], where.shard)
  learned, _ = where.on_one(where.jit(
      functools.partial(spread.learn, agent, where.shard),
      data=parallel.Axes((None, None, 1), None),
  )(spread.KEY, nets, batches))
  for name, trained in (('before', nets), ('after', learned)):
    weights = [(net.params, net.target) for net in trained.values()]
    np.save(folder / f'{name}_{hosts.index()}.npy', np.concatenate(
        [np.ravel(x) for x in jax.tree.leaves(weights)]
    ))


def main(argv):
  folder, cases = pathlib.Path(argv[1]), argv[2].split(',')
  folder.mkdir(exist_ok=True)
  where, count = None, 0
  if argv[3:]:
    count = int(argv[4])
    where = hosts.Address(argv[3], count, int(argv[5]))
  with hosts.joined(where, timeout=20):
    for name in cases:
      if name == 'sac_update':
        update(folder, max(count, 1))
      else:
        run(name, folder, count or len(jax.devices()))


if __name__ == '__main__':
  main(sys.argv)
