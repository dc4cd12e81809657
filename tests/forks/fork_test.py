"""Arms: the control is the run unforked, the others differ from the fork on."""

import json

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from tests.training import small


@pytest.fixture(name='experiment', scope='module')
def fixture_experiment():
  return small.build(small.supervised())


@pytest.fixture(name='unforked', scope='module')
def fixture_unforked(experiment, tmp_path_factory):
  folder = tmp_path_factory.mktemp('unforked') / 'run'
  run_folder.prepare(folder, experiment.settings)
  runner.run(experiment, folder)
  return folder


@pytest.fixture(name='arms', scope='module')
def fixture_arms(experiment, unforked, tmp_path_factory):
  """Folders by arm, and the files of the fork's checkpoint before."""
  folder = tmp_path_factory.mktemp('arms')
  source = unforked / 'checkpoints' / '0000000010'
  before = {p: p.read_bytes() for p in source.rglob('*') if p.is_file()}
  arms = {}
  for text in ('control', 'other=reseed', 'injection', 'head=reset'):
    expression = expressions.parse(text)
    arms[expression.label] = folder / expression.label
    fork.run_arm(
      experiment,
      unforked,
      10,
      expression,
      folder / expression.label,
      horizon=10,
    )
  return arms, before


def test_control_is_the_unforked_run(experiment, unforked, arms):
  arms, _ = arms
  small.assert_equal(
    small.saved(experiment, arms['control'], 20),
    small.saved(experiment, unforked, 20),
  )
  assert small.metrics(arms['control'], after=10) == small.metrics(
    unforked, after=10
  )


def test_every_arm_begins_with_a_look(unforked, arms):
  arms, _ = arms
  looks = {
    name: [r for r in small.metrics(path) if r['step'] == '10']
    for name, path in arms.items()
  }
  unforked = [r for r in small.metrics(unforked) if r['step'] == '10']
  for name, rows in looks.items():
    assert len(rows) == 2
    assert 'plasticity/classifier/weight_norm/all' in rows[0]
    # An injection changes no prediction, a reset does.
    for row, before in zip(rows, unforked, strict=True):
      same = float(row['eval/return']) == pytest.approx(
        float(before['eval/return']), rel=1e-5
      )
      assert same == (name in ('control', 'other', 'injection'))
      assert row['updates'] == '10'


def test_arms_differ(experiment, arms):
  arms, _ = arms
  ends = [
    tuple(r['eval/return'] for r in small.metrics(path, after=15))
    for path in arms.values()
  ]
  assert len(set(ends)) == 4
  # All arms go on with the same labels and inputs, but the one of other keys.
  states = {n: small.saved(experiment, p, 20) for n, p in arms.items()}
  for name in ('injection', 'head'):
    small.assert_equal(states[name].env.inputs, states['control'].env.inputs)
    small.assert_equal(states[name].keys, states['control'].keys)
  assert (states['other'].keys.run != states['control'].keys.run).any()


def test_fork_is_described(arms):
  arms, _ = arms
  for name, path in arms.items():
    facts = json.loads((path / 'fork.json').read_text())
    at_fork = facts.pop('at_fork')
    assert facts == {
      'source': 'run',
      'step': 10,
      'horizon': 10,
      'arm': name,
      'intervention': {'other': 'reseed', 'head': 'reset'}.get(name, name),
    }
    change = np.array(at_fork['largest_output_change'])
    assert change.shape == (2,)
    assert (change > 0.01).all() if name == 'head' else (change < 1e-6).all()


def test_forks_checkpoint_is_untouched(arms):
  _, before = arms
  assert before
  for path, data in before.items():
    assert path.read_bytes() == data


def test_arm_resumes(experiment, unforked, arms, tmp_path):
  """Stopped after the injection, it goes on from there, not from the fork."""
  arms, _ = arms
  expression = expressions.parse('injection')
  fork.run_arm(
    experiment, unforked, 10, expression, tmp_path / 'injection', horizon=5
  )
  # The horizon is longer the second time: the checkpoint at its end is used.
  fork.run_arm(
    experiment, unforked, 10, expression, tmp_path / 'injection', horizon=10
  )
  small.assert_equal(
    small.saved(experiment, tmp_path / 'injection', 20),
    small.saved(experiment, arms['injection'], 20),
  )
  assert small.metrics(tmp_path / 'injection') == small.metrics(
    arms['injection']
  )


def test_missing_checkpoint_is_refused(experiment, unforked, tmp_path):
  with pytest.raises(UserError, match='no checkpoint of step 15 .*: 10, 20'):
    fork.run_arm(
      experiment,
      unforked,
      15,
      expressions.parse('control'),
      tmp_path / 'arm',
      horizon=5,
    )


def test_replicates_share_everything_but_their_keys(experiment, unforked):
  state = small.saved(experiment, unforked, 10)
  first = jax.tree.map(lambda x: x[:1], state._replace(counters=None))
  first = first._replace(counters=state.counters)
  copies = experiment.replicate(first, 4)
  for part in ('nets', 'env', 'replay', 'interventions'):
    for i in range(4):
      small.assert_equal(
        jax.tree.map(lambda x, i=i: x[i : i + 1], getattr(copies, part)),
        getattr(first, part),
      )
  small.assert_equal(copies.counters, state.counters)
  keys = np.concatenate([np.asarray(k) for k in copies.keys])
  assert keys.shape == (8, 2)
  assert len({tuple(k) for k in keys.tolist()}) == 8
