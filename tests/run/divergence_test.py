"""Messages of divergence: when, in which seeds, and the likely cause."""

import dataclasses
import math

import numpy as np

from plasticity_rl.run import divergence
from plasticity_rl.run.checkpoint import Checkpoints
from tests.training import small


def message(folder, **changes):
  options = {'last_loss': 0.25, 'start_step': 0, **changes}
  settings = options.pop('settings', small.supervised())
  return divergence.loss_message(
    np.array([-1, 7]), settings, Checkpoints(folder), **options
  )


def test_names_the_first_step_and_seed(tmp_path):
  text = message(tmp_path)
  assert 'at step 7 (seed 2, 1 of 2 seeds)' in text
  assert 'of the previous segment was 0.25' in text
  assert text.endswith('last good checkpoint: none')


def test_the_first_segment_blames_the_data_as_well(tmp_path):
  assert 'check the observations' in message(tmp_path, last_loss=math.nan)
  text = message(tmp_path, last_loss=math.nan, start_step=5)
  assert 'first segment with updates after step 5' in text


def test_a_gradient_norm_is_suggested_where_there_is_none(tmp_path):
  settings = small.supervised()
  clipped = dataclasses.replace(
    settings,
    optimizer=dataclasses.replace(settings.optimizer, max_gradient_norm=1.0),
  )
  assert 'max_gradient_norm' in message(tmp_path)
  assert 'max_gradient_norm' not in message(tmp_path, settings=clipped)


def test_weights(tmp_path):
  text = divergence.weights_message(
    20, small.supervised(), Checkpoints(tmp_path)
  )
  assert 'before step 20: most likely optimizer.learning_rate' in text
  assert text.endswith('last good checkpoint: none')
