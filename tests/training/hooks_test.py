"""Interventions with a state of their own, inside the compiled loop."""

import jax
import numpy as np
import pytest

from plasticity_rl import injection
from tests.training import small
from tests.training.small import run

EVERY_KIND = (
  'continual_backprop(every_updates=1, rate=0.1, maturity=2)',
  'self_normalized_resets(every_updates=1, eta=0.3)',
  'redo(every_updates=4, tau=0.2)',
  'regrama(every_updates=4, tau=0.2)',
  'continuous_partial_resets(every_updates=1, period=3, rate=0.1)',
  'selective_weight_reinitialization(every_updates=5, factor=0.02)',
  'fire(every_updates=9, optimizer="keep")',
  'hare_and_tortoise(every_updates=1, period=3, momentum=0.5)',
  'normalize_and_project(every_updates=2)',
  'weight_clipping(every_updates=1, kappa=1.5)',
  'reset(every_updates=5, scope="random", fraction=0.1)',
  'shrink_and_perturb(every_updates=3, shrink=0.9, perturb=0.1, '
  'optimizer="keep")',
)


@pytest.mark.parametrize(
  'make, half, whole',
  (
    (small.supervised, 10, 20),
    (small.dqn, 40, 80),
  ),
)
def test_resumes_to_the_bit(make, half, whole, tmp_path):
  experiment = small.build(make(interventions=EVERY_KIND))
  one = run(experiment, tmp_path / 'one')
  part = run(experiment, tmp_path / 'part', num_steps=half)
  (part / 'ledger.json').unlink()
  run(experiment, part)
  state = small.saved(experiment, one, whole)
  small.assert_equal(small.saved(experiment, part, whole), state)
  assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(state.nets))
  # Each seed has its own, and units were replaced after others had aged.
  own = state.interventions['continual_backprop']
  (mine,) = own.values()
  ages = np.asarray(mine['dense_0'].age)
  assert ages.shape == (2, 8)
  assert len(np.unique(ages)) > 2 and ages.max() > 3
  assert not np.array_equal(*np.asarray(mine['dense_0'].utility))
  (calls,) = {
    tuple(np.asarray(x['calls']))
    for x in state.interventions['hare_and_tortoise'].values()
  }
  assert calls == (state.counters.updates,) * 2


def test_weights_stay_within_their_bounds_all_along():
  experiment = small.build(
    small.supervised(
      **{
        'interventions': ('weight_clipping(every_updates=1, kappa=0.5)',),
        'optimizer.learning_rate': 0.1,
      }
    )
  )
  state, _ = experiment.trainer.segment(experiment.init())
  layers = experiment.agent.spec.nets['classifier'].layers
  plain = injection.trainable(state.nets['classifier'].params)
  for layer in layers:
    tree = plain[layer.path[0]][layer.path[1]]
    bound = 0.5 / np.sqrt(tree['w'].shape[1])
    assert max(np.abs(x).max() for x in tree.values()) <= bound + 1e-6
    assert np.abs(tree['w']).max() >= bound - 1e-6


def test_norms_stay_what_they_were_all_along():
  experiment = small.build(
    small.supervised(
      **{
        'interventions': ('normalize_and_project(every_updates=1)',),
        'optimizer.learning_rate': 0.1,
      }
    )
  )
  before = experiment.init()
  old = jax.tree.map(np.asarray, before.nets['classifier'].params)
  after, _ = experiment.trainer.segment(before)
  new = after.nets['classifier'].params
  for part, name in (('encoder', 'dense_0'), ('head', 'dense_1')):
    w, was = np.asarray(new[part][name]['w']), old[part][name]['w']
    np.testing.assert_allclose(
      np.linalg.norm(w, axis=(1, 2)),
      np.linalg.norm(was, axis=(1, 2)),
      rtol=1e-5,
    )
    assert not np.allclose(w, was, rtol=0.01)


def test_own_states_between_segments_are_saved_and_resumed(tmp_path):
  """The first of these events adds the state; half of them come after."""
  experiment = small.build(
    small.supervised(
      interventions=(
        'hare_and_tortoise(every_steps=5, period=2, momentum=0.5)',
        'continual_backprop(every_steps=5, rate=0.5, maturity=0)',
      )
    )
  )
  one = run(experiment, tmp_path / 'one')
  part = run(experiment, tmp_path / 'part', num_steps=10)
  (part / 'ledger.json').unlink()
  run(experiment, part)
  state = small.saved(experiment, one, 20)
  small.assert_equal(small.saved(experiment, part, 20), state)
  own = state.interventions['hare_and_tortoise']['classifier']
  np.testing.assert_array_equal(own['calls'], 3)
