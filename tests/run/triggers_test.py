"""Interventions inside the loop, and those that wait for something."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small
from tests.training.small import run


def events(folder):
  lines = (folder / 'events.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def weights(state):
  return jax.tree.map(np.asarray, state.nets)


@pytest.mark.parametrize('make', (small.dqn, small.supervised))
def test_inside_the_loop_is_as_after_each_update(make):
  """A reset after every update leaves the draws of the last one."""
  settings = make(interventions=('reset(scope="everything", every_updates=1)',))
  experiment = small.build(settings)
  plain = small.build(make())
  state, _ = experiment.trainer.segment(experiment.init())
  other, _ = plain.trainer.segment(plain.init())
  assert state.counters.updates == other.counters.updates > 0
  name = next(iter(state.nets))
  net = state.nets[name]
  # What was drawn last is what there is, and the optimizer's counts are zero.
  small.assert_equal(net.initial, injection.trainable(net.params))
  assert not any(
    np.any(x)
    for x in jax.tree.leaves([net.opt_state['head'], net.opt_state['encoder']])
  )
  # Data of the same keys: an event never moves the training stream.
  small.assert_equal(state.keys, other.keys)


def test_period_of_updates():
  """Every 7 updates among 20: after 7 and 14, not before the others."""
  settings = small.supervised(
    interventions=('optimizer_reset(every_updates=7)',)
  )
  experiment = small.build(settings)
  state = experiment.init()
  for _ in range(4):
    state, _ = experiment.trainer.segment(state)
  assert int(state.counters.updates) == 20
  counts = [
    np.asarray(x)
    for x in jax.tree.leaves(state.nets['classifier'].opt_state['encoder'])
    if x.dtype == jnp.int32
  ]
  assert counts and all((c == 6).all() for c in counts)


def test_resumes_to_the_bit(tmp_path):
  experiment = small.build(
    small.supervised(interventions=('reset(every_updates=3)',))
  )
  whole = run(experiment, tmp_path / 'whole')
  part = run(experiment, tmp_path / 'part', num_steps=10)
  (part / 'ledger.json').unlink()
  run(experiment, part)
  small.assert_equal(
    small.saved(experiment, part, 20), small.saved(experiment, whole, 20)
  )


def test_what_changes_more_than_networks_stays_outside():
  with pytest.raises(UserError, match='cannot happen every_updates'):
    experiment_lib.build(
      small.supervised(interventions=('reseed(every_updates=3)',))
    )


def test_what_grows_stays_outside():
  with pytest.raises(UserError, match='network.slots'):
    experiment_lib.build(
      small.supervised(interventions=('injection(every_updates=3)',))
    )


@pytest.fixture(name='waiting', scope='module')
def fixture_waiting(tmp_path_factory):
  """Slots opened in the seed whose weights are larger, and not the other."""
  settings = small.supervised(**{'network.slots': 2, 'num_steps': 30})
  plain = small.build(settings)
  folder = run(plain, tmp_path_factory.mktemp('plain') / 'run')
  metric = 'plasticity/classifier/weight_norm/trainable'
  norms = {'1': [], '2': []}
  for row in small.metrics(folder):
    if row[metric]:
      norms[row['seed']].append(float(row[metric]))
  lower, upper = sorted(norms.values(), key=min)
  between = (max(lower) + min(upper)) / 2
  assert max(lower) < between < min(upper)
  text = f'injection(when="{metric} > {between:.6f}", patience=2)'
  experiment = small.build(dataclasses.replace(settings, interventions=(text,)))
  waited = run(experiment, tmp_path_factory.mktemp('waited') / 'run')
  return plain, folder, experiment, waited


def test_each_seed_by_itself(waiting):
  plain, folder, experiment, waited = waiting
  happened = events(waited)
  assert happened
  fired = {seed: e['step'] for e in happened for seed in e['seeds']}
  state = small.saved(experiment, waited, 30)
  other = small.saved(plain, folder, 30)
  opened = np.asarray(state.nets['classifier'].params['head'].signs != 0).any(
    -1
  )
  assert [i + 1 in fired for i in range(2)] == opened.tolist()
  assert 0 < opened.sum() < 2
  for i in range(2):
    mine, theirs = (
      jax.tree.map(lambda x, i=i: x[i], weights(s)) for s in (state, other)
    )
    if not opened[i]:
      small.assert_equal(mine, theirs)
  for event in happened:
    assert len(event['why']) == len(event['seeds'])
    assert 'weight_norm/trainable is ' in event['why'][0]
    assert max(event['largest_output_change']) < 1e-5


def test_what_criteria_saw_is_resumed(waiting, tmp_path):
  _, _, experiment, waited = waiting
  part = run(experiment, tmp_path / 'part', num_steps=10)
  meta = Checkpoints(part).meta(10)
  assert meta['watches']['injection']['in_a_row'] != [0, 0]
  (part / 'ledger.json').unlink()
  run(experiment, part)
  small.assert_equal(
    small.saved(experiment, part, 30), small.saved(experiment, waited, 30)
  )
  assert events(part) == events(waited)


def test_what_keeps_a_state_of_its_own_may_wait(tmp_path):
  experiment = small.build(
    small.supervised(
      interventions=(
        'continual_backprop(rate=0.5, maturity=0, when="eval/return < 0", '
        'max_times=3)',
      )
    )
  )
  folder = run(experiment, tmp_path / 'run')
  assert [e['step'] for e in events(folder)] == [5, 10, 15]
  own = small.saved(experiment, folder, 20).interventions['continual_backprop']
  ages = np.concatenate(
    [np.ravel(layer.age) for layer in own['classifier'].values()]
  )
  assert 0 < ages.max() <= 3


def test_a_single_seed_may_grow(tmp_path):
  experiment = small.build(
    small.supervised(
      **{
        'num_seeds': 1,
        'interventions': ('injection(when="eval/return < 0", max_times=2)',),
      }
    )
  )
  folder = run(experiment, tmp_path / 'run')
  assert [e['step'] for e in events(folder)] == [5, 10]
  head = small.saved(experiment, folder, 20).nets['classifier'].params['head']
  assert head.signs.shape == (1, 4)


@pytest.mark.parametrize(
  'changes, message',
  (
    (
      {'interventions': ('injection(when="eval/return < 0")',)},
      'network.slots',
    ),
    (
      {'interventions': ('reset(when="eval/retrun < 0")',)},
      "did you mean 'eval/return'",
    ),
    (
      {
        'interventions': ('injection(when="eval/return < 0", max_times=3)',),
        'network.slots': 2,
      },
      'may happen 3 times, but network.slots is 2',
    ),
  ),
)
def test_bad_criteria_are_refused(changes, message):
  with pytest.raises(UserError, match=message):
    runner.check(experiment_lib.build(small.supervised(**changes)))


@pytest.mark.slow
def test_an_arm_that_goes_on_happening(tmp_path):
  plan = diagnosis.plan(
    small.supervised(
      **{
        'fork.arms': (
          'control',
          'often=reset(every_updates=1, scope="everything")',
          'late=reset(every_steps=5)',
        )
      }
    )
  )
  diagnosis.run(plan, tmp_path)
  arms = tmp_path / 'arms'
  facts = json.loads((arms / 'often' / 'fork.json').read_text())
  assert facts['intervention'] == "reset(scope='everything', every_updates=1)"
  assert facts['at_fork']['largest_output_change'] == [0, 0]
  often = small.saved(plan.arm_experiments['often'], arms / 'often', 30)
  net = often.nets['classifier']
  small.assert_equal(net.initial, net.params)
  assert [e['step'] for e in events(arms / 'late')] == [25]
  assert not events(arms / 'control')
