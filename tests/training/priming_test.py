"""Heavy priming: updates on the first transitions, once, stopped or not."""

import signal

import jax
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

# Primed at step 20, the first point of the grid with eight transitions.
CHANGES = {
  'num_steps': 40,
  'checkpoint.every_steps': 20,
  'replay.priming_updates': 6,
  'evaluation.every_steps': 100,
  'diagnostics.every_steps': 100,
}


@pytest.fixture(name='experiment', scope='module')
def fixture_experiment():
  """Primed in three calls of two updates each."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(settings_lib, 'PRIMING_CHUNK', 2)
    experiment = experiment_lib.build(small.dqn(**CHANGES))
    jax.eval_shape(experiment.trainer.prime, experiment.shapes(()))
  return experiment


def run(experiment, folder):
  run_folder.prepare(folder, experiment.settings)
  runner.run(experiment, folder)
  return folder


@pytest.mark.slow
def test_primed_once_and_stopped_on_the_way(experiment, tmp_path):
  whole = run(experiment, tmp_path / 'whole')
  rows = small.metrics(whole)
  # Seven updates in the first segment, as without, then six, then ten.
  assert [r['updates'] for r in rows] == ['7', '7', '23', '23']
  primed = small.saved(experiment, whole, 20)
  assert (int(primed.counters.step), int(primed.counters.updates)) == (20, 13)
  calls = iter(range(10))

  def prime(state):
    if next(calls) == 1:
      signal.raise_signal(signal.SIGTERM)
    return experiment.trainer.prime(state)

  folder = tmp_path / 'stopped'
  with pytest.raises(Interrupted, match='stopped at step 20'):
    run(
      experiment.replace(trainer=experiment.trainer.replace(prime=prime)),
      folder,
    )
  assert next(calls) == 2
  stopped = small.saved(experiment, folder, 20)
  assert int(stopped.counters.updates) == 11
  run(experiment, folder)
  assert Checkpoints(folder).newest() == 40
  small.assert_equal(
    small.saved(experiment, folder, 40), small.saved(experiment, whole, 40)
  )
  assert small.metrics(folder) == rows


def test_whole_chunks_are_needed():
  with pytest.raises(UserError, match='multiple of 1000, or less: 1500'):
    small.dqn(**{'replay.priming_updates': 1500})
