"""Agents learn something small that is real, within a minute."""

import gymnasium
import pytest

from configs import own_environment
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

pytestmark = pytest.mark.slow


def pendulum():
  return gymnasium.make('Pendulum-v1')


def test_sac_swings_a_pendulum_up(tmp_path):
  """Returns are about -150 at best, and -1200 of pushes at random."""
  config = own_environment.get_config('sac')
  config.environment.name = 'tests.training.learning_test:pendulum'
  config.num_steps = config.diagnostics.every_steps = 3200
  config.evaluation.every_steps = config.checkpoint.every_steps = 3200
  config.segment_steps = 200
  config.network.hidden = (64, 64)
  config.optimizer.learning_rate = 2e-3
  config.replay.capacity = 10_000
  config.replay.batch_size = 64
  config.replay.min_size = config.agent.random_steps = 400
  config.evaluation.episodes = 5
  config.log.progress = False
  settings = settings_lib.resolve(config)
  run_folder.prepare(tmp_path, settings)
  runner.run(experiment_lib.build(settings), tmp_path)
  rows = small.metrics(tmp_path)
  at_random = [
    float(row['train/return']) for row in rows if int(row['step']) <= 400
  ]
  assert max(at_random) < -800
  assert float(rows[-1]['eval/return']) > -400
