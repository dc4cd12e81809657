import dataclasses

import pytest

from launch import sharing
from launch import study as study_lib
from launch import sweep as h
from tests.launch import tiny_study


def _study(runs, command='train', config=None):
  config = config or tiny_study.get_config()
  return study_lib.Study(
    'x.py', 'x', command, {}, tuple(study_lib._run(config, r) for r in runs)
  )


def _injection(*steps, **more):
  steps = steps[0] if len(steps) == 1 else steps
  return {'interventions': (f'injection(at_steps={steps!r})',), **more}


def test_runs_share_what_comes_before_they_differ():
  study = _study(
    h.chain(
      h.arm('control'),
      h.arm('early', _injection(100)),
      h.arm('late', _injection(300)),
      h.arm('both', _injection(100, 300)),
    )
  )
  plan = sharing.plan(study)
  # Segments of 25 steps: the last point before a step is 25 earlier.
  of = {name: plan.prefixes[d] for name, d in plan.of_run.items()}
  assert {n: p.step for n, p in of.items()} == {
    'control': 275,
    'early': 275,
    'late': 275,
    'both': 275,
  }
  assert of['control'] == of['late'] and of['early'] == of['both']
  assert of['control'] != of['early']
  # What happened at 100 is part of the one prefix, in one form for both runs.
  assert of['early'].overrides['interventions'] == (
    'injection=injection(at_steps=(100,))',
  )
  assert of['control'].overrides['interventions'] == ()
  # Both go on from what all four share.
  parent = plan.prefixes[of['control'].parent]
  assert parent.step == 75 and of['early'].parent == parent.digest
  assert (plan.asked, plan.trained) == (2 * 4 * 275, 2 * (75 + 2 * (275 - 75)))
  assert list(plan.prefixes)[0] == parent.digest  # Before what needs it.


def test_a_period_may_be_written_as_a_tuple_of_one():
  def plan(period):
    return sharing.plan(
      _study(
        h.chain(
          h.arm('control'),
          h.arm(
            'resets',
            {'interventions': (f'reset(scope="head", every_steps={period})',)},
          ),
        )
      )
    )

  assert plan('(100,)').trained == plan('100').trained == 2 * 75


@pytest.mark.parametrize('period', (25, 50, 100, 125))
def test_a_prefix_that_ends_at_a_period_contains_it(period):
  """A prefix ends after what happens at its last step, as every run does."""
  periodic = f'reset(scope="head", every_steps={period})'
  plan = sharing.plan(
    _study(
      h.chain(
        h.arm('control', {'interventions': (periodic,)}),
        h.arm('late', {'interventions': (periodic, 'injection(at_steps=125)')}),
      )
    )
  )
  last = max(plan.prefixes.values(), key=lambda prefix: prefix.step)
  assert last.step == 100 and len(set(plan.of_run.values())) == 1
  kept = last.overrides['interventions']
  assert kept == (
    (f"reset=reset(scope='head', every_steps={period})",)
    if period <= 100
    else ()
  )


@pytest.mark.parametrize(
  'other',
  (
    {'optimizer.learning_rate': 2e-3},
    {'seed': 2},
    {'num_steps': 500},
    {'network.hidden': (9,)},
  ),
)
def test_runs_of_other_configs_share_nothing(other):
  plan = sharing.plan(_study([_injection(200), _injection(300, **other)]))
  assert not plan.prefixes and not plan.of_run
  assert sharing.describe(plan) == ''


def test_what_acts_from_the_start_is_not_shared():
  plan = sharing.plan(
    _study(
      [
        {'interventions': ('redo(every_updates=10)',)},
        {
          'interventions': ('redo(every_updates=10)', 'injection(at_steps=200)')
        },
        {'interventions': ('injection(at_steps=200)',)},
        {},
      ]
    )
  )
  by_run = list(plan.of_run.values())
  assert len(plan.prefixes) == 2 and len(set(by_run)) == 2
  kept = sorted(p.overrides['interventions'] for p in plan.prefixes.values())
  assert kept == [(), ('redo=redo(every_updates=10)',)]


def test_diagnoses_share_what_comes_before_their_forks():
  plan = sharing.plan(
    _study(
      h.product(
        h.sweep('fork.step', [100, 110, 200]),
        h.sweep('fork.horizon', [100, 200]),
      ),
      'diagnose',
    )
  )
  # 110 is 125 on the grid.
  assert [p.step for p in plan.prefixes.values()] == [100, 125, 200]
  assert len(plan.of_run) == 6
  assert plan.trained == 2 * 200
  for prefix in plan.prefixes.values():
    assert not any(k.startswith('fork') for k in prefix.overrides)


def test_a_diagnosis_alone_trains_its_own_prefix():
  study = _study([{}], 'diagnose')
  assert not sharing.plan(study).prefixes
  # Also if others differ in what comes before.
  study = _study(h.sweep('seed', [1, 3]), 'diagnose')
  assert not sharing.plan(study).prefixes


def test_other_code_is_another_prefix(monkeypatch):
  study = _study([_injection(200), {}])
  before = set(sharing.plan(study).prefixes)
  assert before == set(sharing.plan(study).prefixes)
  monkeypatch.setattr(sharing, 'code', lambda: 'changed')
  assert before.isdisjoint(sharing.plan(study).prefixes)


def test_what_has_no_effect_on_training_does_not_tell_prefixes_apart():
  config = tiny_study.get_config()
  one = sharing.plan(_study([_injection(200), {}], config=config))
  config.fork.horizon = 300
  config.log.tensorboard = True
  two = sharing.plan(_study([_injection(200), {}], config=config))
  assert set(one.prefixes) == set(two.prefixes)
  config.replay.batch_size = 4
  three = sharing.plan(_study([_injection(200), {}], config=config))
  assert set(one.prefixes).isdisjoint(three.prefixes)


def test_the_saving_is_told():
  plan = sharing.plan(_study([_injection(200), {}]))
  assert sharing.describe(plan) == (
    '1 shared prefix for 2 runs: 350 seed-steps instead of 700, 50% saved'
  )
  assert '(about 0.97 h)' in sharing.describe(plan, 10.0)
  assert dataclasses.asdict(plan)['asked'] == 700
