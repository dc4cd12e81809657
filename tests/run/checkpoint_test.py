"""Checkpoints: all bits come back."""

import logging
import threading

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.run import checkpoint
from tests.run.checkpoints import GROWN
from tests.run.checkpoints import Grown
from tests.run.checkpoints import state_of
from tests.training import small


def test_restores_all_bits_and_the_metadata(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1 / 3)
  checkpoints.save(5, state, {'history': [], 'clock': {'seconds': 2.5}})
  checkpoints.wait()
  # By another process, as it were.
  back, meta = checkpoint.Checkpoints(tmp_path).restore(5, GROWN)
  small.assert_equal(back, state)
  assert meta['clock'] == {'seconds': 2.5}
  assert meta['step'] == 5


def test_saves_a_copy_of_the_state(tmp_path):
  """The buffers are donated to the next segment while the save goes on."""
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1.0)
  host = jax.tree.map(np.array, state)
  history = []
  busy = threading.Event()
  checkpoints._pool.submit(busy.wait)  # Writing begins after what follows.
  checkpoints.save(5, host, {'history': history})
  host.nets['q'].params['head']['w'][:] = 9.0
  history.append('an injection after the checkpoint')
  busy.set()
  checkpoints.wait()
  back, meta = checkpoints.restore(5, GROWN)
  small.assert_equal(back, state)
  assert meta['history'] == []


def test_structure_is_that_of_the_history(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  state = state_of(1.0, width=5)
  checkpoints.save(5, state, {'history': ['injection', 'again']})
  checkpoints.wait()
  back, _ = checkpoints.restore(5, GROWN)
  small.assert_equal(back, state)


def test_nothing_is_there_at_first(tmp_path):
  checkpoints = checkpoint.Checkpoints(tmp_path)
  assert checkpoints.steps() == []
  assert checkpoints.newest() is None
  with pytest.raises(UserError, match='no checkpoint of step 3 .* are: none'):
    checkpoints.restore(3, GROWN)


def test_missing_step_names_those_that_are_there(checkpoints):
  with pytest.raises(UserError, match='of step 15 .*there are: 10, 20'):
    checkpoints.meta(15)


def test_saving_again_replaces(checkpoints):
  checkpoints.save(20, state_of(5.0), {'history': []})
  checkpoints.wait()
  assert checkpoints.steps() == [10, 20]
  back, _ = checkpoints.restore(20, GROWN)
  small.assert_equal(back, state_of(5.0))


def test_another_agents_is_refused_in_a_line(checkpoints):
  with pytest.raises(UserError) as caught:
    checkpoints.restore(20, Grown(4))
  message = str(caught.value)
  assert '\n' not in message
  assert 'of another agent or config: 1 arrays differ' in message
  assert 'nets.q.params.head.w' in message
  assert '[2, 3]' in message and '[2, 4]' in message
  # The same is found out without reading any array.
  with pytest.raises(UserError, match='of another agent'):
    checkpoints.check(20, Grown(4))


def test_orbax_stays_quiet(caplog, tmp_path):
  with caplog.at_level(logging.WARNING):
    test_restores_all_bits_and_the_metadata(tmp_path)
  assert not caplog.records
