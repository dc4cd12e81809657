"""Every variant of configs/control.py trains; the pendulum is swung up."""

import math

import pytest

from configs import control
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

pytestmark = pytest.mark.slow

VARIANTS = (
  *control.SAC,
  *control.DQN,
  *control.DRQ,
  'pendulum,continual',
  'cartpole,gradual,ratio=4',
  'pendulum,simba',
  'cartpole,simba',
)


def run(config, folder):
  settings = settings_lib.resolve(config)
  run_folder.prepare(folder, settings)
  runner.run(experiment_lib.build(settings), folder)
  return small.metrics(folder)


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_few_steps_of_every_variant(variant, tmp_path):
  config = control.get_config(variant)
  config.num_seeds = 2
  config.num_steps = config.segment_steps = 40
  config.network.hidden = (8,) * len(config.network.hidden)
  config.replay.min_size = 10
  config.evaluation.every_steps = config.diagnostics.every_steps = 40
  config.evaluation.max_steps = 20
  config.diagnostics.names = ('weight_norm',)
  config.diagnostics.probe_size = 8
  if config.agent.name != 'dqn':
    config.agent.random_steps = 20
  if config.agent.name == 'drq':
    config.network.update({'convolutions': ((4, 3, 4),), 'split': 1})
  if config.environment.switch_every_steps:
    config.environment.switch_every_steps = 20
  config.log.progress = False
  rows = run(config, tmp_path)
  ratio = config.replay.updates_per_step
  for row in rows[-2:]:
    assert math.isfinite(float(row['eval/return']))
    assert 20 * ratio < int(row['updates']) <= 40 * ratio
    repeat = config.environment.get('action_repeat', 1)
    assert int(row['frames']) == 40 * repeat


def test_sac_swings_the_pendulum_up(tmp_path):
  """Returns are about -150 at best, and -1200 of pushes at random."""
  config = control.get_config('pendulum')
  config.num_seeds = 1
  config.num_steps = config.evaluation.every_steps = 8000
  config.diagnostics.every_steps = config.checkpoint.every_steps = 8000
  config.log.progress = False
  rows = run(config, tmp_path)
  assert float(rows[0]['train/return']) < -800
  assert float(rows[-1]['eval/return']) > -400
