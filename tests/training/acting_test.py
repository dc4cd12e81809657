"""Who acts after an intervention, and a replay ratio that is raised."""

import json

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

STILL = {
  # Nothing is learned, so that the policy of before is the control's.
  'optimizer.learning_rate': 0.0,
  'agent.epsilon_begin': 0.0,
  'agent.epsilon_end': 0.0,
  'replay.capacity': 80,
  'environment.switch_every_steps': 0,
  'environment.permute': 'none',
  'environment.permute_actions': False,
  'replay.clear_on_switch': False,
}


def segments(experiment, state, count):
  # A copy, since a segment takes its state's buffers.
  state = jax.tree.map(lambda x: np.array(x), state)
  for _ in range(count):
    state, _ = experiment.trainer.segment(state)
  return state


@pytest.fixture(name='experiment', scope='module')
def fixture_experiment():
  return small.build(small.dqn(**STILL))


def change(experiment, text, state):
  return experiment.intervene(expressions.parse(text))(state)


def test_the_old_policy_acts_for_some_steps(experiment):
  start = segments(experiment, experiment.init(), 1)
  control = segments(experiment, start, 2)
  actions = {}
  for options in ('', ', act_with="old", act_steps=20'):
    state = change(experiment, f'reset(scope="everything"{options})', start)
    # The networks are the new ones, whoever acts.
    assert not np.array_equal(
      state.nets['q'].params['head']['dense_1']['w'],
      start.nets['q'].params['head']['dense_1']['w'],
    )
    actions[options] = segments(experiment, state, 2).replay
  new, old = actions.values()
  rows = slice(10, 20), slice(20, 30)  # Of two environments each.

  def same(replay, part):
    leaves = zip(
      jax.tree.leaves(replay), jax.tree.leaves(control.replay), strict=True
    )
    return all(np.array_equal(a[:, part], b[:, part]) for a, b in leaves)

  assert same(old, rows[0]) and not same(old, rows[1])
  assert not same(new, rows[0])


def test_learning_is_of_the_new_network():
  """The same data, but another network than the control's learns."""
  experiment = small.build(small.dqn())
  start = segments(experiment, experiment.init(), 1)
  state = change(experiment, 'reset(act_with="old", act_steps=40)', start)
  after = segments(experiment, state, 1)
  kept = after.interventions['(acting)']
  small.assert_equal(kept['params']['q'], start.nets['q'].params)
  assert kept['until'].tolist() == [60, 60]
  before, now = (
    s.nets['q'].params['head']['dense_1']['w'] for s in (state, after)
  )
  assert not np.array_equal(before, now)


def test_runs_and_resumes_to_the_bit(tmp_path):
  experiment = small.build(
    small.dqn(
      interventions=(
        'reset(scope="everything", at_steps=20, act_with="old", act_steps=30)',
      )
    )
  )

  def run(name, **options):
    run_folder.prepare(tmp_path / name, experiment.settings)
    runner.run(experiment, tmp_path / name, **options)
    return tmp_path / name

  whole = run('whole')
  part = run('part', num_steps=40)
  (part / 'ledger.json').unlink()
  run('part')
  small.assert_equal(
    small.saved(experiment, part, 80), small.saved(experiment, whole, 80)
  )


@pytest.mark.parametrize(
  'options, message',
  (
    ('act_with="them"', 'act_with'),
    ('act_with="old"', 'act_steps must be'),
    ('act_steps=5', 'act_steps must be'),
    ('act_with="old", act_steps=2.5', 'act_steps must be'),
    ('act_wth="old"', "did you mean 'act_with'"),
  ),
)
def test_bad_options_are_refused(experiment, options, message):
  with pytest.raises(UserError, match=message):
    experiment.intervene(expressions.parse(f'reset({options})'))


def test_inside_the_loop_is_refused():
  with pytest.raises(UserError, match='cannot happen every_updates'):
    experiment_lib.build(
      small.dqn(
        interventions=('reset(every_updates=2, act_with="old", act_steps=5)',)
      )
    )


LATER = {
  'replay.later_updates_per_step': 2.0,
  'replay.later_when': 'train/episodes > 0',
  'replay.later_patience': 2,
  'replay.clear_on_switch': False,
}


def test_replay_ratio_is_raised_when_it_is_time(tmp_path):
  experiment = small.build(small.dqn(**LATER))

  def run(name, **options):
    run_folder.prepare(tmp_path / name, experiment.settings)
    runner.run(experiment, tmp_path / name, **options)
    return tmp_path / name

  whole = run('whole')
  rows = [r for r in small.metrics(whole) if r['seed'] == '1']
  updates = {int(r['step']): int(r['updates']) for r in rows}
  # One in two steps at first, two a step from when it was met twice.
  assert updates[40] - updates[20] == 10
  assert updates[60] - updates[40] == updates[80] - updates[60] == 40
  (event,) = [
    json.loads(x) for x in (whole / 'events.jsonl').read_text().splitlines()
  ]
  assert event['step'] == 40 and event['event'] == 'replay_ratio'
  assert '2 in a row' in event['why']
  part = run('part', num_steps=40)
  (part / 'ledger.json').unlink()
  run('part')
  small.assert_equal(
    small.saved(experiment, part, 80), small.saved(experiment, whole, 80)
  )


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'replay.later_when': ''}, 'go together'),
    ({'replay.later_when': 'train/episodes'}, 'cannot read when='),
    ({'replay.later_when': 'train/episode > 1'}, "'train/episodes'"),
    ({'replay.later_updates_per_step': 0.75}, 'whole number'),
  ),
)
def test_bad_ratios_are_refused(changes, message):
  with pytest.raises(UserError, match=message):
    settings = small.dqn(**{**LATER, **changes})
    runner.check(experiment_lib.build(settings))
