"""What an injection needs is compiled before it, and is the same."""

import csv
import logging
import signal
import threading

import pytest

from plasticity_rl.errors import Interrupted
from plasticity_rl.experiment import diagnosis
from plasticity_rl.experiment import experiment as experiment_lib
from plasticity_rl.experiment import fork
from plasticity_rl.experiment import rehearsal
from plasticity_rl.experiment import run_folder
from plasticity_rl.experiment import timeline
from plasticity_rl.experiment.checkpoint import Checkpoints
from plasticity_rl.interventions import expression
from tests.experiment import host_loop_test
from tests.experiment import small
from tests.experiment.compiling import Compiling

# Measured before, so that what needs no new structure has been compiled.
ON_DEVICE = {
    'interventions': ('injection(every_steps=10)',),
    'diagnostics.every_steps': 5,
}
ON_HOST = {
    'interventions': ('injection(at_steps=40)',),
    'diagnostics.every_steps': 20,
}
INJECTION = expression.parse('injection')


def run(settings, folder):
  """The experiment, built anew, and what was compiled while it ran."""
  experiment = experiment_lib.build(settings)
  run_folder.prepare(folder, settings)
  with Compiling() as compiling:
    timeline.run(compiling.watching(experiment), folder)
  return experiment, compiling


@pytest.mark.slow
def test_the_thread_compiles_what_the_run_would_wait_for(tmp_path):
  settings = small.supervised(**ON_DEVICE)
  experiment, ahead = run(settings, tmp_path / 'ahead')
  _, behind = run(
      small.supervised(**ON_DEVICE, compile_ahead=False), tmp_path / 'behind'
  )
  assert not [step for step in ahead.steps if step >= 5]
  assert [step for step in behind.steps if step >= 5]
  assert ahead.elsewhere > 0
  assert behind.elsewhere == 0
  small.assert_equal(*(
      small.saved(experiment, tmp_path / name, settings.num_steps)._replace(
          replay=()
      ) for name in ('ahead', 'behind')
  ))
  assert small.metrics(tmp_path / 'ahead') == small.metrics(tmp_path / 'behind')


@pytest.mark.slow
def test_so_it_is_where_environments_are_on_the_host(tmp_path):
  _, ahead = run(host_loop_test.make(**ON_HOST), tmp_path / 'ahead')
  assert not [step for step in ahead.steps if step >= 20]
  assert ahead.elsewhere > 0


@pytest.mark.slow
def test_arms_are_compiled_while_the_prefix_trains(tmp_path):
  settings = small.supervised(**{
      'diagnostics.every_steps': 5, 'fork.arms': ('control', 'injection'),
  })
  experiment = experiment_lib.build(settings)
  arms = diagnosis.plan(settings).arms
  run_folder.prepare(tmp_path / 'prefix', settings)
  timeline.run(experiment, tmp_path / 'prefix', arms=arms)
  # Everything that is on the host alone is known after the control.
  control, injection = arms
  for arm in (control, injection):
    with Compiling() as compiling:
      fork.run_arm(
          experiment, tmp_path / 'prefix', 20, arm, tmp_path / arm.label,
          horizon=10,
      )
  assert compiling.steps == []


def test_a_run_outlives_what_cannot_be_compiled_ahead(tmp_path, caplog):
  experiment = small.build(small.supervised(
      interventions=('injection(at_steps=10)',)
  ))

  def ahead(state, changes, is_later):
    del state, changes, is_later
    raise RuntimeError('no compiler here')
    yield

  run_folder.prepare(tmp_path / 'run', experiment.settings)
  with caplog.at_level(logging.ERROR, 'absl'):
    timeline.run(experiment._replace(ahead=ahead), tmp_path / 'run')
  assert 'could not compile ahead what injection needs' in caplog.text
  assert 'no compiler here' in caplog.text
  assert Checkpoints(tmp_path / 'run').newest() == 20
  with (tmp_path / 'run' / 'metrics.csv').open(newline='') as file:
    assert list(csv.DictReader(file))[-1]['step'] == '20'


def test_a_run_that_is_stopped_stops_the_thread(tmp_path):
  experiment = small.build(small.supervised(
      interventions=('injection(at_steps=15)',)
  ))
  compiled = []

  def ahead(state, changes, is_later):
    del changes, is_later
    while True:  # More than there is time for.
      compiled.append(state)
      yield state

  def segment(state):
    if int(state.counters.step) == 5:
      signal.raise_signal(signal.SIGTERM)
    return experiment.loop.segment(state)

  run_folder.prepare(tmp_path / 'run', experiment.settings)
  with pytest.raises(Interrupted, match='stopped at step 10'):
    timeline.run(experiment._replace(
        ahead=ahead, loop=experiment.loop._replace(segment=segment)
    ), tmp_path / 'run')
  assert compiled
  assert not [t for t in threading.enumerate() if 'compile-ahead' in t.name]


@pytest.mark.parametrize('num_steps, expected', (
    (20, ['a', 'b', 'arm']), (10, ['a', 'b']), (5, ['a'])
))
def test_what_does_not_come_is_not_compiled(num_steps, expected, tmp_path):
  experiment = small.build(small.supervised(interventions=(
      'a=control(at_steps=5)', 'b=control(every_steps=10)',
  )))
  asked = []

  def ahead(state, changes, is_later):
    del state, is_later
    asked.extend(change.label for change in changes)
    return iter(())

  run_folder.prepare(tmp_path / 'run', experiment.settings)
  timeline.run(
      experiment._replace(ahead=ahead), tmp_path / 'run', num_steps=num_steps,
      arms=[expression.parse('arm=injection')],
  )
  assert asked == expected


@pytest.fixture(name='asked')
def fixture_asked():
  """A rehearsal that notes what it is asked for, and that list."""
  experiment = small.build(small.supervised())
  asked = []

  def ahead(state, changes, is_later):
    del state
    asked.append(([c.label for c in changes], is_later))
    return iter(())

  one = rehearsal.Rehearsal(experiment._replace(ahead=ahead))
  return one, experiment.shapes(()), asked


def test_the_same_is_compiled_once(asked):
  one, state, made = asked
  for _ in range(2):
    one.begin(state, [INJECTION])
  one.begin(state, [INJECTION], is_later=True)
  one.wait('other')  # Nothing of that name: no matter.
  one.wait('injection')
  assert made == [(['injection'], False), (['injection'], True)]
  grown = small.build(small.supervised()).intervene(INJECTION)(
      small.build(small.supervised()).init()
  )
  one.begin(grown, [INJECTION])
  one.close(finish=True)
  assert len(made) == 3


def test_what_was_begun_is_finished_where_arms_follow(asked):
  one, state, made = asked
  for label in 'abc':
    one.begin(state, [expression.parse(f'{label}=injection')])
  one.close(finish=True)
  assert [labels for labels, _ in made] == [['a'], ['b'], ['c']]
