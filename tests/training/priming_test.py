"""Heavy priming: updates on the first transitions, once, stopped or not."""

import signal

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import host_data_source
from plasticity_rl.training import rollout
from tests.training import small
from tests.training.small import run

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


@pytest.fixture(name='batches')
def fixture_batches(monkeypatch):
  """Every batch that a data source gave, on the device or on the host."""
  seen = []

  def record(source):
    sample = source.sample

    def recorded(self, *args, **options):
      batch = sample(self, *args, **options)
      jax.debug.callback(
        lambda *parts: seen.append(np.concatenate(parts, -1)),
        batch.a_tm1.astype(float),
        batch.r_t,
      )
      return batch

    monkeypatch.setattr(source, 'sample', recorded)

  record(rollout.EnvironmentSource)
  record(host_data_source.HostDataSource)
  return seen


def on_the_device(**changes):
  return small.dqn(**CHANGES, **changes)


def on_the_host(**changes):
  config = settings_lib.default_config(
    'dqn', 'tests.environments.scripted:CopiedGymEnv'
  )
  small.shorten(config)
  config.environment.overlap = False
  config.update_from_flattened_dict({**CHANGES, **changes})
  return settings_lib.resolve(config)


@pytest.mark.slow
@pytest.mark.parametrize('make', (on_the_device, on_the_host))
def test_chunks_of_priming_draw_other_batches(make, batches, monkeypatch):
  """And so do the seeds and the updates of a chunk."""
  monkeypatch.setattr(settings_lib, 'PRIMING_CHUNK', 2)
  experiment = experiment_lib.build(make(**{'replay.batch_size': 8}))
  state = experiment.init()
  state, _ = experiment.trainer.segment(state)
  jax.block_until_ready(state.nets)
  jax.effects_barrier()
  batches.clear()
  for _ in range(3):
    state = experiment.trainer.prime(state)
  jax.block_until_ready(state.nets)
  jax.effects_barrier()
  drawn = np.concatenate([x.reshape(-1, x.shape[-1]) for x in batches])
  assert drawn.shape == (2 * 3 * 2, 2 * 8)  # Seeds x chunks x updates.
  assert len({tuple(row) for row in drawn.tolist()}) == len(drawn)


def test_whole_chunks_are_needed():
  with pytest.raises(UserError, match='multiple of 1000, or less: 1500'):
    small.dqn(**{'replay.priming_updates': 1500})
