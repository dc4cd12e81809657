"""ReDo: exactly dead units are recycled without a trace in the outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.measures.units import dormancy_scores
from plasticity_rl.measures.units import unit_activity
from tests.interventions import nets

each_kind = pytest.mark.parametrize('kind', nets.SHAPES)


def agent_of(kind, history):
  return nets.agent(kind, 1 if history in ('closed', 'open') else 0)


def recycled(kind, history, text='redo(tau=0)'):
  """(agent, before, after), with planted dead units and no other."""
  made = agent_of(kind, history)
  before = nets.plant(nets.state(kind, history), kind)
  after = nets.apply(text, made, before, kind)
  return made, before.nets['q'], after.nets['q']


@pytest.mark.parametrize('history', ['fresh', 'injected', 'closed', 'open'])
@each_kind
def test_dead_units_are_recycled_and_outputs_stay(kind, history):
  made, before, after = recycled(kind, history)
  net = made.spec.nets['q']
  names = list(nets.DEAD[kind])
  if history in ('injected', 'open'):
    names.remove(nets.LAST_OF_ENCODER[kind])
  chosen = nets.masks(kind, names)
  incoming, outgoing = nets.weight_masks(kind, chosen)
  for old, new in (
    (before.params, after.params),
    (before.target, after.target),
  ):
    np.testing.assert_array_equal(
      nets.predict(made, new, kind).outputs,
      nets.predict(made, old, kind).outputs,
    )
    old, new = nets.weights(net, old), nets.weights(net, new)
    for name in new:
      for k in 'wb':
        touched = incoming[name][k] | outgoing[name][k]
        np.testing.assert_array_equal(
          np.where(touched, 0, new[name][k]),
          np.where(touched, 0, old[name][k]),
        )
        # Dead weights were zero (biases -0.5), live ones are not.
        drawn = incoming[name][k] & ~outgoing[name][k]
        assert np.all(new[name]['w'][drawn] if k == 'w' else True)
      assert np.all(new[name]['b'][incoming[name]['b']] == 0)
      assert np.all(new[name]['w'][outgoing[name]['w']] == 0)
  online, target = (nets.weights(net, p) for p in (after.params, after.target))
  for name in online:
    np.testing.assert_array_equal(
      online[name]['w'][incoming[name]['w']],
      target[name]['w'][incoming[name]['w']],
    )


@each_kind
def test_recycled_units_live(kind):
  made, before, after = recycled(kind, 'fresh')
  for old, new in (
    (before.params, after.params),
    (before.target, after.target),
  ):
    for name in nets.masks(kind):
      old_h, new_h = (
        nets.predict(made, p, kind).layers[name] for p in (old, new)
      )
      mask = nets.masks(kind)[name]
      assert not np.any(unit_activity(old_h)[mask])
      if name == list(nets.DEAD[kind])[0]:  # Later ones may be fed zeros.
        assert np.any(unit_activity(new_h)[mask])


@pytest.mark.parametrize('history', ['fresh', 'injected', 'open'])
def test_below_zero_nothing_happens(history):
  _, before, after = recycled('conv', history, 'redo(tau=-1e-6)')
  jax.tree.map(np.testing.assert_array_equal, before, after)


def test_the_threshold_is_the_papers_score_and_included():
  made = nets.agent('mlp')
  before = nets.state('mlp')
  q = before.nets['q']
  h = nets.predict(made, q.params, 'mlp').layers
  scores = {n: np.asarray(dormancy_scores(h[n])) for n in nets.DEAD['mlp']}
  tau = float(np.sort(scores['dense_0'])[3])
  after = nets.apply(f'redo(tau={tau!r})', made, before, 'mlp').nets['q']
  old, new = (
    nets.weights(made.spec.nets['q'], p) for p in (q.params, after.params)
  )
  for name, score in scores.items():
    np.testing.assert_array_equal(new[name]['b'] == 0, score <= tau)
    assert np.all(old[name]['b'])
  assert (scores['dense_0'] <= tau).sum() == 4


def test_scores_are_of_the_probe_batch():
  """A unit that one batch leaves silent is dormant by that batch alone."""
  made = nets.agent('mlp')
  before = nets.state('mlp')
  inputs = nets.batch('mlp').s_tm1
  silent = np.full_like(inputs, -50)
  after, _ = nets.calls('redo(tau=0)', made, before, 'mlp', inputs=silent)
  other = nets.apply('redo(tau=0)', made, before, 'mlp')
  net = made.spec.nets['q']
  assert np.any(nets.weights(net, after.nets['q'].params)['dense_0']['b'] == 0)
  assert np.all(nets.weights(net, other.nets['q'].params)['dense_0']['b'])


def test_slots_seed_by_seed():
  """The layer before the head is recycled where no slot is open."""
  made = nets.agent('mlp', 1)
  both = [
    nets.plant(nets.state('mlp', h), 'mlp').nets for h in ('closed', 'open')
  ]
  stacked = jax.tree.map(lambda *x: np.stack(x), *both)
  template = nets.state('mlp', 'closed')
  after = jax.vmap(
    lambda n: (
      nets.apply('redo(tau=0)', made, template._replace(nets=n), 'mlp').nets
    )
  )(stacked)
  net = made.spec.nets['q']
  mask = nets.masks('mlp')['dense_1']
  old, new = (
    nets.weights(net, n['q'].params)['dense_1'] for n in (stacked, after)
  )
  assert np.all(new['b'][0, mask] == 0)
  np.testing.assert_array_equal(new['b'][1], old['b'][1])
  np.testing.assert_array_equal(new['w'][1, :, mask], 0)
  first = nets.masks('mlp')['dense_0']
  biases = nets.weights(net, after['q'].params)['dense_0']['b']
  assert np.all(biases[:, first] == 0)


@pytest.mark.parametrize(
  'count, low, high',
  [
    ('reset', 0.9, 1.01),
    ('keep', 2.5, 4.0),
  ],
)
def test_first_step_of_recycled_weights(count, low, high):
  """A fresh Adam's is the learning rate; a stale count makes it 3 times."""
  made = nets.agent('mlp', learning_rate=0.01, eps=1e-12)
  before = nets.plant(nets.state('mlp'), 'mlp', ['dense_2'])
  q = before.nets['q']
  opt_state = jax.tree.map(
    lambda x: np.full(x.shape, 10**6, x.dtype) if x.shape == () else x,
    q.opt_state,
  )
  before = before._replace(nets={'q': q._replace(opt_state=opt_state)})
  after = nets.apply(f'redo(tau=0, count={count!r})', made, before, 'mlp')
  nets_after, _ = made.update(
    jax.random.PRNGKey(0), after.nets, nets.batch('mlp'), 0
  )
  net = made.spec.nets['q']
  mask = nets.masks('mlp')['dense_2']
  old, new = (
    nets.weights(net, n['q'].params)['dense_3']['w'][mask]
    for n in (after.nets, nets_after)
  )
  step = np.abs(new - old).max() / 0.01
  assert low < step < high


def test_frozen_heads_stay():
  _, before, after = recycled('conv', 'injected', 'redo(tau=1e9)')
  head, old = after.params['head'], before.params['head']
  assert isinstance(head, injection.InjectedHead)
  jax.tree.map(
    np.testing.assert_array_equal,
    (head.frozen, head.signs),
    (old.frozen, old.signs),
  )
  assert jnp.all(head.trainable['dense_3']['w'] == 0)
