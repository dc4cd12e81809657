"""Fixtures of several tests."""

import pytest

from plasticity_rl.run import checkpoint
from tests.run.checkpoints import state_of


@pytest.fixture(name='checkpoints')
def fixture_checkpoints(tmp_path):
  """Steps 10 and 20 in a folder."""
  checkpoints = checkpoint.Checkpoints(tmp_path, keep=2)
  for step in (10, 20):
    checkpoints.save(step, state_of(step / 3), {'history': []})
  checkpoints.wait()
  return checkpoints


@pytest.fixture(name='warnings')
def fixture_warnings(monkeypatch):
  """What absl warned of."""
  heard = []
  monkeypatch.setattr(
    checkpoint.logging,
    'warning',
    lambda text, *args: heard.append(text % args),
  )
  return heard
