"""When things happen: on the grid, and told where that changes something."""

import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.training import schedule as schedule_lib
from tests.training import small


@pytest.fixture(name='told')
def fixture_told(monkeypatch):
  told = []
  schedule_lib._warn_once.cache_clear()
  monkeypatch.setattr(
    schedule_lib.logging,
    'warning',
    lambda text, *args: told.append(text % args),
  )
  return told


def schedule(*interventions, **changes):
  return schedule_lib.schedule(
    small.supervised(interventions=interventions, **changes)
  )


def test_what_is_on_the_grid_stays(told):
  found = schedule('injection(at_steps=10)', 'reset(every_steps=5)')
  assert (found.num_steps, found.segment) == (20, 5)
  assert (found.evaluate, found.measure, found.save) == (5, 10, 10)
  injection, reset = found.interventions
  assert [s for s in range(5, 25, 5) if injection.due(s)] == [10]
  assert [s for s in range(5, 25, 5) if reset.due(s)] == [5, 10, 15, 20]
  assert not told


def test_what_is_not_is_rounded_up_and_told(told):
  found = schedule(
    'injection(at_steps=(6, 15))',
    'reset(every_steps=7)',
    num_steps=21,
    **{
      'evaluation.every_steps': 1,
      'diagnostics.every_steps': 11,
      'checkpoint.every_steps': 14,
    },
  )
  assert (found.num_steps, found.evaluate) == (25, 5)
  assert (found.measure, found.save) == (15, 15)
  injection, reset = found.interventions
  assert injection.at_steps == (10, 15)
  assert reset.every_steps == 10
  assert told[0] == (
    'num_steps = 21 is rounded up to 25, a multiple of segment_steps = 5'
  )
  assert [line.partition(' is rounded up to ')[0] for line in told] == [
    'num_steps = 21',
    'at_steps of injection(at_steps=(6, 15)) = 6',
    'every_steps of reset(every_steps=7) = 7',
    'evaluation.every_steps = 1',
    'diagnostics.every_steps = 11',
    'checkpoint.every_steps = 14',
  ]


def test_what_is_rounded_is_told_once(told):
  for _ in range(3):
    schedule(num_steps=21)
  assert len(told) == 1


@pytest.mark.parametrize(
  'trigger',
  (
    'at_steps=20',
    'at_steps=1000',
    'at_steps=0',
    'at_steps=-5',
    'at_steps=(5, 20)',
    'at_steps=2.5',
    'at_steps="5"',
    'at_steps=True',
    'every_steps=20',
    'every_steps=0',
    'every_steps=2.5',
    # Rounded up it is the end, where nothing follows.
    'at_steps=16',
    'every_steps=19',
  ),
)
def test_what_could_never_happen_is_refused(trigger):
  with pytest.raises(UserError, match='the last point before the end is 15'):
    schedule(f'injection({trigger})')


@pytest.mark.parametrize(
  'trigger',
  ('at_steps=()', 'at_steps=[]', 'every_steps=(5, 10)', 'every_steps=()'),
)
def test_triggers_of_no_step_are_refused(trigger):
  with pytest.raises(UserError, match='every_steps is one'):
    schedule(f'injection({trigger})')


@pytest.mark.parametrize(
  'text',
  (
    'injection',
    'injection(at_steps=5, every_steps=10)',
    'reset(every_updates=5, when="eval/return > 1")',
  ),
)
def test_one_trigger_is_needed(text):
  with pytest.raises(UserError, match='needs one of at_steps, every_steps'):
    schedule(text)


@pytest.mark.parametrize(
  'trigger, message',
  (
    ('every_updates=0', 'positive whole number'),
    ('every_updates=2.0', 'positive whole number'),
    ('every_steps=5, patience=2', 'patience goes with when'),
    ('when="eval/return"', 'cannot read when='),
    ('when="eval/return > 1", patience=0', 'patience .* at least 1: 0'),
  ),
)
def test_bad_triggers_are_refused(trigger, message):
  with pytest.raises(UserError, match=message):
    schedule(f'reset({trigger})')


def test_priming_after_the_end_is_refused():
  def prime(min_size):
    return schedule_lib.schedule(
      small.dqn(
        num_steps=20,
        **{
          'replay.priming_updates': 5,
          'replay.min_size': min_size,
        },
      )
    ).prime

  assert prime(20) == 20
  with pytest.raises(UserError, match='primed at step 40, .* ends at 20'):
    prime(21)


def test_labels_are_unique():
  with pytest.raises(UserError, match="'reset' is there twice"):
    schedule('reset(at_steps=5)', 'reset(at_steps=10)')
  found = schedule('reset(at_steps=5)', 'again=reset(at_steps=10)')
  assert [i.expression.label for i in found.interventions] == ['reset', 'again']
