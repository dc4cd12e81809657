"""Runs on four forced devices, in a process of its own; prints JSON."""

import json
import os
import pathlib
import tempfile

from tests.compiler import QUICKLY

os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=4' + QUICKLY

import jax
import numpy as np

from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from tests.training import continuous_actions_test
from tests.training import host_trainer_test
from tests.training import small

INJECTED = {'interventions': ('injection(at_steps=40)',)}
# What is looked at moves no training, and takes long to compile.
BLIND = {'evaluation.every_steps': 1000, 'diagnostics.every_steps': 1000}


def distance(a, b):
  """Relative in norm, of all numbers of two trees."""
  a, b = (
    np.concatenate([np.asarray(x, float).ravel() for x in jax.tree.leaves(t)])
    for t in (a, b)
  )
  return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def run(settings):
  """The experiment, its folder, and its state in the end."""
  experiment = small.build(settings)
  folder = pathlib.Path(tempfile.mkdtemp()) / 'run'
  run_folder.prepare(folder, settings)
  runner.check(experiment)
  runner.run(experiment, folder)
  end = small.saved(experiment, folder, settings.num_steps)
  return experiment, folder, end


def against_one(make, mode, **changes):
  """How far networks end from those of a run on one device."""
  changes = {**INJECTED, **changes}
  _, _, one = run(make(parallel='none', **changes, **BLIND))
  _, _, many = run(make(parallel=mode, **changes))
  return distance(many.nets, one.nets)


def fewer_devices():
  """Environments and replay shared out over four devices, then over two."""
  changes = {'parallel': 'data', 'environment.num_envs': 4, **INJECTED, **BLIND}
  experiment, folder, state = run(small.dqn(**changes))
  two = small.build(small.dqn(devices=2, **changes))
  there = small.saved(two, folder, 80)
  _, metrics = two.trainer.segment(small.saved(two, folder, 80))
  return {
    'parts': [state.replay.r_t.shape, there.replay.r_t.shape],
    'same': distance(
      two.trainer.to_checkpoint(there).replay,
      experiment.trainer.to_checkpoint(state).replay,
    ),
    'loss': np.asarray(metrics['train/loss']).tolist(),
  }


def trained(**changes):
  """SAC's trainer and its state after 40 steps, of which 24 are random."""
  made = small.build(continuous_actions_test.sac(**changes))
  state = made.init()
  for _ in range(2):
    state, metrics = jax.block_until_ready(made.trainer.segment(state))
  return made.trainer, state, metrics


def sac_against_one(mode):
  """As `against_one`, without what is between segments."""
  changes = {
    'num_seeds': 4,
    'environment.num_envs': 1,
    'replay.updates_per_step': 1.0,
  }
  _, one, _ = trained(parallel='none', **changes)
  _, many, _ = trained(parallel=mode, **changes)
  return distance(many.nets, one.nets)


def shared_tasks():
  """SAC on physics that change at step 20, an environment on each device."""
  trainer, state, metrics = trained(
    **{
      'parallel': 'data',
      'environment.num_envs': 4,
      'environment.vary': ('gravity', 'length'),
      'environment.switch_every_steps': 20,
      'replay.clear_on_switch': True,
    }
  )
  saved = trainer.to_checkpoint(state)
  return {
    'actions': state.replay.a_tm1.shape,
    # Of devices, seeds, environments, constants.
    'factors': np.asarray(state.env.state.inner.factors).tolist(),
    'places': np.asarray(state.env.observation)[:, 0, 0].tolist(),
    'cleared': int(state.counters.cleared),
    'loss': np.asarray(metrics['train/loss']).tolist(),
    'same': distance(
      trainer.load(jax.device_get(saved), pathlib.Path())._replace(keys=()),
      state._replace(keys=()),
    ),
  }


def main():
  one_env = {'environment.num_envs': 1, 'replay.updates_per_step': 1.0}
  print(
    json.dumps(
      {
        'device data': against_one(small.dqn, 'data', num_seeds=1, **one_env),
        'device seeds': against_one(small.dqn, 'seeds', num_seeds=4),
        'sac data': sac_against_one('data'),
        'sac seeds': sac_against_one('seeds'),
        'shared tasks': shared_tasks(),
        'host data': against_one(host_trainer_test.make, 'data'),
        'host seeds': against_one(host_trainer_test.make, 'seeds', num_seeds=4),
        'fewer devices': fewer_devices(),
      }
    )
  )


if __name__ == '__main__':
  main()
