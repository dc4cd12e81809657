"""Small experiments, each compiled once in a process."""

import csv
import json
import pathlib

import jax
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib

_BUILT = {}


def supervised(**changes):
  """Random labels, 20 steps in segments of 5: seconds to compile."""
  config = settings_lib.default_config('supervised', 'random_labels')
  config.num_seeds = 2
  config.num_steps = 20
  config.segment_steps = 5
  config.environment.examples = 20
  config.environment.input_size = 4
  config.environment.classes = 3
  config.environment.switch_every_steps = 10
  config.network.hidden = (8,)
  config.network.split = 1
  config.optimizer.learning_rate = 0.01
  config.replay.batch_size = 4
  config.evaluation.every_steps = 5
  config.diagnostics.every_steps = 10
  config.diagnostics.names = ('weight_norm',)
  config.checkpoint.every_steps = 10
  config.fork.horizon = 10
  config.log.progress = False
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def shorten(config):
  """Two seeds of two environments, for a few steps of a tiny DQN."""
  config.num_seeds = 2
  config.num_steps = 80
  config.segment_steps = 20
  config.environment.num_envs = 2
  config.network.hidden = (8,)
  config.network.split = 1
  if config.agent.name == 'dqn':
    config.agent.target_period_updates = 5
  config.replay.capacity = 32
  config.replay.min_size = 8
  config.replay.batch_size = 4
  config.replay.updates_per_step = 0.5
  config.evaluation.every_steps = 20
  config.evaluation.episodes = 2
  config.evaluation.max_steps = 5
  config.diagnostics.every_steps = 40
  config.diagnostics.probe_size = 8
  config.diagnostics.names = ('weight_norm',)
  config.checkpoint.every_steps = 40
  config.fork.horizon = 40
  config.log.progress = False


def dqn(**changes):
  """Continual Catch on a tiny board, two environments a seed."""
  config = settings_lib.default_config('dqn', 'catch')
  shorten(config)
  config.environment.rows = 4
  config.environment.columns = 3
  config.environment.permute = 'inputs'
  config.environment.permute_actions = True
  config.environment.switch_every_steps = 48
  config.replay.clear_on_switch = True
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def build(settings):
  """The experiment of these settings, compiled functions included."""
  key = json.dumps(settings_lib.to_dict(settings), sort_keys=True)
  if key not in _BUILT:
    _BUILT[key] = experiment_lib.build(settings)
  return _BUILT[key]


def run(experiment, folder, **options):
  """The folder of a run, begun or continued."""
  run_folder.prepare(folder, experiment.settings)
  runner.run(experiment, folder, **options)
  return folder


def check_resumed(experiment, whole, folder):
  """Stopped at step 40 and continued, a run is that of 80 steps in `whole`."""
  run(experiment, folder, num_steps=40)
  (folder / 'ledger.json').unlink()
  run(experiment, folder)
  assert_equal(saved(experiment, folder, 80), saved(experiment, whole, 80))
  assert metrics(folder) == metrics(whole)


def check_fork(experiment, whole, folder):
  """Forked at step 40, the control arm is the run of 80 steps in `whole`."""
  for arm in ('control', 'injection'):
    fork.run_arm(
      experiment,
      whole,
      40,
      expressions.parse(arm),
      folder / arm,
      horizon=40,
    )
  assert_equal(
    saved(experiment, folder / 'control', 80), saved(experiment, whole, 80)
  )
  assert len(metrics(folder / 'injection', after=40)) == 4


def saved(experiment, folder, step):
  """The state of a checkpoint."""
  state, _ = Checkpoints(folder).restore(step, experiment)
  return state


def assert_equal(a, b):
  """Two trees are the same, to the bit."""
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for (path, x), y in zip(
    jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True
  ):
    x, y = np.asarray(x), np.asarray(y)
    name = jax.tree_util.keystr(path)
    assert (x.shape, x.dtype) == (y.shape, y.dtype), name
    assert x.tobytes() == y.tobytes(), f'{name} differs'


def metrics(folder: pathlib.Path, after: int = -1) -> list[dict[str, str]]:
  """Rows of metrics.csv past a step, without the clock's."""
  with (folder / 'metrics.csv').open(newline='') as file:
    return [
      {k: v for k, v in row.items() if k != 'seconds'}
      for row in csv.DictReader(file)
      if int(row['step']) > after
    ]
