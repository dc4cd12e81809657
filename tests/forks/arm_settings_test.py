"""Arms that go on with other settings than the prefix."""

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import run_folder
from plasticity_rl.training import schedule
from tests.training import small

ARMS = (
  'control',
  'injection',
  'same=control(settings={"optimizer.learning_rate": 0.01})',
  'still=control(settings={"optimizer.learning_rate": 0.0})',
  'c_chain=control(settings={"regularizer.c_chain": 0.1})',
  'redo(every_updates=3, settings={"regularizer.c_chain": 0.1})',
)


@pytest.fixture(name='forked', scope='module')
def fixture_forked(tmp_path_factory):
  """A plan and its folder."""
  plan = diagnosis.plan(small.supervised(**{'fork.arms': ARMS}))
  folder = tmp_path_factory.mktemp('forked') / 'diagnosis'
  diagnosis.run(plan, folder)
  return plan, folder


def end(forked, arm):
  """The state of an arm at its end."""
  plan, folder = forked
  return small.saved(plan.arm_experiments[arm], folder / 'arms' / arm, 30)


def rows(forked, arm, after=20):
  return small.metrics(forked[1] / 'arms' / arm, after=after)


def test_settings_that_change_nothing(forked):
  small.assert_equal(end(forked, 'same'), end(forked, 'control'))


def test_a_learning_rate_from_the_fork_on(forked):
  plan, folder = forked
  at_fork = small.saved(plan.experiment, folder / 'prefix', 20)
  small.assert_equal(
    end(forked, 'still').nets['classifier'].params,
    at_fork.nets['classifier'].params,
  )


@pytest.mark.parametrize('arm', ('c_chain', 'redo'))
def test_a_regularizer_from_the_fork_on(forked, arm):
  config = run_folder.read_config(forked[1] / 'arms' / arm)
  assert config['regularizer']['c_chain'] == 0.1
  assert all(row['train/churn'] for row in rows(forked, arm))
  assert not any(row.get('train/churn') for row in rows(forked, 'control'))
  # The moments are those of the prefix: they count its updates as well.
  counts = [
    leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(
      end(forked, 'c_chain').nets['classifier'].opt_state
    )
    if 'count' in jax.tree_util.keystr(path)
  ]
  assert counts and all(np.all(np.asarray(c) == 30) for c in counts)


def test_arms_differ_after_the_fork_alone(forked):
  for arm in ('still', 'c_chain', 'redo'):
    mine, theirs = (
      [r['eval/return'] for r in rows(forked, name, 0) if r['step'] == '20']
      for name in (arm, 'control')
    )
    assert len(mine) == 2 and mine == theirs


@pytest.mark.parametrize(
  'arm, message',
  (
    ('x=control(settings={"optimizer.lr": 1})', "arm 'x' 'optimizer.lr'"),
    ('x=control(settings={"optimizer": 1})', 'optimizer.'),
    ('x=control(settings={"network.split": 0})', "'network.split'"),
    ('x=control(settings={"num_seeds": 3})', "'num_seeds'"),
    (
      'x=control(settings={"optimizer.learning_rate": -1.0})',
      'config.optimizer.learning_rate',
    ),
    (
      'x=control(settings={"optimizer.name": "sgd"})',
      "'x': the state at the fork does not fit another optimizer.name",
    ),
  ),
)
def test_settings_that_cannot_be(arm, message):
  with pytest.raises(UserError) as error:
    diagnosis.plan(small.supervised(**{'fork.arms': ('control', arm)}))
  assert message in str(error.value)


def test_the_control_has_the_settings_of_the_prefix():
  arms = ('control(settings={"optimizer.learning_rate": 0.0})', 'injection')
  with pytest.raises(UserError, match='the arm control, which takes no sett'):
    diagnosis.plan(small.supervised(**{'fork.arms': arms}))


def test_a_run_does_not_change_its_settings():
  text = 'reset(at_steps=5, settings={"optimizer.learning_rate": 0.0})'
  with pytest.raises(UserError, match='only arms of a fork take settings'):
    schedule.schedule(small.supervised(interventions=(text,)))
