"""The three agents on their real environments: short, and resumed."""

import shutil

import pytest

from configs import dqn_atari
from configs import drq_dmc
from configs import sac_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small
from tests.training.host_trainer_test import assert_equal

pytestmark = pytest.mark.slow


def shortened(config, **changes):
  """A few steps of a shipped config, with networks that compile quickly."""
  config.num_steps = 80
  config.segment_steps = 20
  config.network.hidden = (8,)
  config.network.initializer = 'truncated_normal'
  config.replay.capacity = 100
  config.replay.min_size = 20
  config.replay.batch_size = 4
  config.evaluation.every_steps = 40
  config.evaluation.episodes = 2
  config.evaluation.max_steps = 20
  config.diagnostics.every_steps = 80
  config.diagnostics.probe_size = 4
  config.diagnostics.names = ('weight_norm', 'dormant_units')
  config.checkpoint.every_steps = 40
  config.log.progress = False
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def sac():
  return shortened(
    sac_dmc.get_config('cartpole_swingup'), **{'agent.random_steps': 20}
  )


def sequence():
  """Walker stand and walk, 50 steps each, of two environments."""
  return shortened(
    settings_lib.default_config('sac', 'dmc_sequence'),
    **{
      'agent.random_steps': 20,
      'environment.tasks': ('walker_stand', 'walker_walk'),
      'environment.num_envs': 2,
      'environment.switch_every_steps': 50,
      'replay.clear_on_switch': True,
      'replay.updates_per_step': 0.5,
    },
  )


def dqn():
  return shortened(
    dqn_atari.get_config('breakout'),
    **{
      'network.convolutions': ((4, 8, 8),),
      'environment.num_envs': 2,
      'replay.updates_per_step': 0.5,
      'replay.compress': True,
    },
  )


def drq():
  return shortened(
    drq_dmc.get_config('cartpole_swingup'),
    **{
      'network.convolutions': ((4, 3, 4),),
      'network.split': 1,
      'environment.size': 24,
      'agent.random_steps': 20,
    },
  )


@pytest.mark.parametrize('settings', (sac, sequence, dqn, drq))
def test_resumed_it_is_the_run_that_never_stopped(settings, tmp_path):
  settings = settings()
  experiment = experiment_lib.build(settings)
  whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
  run_folder.prepare(whole, settings)
  runner.run(experiment, whole)
  shutil.copytree(whole, resumed)
  shutil.rmtree(resumed / 'checkpoints' / f'{80:010d}')
  (resumed / 'ledger.json').unlink()
  # Environments that were never begun.
  runner.run(experiment_lib.build(settings), resumed)
  assert_equal(
    *(small.saved(experiment, folder, 80) for folder in (whole, resumed))
  )
  rows = small.metrics(whole)
  assert small.metrics(resumed) == rows
  frames = experiment.trainer.frames_per_step
  assert rows[-1]['frames'] == str(80 * frames)
  assert int(rows[-1]['updates']) > 0


@pytest.mark.parametrize(
  'game', [name for name in host_registry.NAMES if name.startswith('atari_')]
)
def test_every_game_has_a_config(game):
  config = dqn_atari.get_config(game.removeprefix('atari_'))
  assert config.environment.name == game
  settings_lib.resolve(config)
