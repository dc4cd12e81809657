"""ReGraMa: units are chosen by their gradients and recycled as by ReDo."""

import jax
import numpy as np
import pytest

from plasticity_rl.measures.gradients import gradient_scores
from tests.interventions import nets

each_kind = pytest.mark.parametrize('kind', nets.SHAPES)


@each_kind
def test_dead_units_are_recycled_as_by_redo(kind):
  """Behind a ReLU the dead are those without gradient; the rest is ReDo's."""
  made = nets.agent(kind)
  before = nets.plant(nets.state(kind), kind)
  after = nets.apply('regrama(tau=0)', made, before, kind).nets['q']
  chosen = nets.masks(kind)
  net = made.spec.nets['q']
  new = nets.weights(net, after.params)
  old = nets.weights(net, before.nets['q'].params)
  incoming, outgoing = nets.weight_masks(kind, chosen)
  for name in new:
    assert np.all(new[name]['b'][incoming[name]['b']] == 0)
    assert np.all(new[name]['w'][outgoing[name]['w']] == 0)
    kept = ~(incoming[name]['w'] | outgoing[name]['w'])
    np.testing.assert_array_equal(new[name]['w'][kept], old[name]['w'][kept])
  np.testing.assert_array_equal(
    nets.predict(made, after.params, kind).outputs,
    nets.predict(made, before.nets['q'].params, kind).outputs,
  )


@each_kind
def test_the_threshold_is_of_the_gradients_score_and_included(kind):
  made = nets.agent(kind)
  before = nets.state(kind)
  by_layer = nets.gradient(made, before, kind)
  hidden = list(nets.DEAD[kind])
  scores = {n: np.asarray(gradient_scores(by_layer[n]['w'])) for n in hidden}
  tau = float(np.sort(scores[hidden[0]])[1]) * (1 + 1e-5)
  after = nets.apply(f'regrama(tau={tau!r})', made, before, kind).nets['q']
  new = nets.weights(made.spec.nets['q'], after.params)
  for name, score in scores.items():
    np.testing.assert_array_equal(new[name]['b'] == 0, score <= tau)
  assert (scores[hidden[0]] <= tau).sum() == 2


def test_scores_are_of_the_batch():
  """A unit that one batch leaves without gradient is so by that batch."""
  made = nets.agent('mlp')
  before = nets.state('mlp')
  other = nets.apply('regrama(tau=0)', made, before, 'mlp')
  jax.tree.map(np.testing.assert_array_equal, other.nets, before.nets)
  after, _ = nets.calls(
    'regrama(tau=0)',
    made,
    before,
    'mlp',
    inputs=np.full_like(nets.batch('mlp').s_tm1, -50),
  )
  net = made.spec.nets['q']
  biases = nets.weights(net, after.nets['q'].params)['dense_0']['b']
  assert np.any(biases == 0)
