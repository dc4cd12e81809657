"""Continual backprop: its numbers by hand, and what a replacement leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.layers import put_path
from plasticity_rl.methods import continual_backprop as cbp
from plasticity_rl.methods import units
from tests.interventions import nets

each_kind = pytest.mark.parametrize('kind', nets.SHAPES)
# One of each layer of 'conv' is replaced at the first call.
ONE_EACH = 'continual_backprop(rate=0.25, maturity=0)'


def numpy_statistics(kind, params, inputs):
  """({layer: mean |h| sum |w_out|}, {layer: mean h}), unit by unit."""
  made = nets.agent(kind)
  net = made.spec.nets['q']
  layers = nets.predict(made, params, kind, inputs).layers
  weights = nets.weights(net, params)
  utility, mean = {}, {}
  for hidden in units.hidden_layers(net.layers):
    h = np.asarray(layers[hidden.name], np.float64)
    h = h.reshape(-1, h.shape[-1])
    mean[hidden.name] = h.mean(0)
    out = []
    for unit in range(h.shape[1]):
      only = {hidden.name: np.arange(h.shape[1]) == unit}
      mask = nets.weight_masks(kind, only)[1][hidden.followers[0].name]['w']
      out.append(np.abs(weights[hidden.followers[0].name]['w'][mask]).sum())
    utility[hidden.name] = np.abs(h).mean(0) * np.array(out)
  return utility, mean


@each_kind
def test_utilities_are_averages_by_hand(kind):
  made = nets.agent(kind)
  state = nets.state(kind)
  own, wanted = None, {}
  shape = (nets.BATCH, *nets.SHAPES[kind])
  text = 'continual_backprop(rate=0, decay=0.9)'
  for i in range(3):
    inputs = np.random.default_rng(i).standard_normal(shape, np.float32)
    state, own = nets.calls(text, made, state, kind, own=own, inputs=inputs)
    utility, mean = numpy_statistics(kind, state.nets['q'].params, inputs)
    for name in utility:
      u, f = wanted.get(name, (0, 0))
      wanted[name] = (0.9 * u + 0.1 * utility[name], 0.9 * f + 0.1 * mean[name])
  for name, (u, f) in wanted.items():
    mine = own['q'][name]
    np.testing.assert_allclose(mine.utility, u, rtol=1e-4)
    np.testing.assert_allclose(mine.mean, f, rtol=1e-4)
    np.testing.assert_array_equal(mine.age, 3)


def test_averages_are_corrected_for_their_age():
  """What never changes is told exactly at any age."""
  own = cbp.Statistics(
    utility=jnp.zeros(2),
    mean=jnp.zeros(2),
    age=jnp.array([0, 0]),
    due=jnp.zeros([]),
    drawn=jnp.zeros(2),
  )
  for age in range(1, 4):
    own = cbp.observe(
      own,
      contribution=jnp.array([2.0, 5.0]),
      mean=jnp.array([-1.0, 3.0]),
      decay=0.99,
    )
    utility, mean = cbp.corrected(own, 0.99)
    np.testing.assert_array_equal(own.age, age)
    np.testing.assert_allclose(utility, [2, 5], rtol=1e-4)
    np.testing.assert_allclose(mean, [-1, 3], rtol=1e-4)
  np.testing.assert_allclose(
    own.utility, [2 * (1 - 0.99**3), 5 * (1 - 0.99**3)], rtol=1e-4
  )


def test_a_young_unit_is_not_taken_for_a_useless_one():
  """At age 2 it is worth more than its uncorrected average says."""
  own = cbp.Statistics(
    utility=jnp.array([0.0, 1.0]),
    mean=jnp.zeros(2),
    age=jnp.array([1, 1000]),
    due=jnp.array(0.5),
    drawn=jnp.zeros(2),
  )
  own = cbp.observe(
    own, contribution=jnp.array([4.0, 1.0]), mean=jnp.zeros(2), decay=0.99
  )
  utility, _ = cbp.corrected(own, 0.99)
  chosen, _ = cbp.choose(utility, jnp.array([True, True]), own.due, 0.25)
  np.testing.assert_array_equal(chosen, [False, True])


def test_the_least_useful_mature_units_are_chosen():
  utility = jnp.array([5.0, 0.1, 3.0, 2.0, 4.0])
  eligible = jnp.array([True, False, True, True, True])
  chosen, due = cbp.choose(utility, eligible, jnp.array(0.25), 0.5)
  np.testing.assert_array_equal(chosen, [False, False, True, True, False])
  np.testing.assert_allclose(due, 0.25)
  chosen, due = cbp.choose(utility, ~eligible, jnp.array(0.25), 0.5)
  np.testing.assert_array_equal(chosen, [False] * 5)
  np.testing.assert_allclose(due, 0.75)
  chosen, due = cbp.choose(utility, eligible, jnp.array(0.0), 1)
  np.testing.assert_array_equal(chosen, eligible)
  np.testing.assert_allclose(due, 0)


def test_fractions_are_accumulated():
  due, replaced = jnp.zeros([]), []
  for _ in range(7):  # .3 x 2 mature units
    chosen, due = cbp.choose(
      jnp.arange(3.0), jnp.array([True, True, False]), due, 0.3
    )
    replaced.append(int(chosen.sum()))
  assert replaced == [0, 1, 0, 1, 1, 0, 1]
  np.testing.assert_allclose(due, 0.2, atol=1e-5)


def test_units_are_safe_until_they_are_mature():
  made = nets.agent('mlp')
  text = 'continual_backprop(rate=1, maturity=3)'
  state, own = nets.calls(text, made, nets.state('mlp'), 'mlp', times=3)
  jax.tree.map(
    np.testing.assert_array_equal, state.nets, nets.state('mlp').nets
  )
  state, own = nets.calls(text, made, state, 'mlp', own=own)
  for mine in own['q'].values():
    for k in ('age', 'utility', 'mean'):
      np.testing.assert_array_equal(getattr(mine, k), 0)


@pytest.mark.parametrize(
  'kind, text',
  [
    ('mlp', 'continual_backprop(rate=0.05, maturity=0)'),
    ('conv', ONE_EACH),
  ],
)
def test_constant_units_are_replaced_without_a_trace(kind, text):
  """The least useful of each layer says .7 to everything: a bias."""
  made = nets.agent(kind)
  net = made.spec.nets['q']
  chosen = {
    name: np.arange(m.size) == 1
    for name, m in nets.masks(kind).items()
    if kind == 'conv' or name == 'dense_0'
  }
  incoming, outgoing = nets.weight_masks(kind, chosen)
  q = nets.state(kind).nets['q']

  def constant(params):
    for layer in net.layers:
      tree = params[layer.path[0]][layer.path[1]]
      w = np.where(incoming[layer.name]['w'], 0, tree['w'])
      w = np.where(outgoing[layer.name]['w'], 0.1 * w, w)
      b = np.where(incoming[layer.name]['b'], 0.7, tree['b'])
      params = put_path(params, layer.path, {'w': w, 'b': b})
    return params

  before = nets.state(kind)._replace(
    nets={'q': q._replace(params=constant(q.params), target=constant(q.target))}
  )
  after = nets.apply(text, made, before, kind)
  for old, new in zip(before.nets['q'][:2], after.nets['q'][:2], strict=True):
    np.testing.assert_allclose(
      nets.predict(made, new, kind).outputs,
      nets.predict(made, old, kind).outputs,
      rtol=2e-5,
    )
    old, new = nets.weights(net, old), nets.weights(net, new)
    for name in new:
      np.testing.assert_array_equal(
        new[name]['w'] != old[name]['w'],
        (incoming[name]['w'] | outgoing[name]['w'])
        & ((old[name]['w'] != 0) | (new[name]['w'] != 0)),
      )
      # Nothing else moves, but the biases of what they fed.
      moved = outgoing[name]['w'].any()
      changed = new[name]['b'] != old[name]['b']
      assert np.all(changed >= incoming[name]['b'])
      assert np.all(changed[~incoming[name]['b']] == moved)


def test_replaced_units_are_the_lowest_by_hand():
  made = nets.agent('mlp')
  before = nets.state('mlp')
  after, own = nets.calls(
    'continual_backprop(rate=0.2, maturity=0)', made, before, 'mlp'
  )
  utility, _ = numpy_statistics(
    'mlp', before.nets['q'].params, nets.batch('mlp').s_tm1
  )
  for name, number in (('dense_0', 4), ('dense_1', 1), ('dense_2', 1)):
    np.testing.assert_array_equal(
      np.sort(np.argsort(utility[name])[:number]),
      np.flatnonzero(own['q'][name].age == 0),
    )
  np.testing.assert_allclose(own['q']['dense_1'].due, 0.2, atol=1e-5)


def test_what_another_intervention_draws_again_is_new():
  made = nets.agent('mlp')
  text = 'continual_backprop(rate=0)'
  state, own = nets.calls(text, made, nets.state('mlp'), 'mlp', times=4)
  state = nets.apply('injection', made, state, 'mlp')
  state, own = nets.calls(text, made, state, 'mlp', own=own)
  np.testing.assert_array_equal(own['q']['dense_0'].age, 5)
  np.testing.assert_array_equal(own['q']['dense_2'].age, 1)
  # And goes on from there.
  state, own = nets.calls(text, made, state, 'mlp', own=own)
  np.testing.assert_array_equal(own['q']['dense_2'].age, 2)


def test_units_replaced_by_itself_are_one_call_old_afterwards():
  made = nets.agent('mlp')
  text = 'continual_backprop(rate=0.2, maturity=0)'
  state, own = nets.calls(text, made, nets.state('mlp'), 'mlp')
  new = np.asarray(own['q']['dense_0'].age) == 0
  _, own = nets.calls('continual_backprop(rate=0)', made, state, 'mlp', own=own)
  np.testing.assert_array_equal(own['q']['dense_0'].age, np.where(new, 1, 2))


def test_compiled_calls_over_seeds_are_those_of_each():
  """One seed replaces at a call at which another does not."""
  made = nets.agent('mlp')
  text = 'continual_backprop(rate=0.02, maturity=0)'
  states = [nets.state('mlp', seed=s) for s in range(2)]
  owns = [nets.calls(text, made, s, 'mlp')[1] for s in states]
  mine = owns[1]['q']
  mine['dense_0'] = mine['dense_0']._replace(due=jnp.array(0.7))
  single = [
    nets.calls(text, made, s, 'mlp', own=o)
    for s, o in zip(states, owns, strict=True)
  ]

  def stack(trees):
    return jax.tree.map(lambda *x: jnp.stack(x), *trees)

  both = jax.jit(
    jax.vmap(
      lambda n, o: nets.calls(
        text, made, states[0]._replace(nets=n), 'mlp', own=o
      )
    )
  )(stack([s.nets for s in states]), stack(owns))
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    (both[0].nets, both[1]),
    (stack([s.nets for s, _ in single]), stack([o for _, o in single])),
  )
  ages = both[1]['q']['dense_0'].age
  assert np.all(ages[0] == 2) and np.any(ages[1] == 0)
