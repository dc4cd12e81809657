"""What a diagnostic remembers is part of a run: saved, resumed and forked."""

import jax
import numpy as np
import pytest

from plasticity_rl.diagnostics import registry
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import schedule as schedule_lib
from tests.training import small

WHERE = 'plasticity/classifier/dormant_overlap/encoder'


@pytest.fixture(scope='module', name='experiment')
def fixture_experiment():
  """Measured every 10 steps and saved every 5; about half is dormant."""
  return small.build(
    small.supervised(
      **{
        'diagnostics.names': ('dormant_overlap',),
        'diagnostics.tau': 1.0,
        'checkpoint.every_steps': 5,
        'checkpoint.keep': 9,
        'num_steps': 30,
        'optimizer.learning_rate': 0.1,
      }
    )
  )


@pytest.fixture(scope='module', name='whole')
def fixture_whole(experiment, tmp_path_factory):
  folder = tmp_path_factory.mktemp('memory') / 'run'
  run_folder.prepare(folder, experiment.settings)
  runner.run(experiment, folder)
  return folder


def memory(state):
  return state.interventions[registry.MEMORY]['classifier']['dense_0']


def test_overlap_is_with_the_measurement_before(experiment, whole):
  states = {s: small.saved(experiment, whole, s) for s in (5, 10, 15, 20, 30)}
  assert not memory(states[5]).any()
  assert memory(states[10]).any() and memory(states[30]).any()
  small.assert_equal(memory(states[15]), memory(states[10]))
  rows = {
    (int(r['step']), int(r['seed'])): r[WHERE] for r in small.metrics(whole)
  }
  for i, seed in enumerate((1, 2)):
    assert rows[10, seed] in ('', 'nan')
    for before, now in ((10, 20), (20, 30)):
      m, n = (np.asarray(memory(states[s])[i]) for s in (before, now))
      assert float(rows[now, seed]) == pytest.approx(
        (m & n).sum() / min(m.sum(), n.sum())
      )


@pytest.mark.parametrize('stop', (10, 15))
def test_resumed_is_the_same(experiment, whole, tmp_path, stop):
  run_folder.prepare(tmp_path / 'run', experiment.settings)
  runner.run(experiment, tmp_path / 'run', num_steps=stop)
  runner.run(experiment, tmp_path / 'run')
  small.assert_equal(
    small.saved(experiment, tmp_path / 'run', 30),
    small.saved(experiment, whole, 30),
  )
  assert small.metrics(tmp_path / 'run') == small.metrics(whole)


@pytest.mark.parametrize('step', (10, 15))
def test_a_control_arm_remembers_what_the_unforked_run_does(
  experiment, whole, tmp_path, step
):
  """Though it is measured at the fork, where the run may not be."""
  fork.run_arm(
    experiment,
    whole,
    step,
    expressions.parse('control'),
    tmp_path / 'arm',
    horizon=15,
  )
  arm = small.metrics(tmp_path / 'arm')
  assert {int(row['step']) for row in arm} >= {step, 20}
  run = small.metrics(whole)
  for row in arm:
    if row['step'] == '20':
      assert row[WHERE] == next(
        r[WHERE] for r in run if (r['step'], r['seed']) == ('20', row['seed'])
      )
  small.assert_equal(
    small.saved(experiment, tmp_path / 'arm', 25),
    small.saved(experiment, whole, 25),
  )


def test_remembering_does_not_move_training(experiment, whole):
  without = small.build(
    small.supervised(
      **{
        'num_steps': 30,
        'optimizer.learning_rate': 0.1,
      }
    )
  )
  assert schedule_lib.schedule(without.settings).segment == 5
  state = without.init()
  assert state.interventions == {}
  for _ in range(6):
    state, _ = without.trainer.segment(state)
  end = small.saved(experiment, whole, 30)
  small.assert_equal(end._replace(interventions={}), state)


def test_a_state_without_memory_is_given_an_empty_one(experiment):
  state = experiment.init()
  given = experiment.attach(state._replace(interventions={}))
  small.assert_equal(given, state)
  remembered = jax.tree.map(np.ones_like, state.interventions)
  kept = experiment.attach(state._replace(interventions=remembered))
  small.assert_equal(kept.interventions, remembered)


def test_injection_and_memory(experiment):
  state = experiment.init()
  remembered = jax.tree.map(np.ones_like, state.interventions)
  state = state._replace(interventions=remembered)
  after = experiment.intervene(expressions.parse('injection'))(state)
  small.assert_equal(after.interventions, remembered)
  metrics, own = experiment.measure(after)
  assert set(own) == {registry.MEMORY}
  assert np.isfinite(metrics[WHERE]).all()
