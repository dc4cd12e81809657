"""The tool calls them right: reduced versions of `make calibrate`.

Ten seeds each, none of them those that the settings were found on.
"""

import pytest

from configs import continual_catch
from configs import random_labels
from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.verdict import diagnosis as analysis
from plasticity_rl.analysis.verdict import verdict as verdicts
from plasticity_rl.forks import diagnosis


def _verdict(config, folder):
  config.seed = 2001
  config.num_seeds = 10
  config.fork.arms = ('control', 'injection')
  # The verdict is one of returns.
  config.diagnostics.names = ('weight_norm',)
  config.log.progress = False
  diagnosis.run(diagnosis.plan(settings_lib.resolve(config)), folder)
  return analysis.load(folder).verdict


@pytest.mark.slow
def test_continual_catch_late_is_losing_plasticity(tmp_path):
  config = continual_catch.get_config()
  verdict = _verdict(config, tmp_path)
  assert verdict.verdict == verdicts.LOSING
  assert verdict.low > verdict.margin


@pytest.mark.slow
def test_continual_catch_early_is_not(tmp_path):
  verdict = _verdict(continual_catch.get_config('fresh'), tmp_path)
  assert verdict.verdict != verdicts.LOSING
  assert abs(verdict.effect) < verdict.margin


@pytest.mark.slow
def test_random_labels_late_is_losing_plasticity(tmp_path):
  config = random_labels.get_config()
  config.num_steps = 12 * random_labels.TASK_STEPS
  verdict = _verdict(config, tmp_path)
  assert verdict.verdict == verdicts.LOSING


@pytest.mark.slow
def test_random_labels_early_is_not(tmp_path):
  verdict = _verdict(random_labels.get_config('fresh'), tmp_path)
  assert verdict.verdict != verdicts.LOSING
  assert abs(verdict.effect) < verdict.margin
