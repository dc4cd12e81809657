"""Which weights are a unit's, and what becomes of them and their moments."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.stats

from plasticity_rl import injection
from plasticity_rl.layers import put_path
from plasticity_rl.measures.units import dormancy_scores
from plasticity_rl.measures.units import unit_activity
from plasticity_rl.methods import units
from plasticity_rl.methods.moments import COUNT
from plasticity_rl.methods.moments import reset_moments
from plasticity_rl.methods.recycle import move_into_biases
from plasticity_rl.methods.recycle import recycle
from tests.interventions import nets

each_kind = pytest.mark.parametrize('kind', nets.SHAPES)
KEY = jax.random.PRNGKey(3)


def assert_equal(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def recycled(net, state, chosen, count, key=KEY):
  return recycle(
    key, state, net.layers, chosen, init=net.network.init, count=count
  )


def assert_equal_but(drawn, x, wanted):
  """To the bit, but for draws, which a compiler may round differently."""
  np.testing.assert_array_equal(x[~drawn], wanted[~drawn])
  np.testing.assert_allclose(x[drawn], wanted[drawn], rtol=1e-4, atol=1e-7)


@each_kind
def test_incoming_and_outgoing_weights(kind):
  net = nets.agent(kind).spec.nets['q']
  chosen = nets.masks(kind)
  found = units.weights_of(
    net.layers,
    net.network.init(KEY),
    {name: jnp.array(m) for name, m in chosen.items()},
  )
  for tree, wanted in zip(found, nets.weight_masks(kind, chosen), strict=True):
    assert_equal(nets.weights(net, tree), wanted)
    assert any(m.any() for m in jax.tree.leaves(wanted))


def test_a_channel_feeds_every_position_of_the_flattened_image():
  """What the outputs of a network say, rather than its layout."""
  net = nets.agent('conv').spec.nets['q']
  params = net.network.init(KEY)
  features = net.network.apply(params, nets.batch('conv').s_tm1).layers
  for hidden in units.hidden_layers(net.layers):
    if hidden.name != 'conv_1':
      continue
    mask = jnp.arange(4) == 2
    weights = units.weights_of(net.layers, params, {'conv_1': mask})
    w = params['head']['dense_2']['w']
    kept = jnp.where(weights.outgoing['head']['dense_2']['w'], 0, w)
    h = features['conv_1']
    np.testing.assert_allclose(
      h.reshape(len(h), -1) @ kept,
      (h * ~mask).reshape(len(h), -1) @ w,
      atol=1e-6,
    )
    assert not np.array_equal(w, kept)


def test_hidden_layers_are_those_that_feed_another():
  net = nets.agent('conv').spec.nets['q']
  assert [h.name for h in units.hidden_layers(net.layers)] == [
    'conv_0',
    'conv_1',
    'dense_2',
  ]
  assert [h.followers[0].name for h in units.hidden_layers(net.layers)] == [
    'conv_1',
    'dense_2',
    'dense_3',
  ]


@pytest.mark.parametrize(
  'history, free',
  [
    ('fresh', True),
    ('injected', False),
    ('closed', True),
    ('open', False),
    ('thawed', False),
    ('summed', False),
  ],
)
@each_kind
def test_the_layer_that_feeds_other_heads_is_left_alone(kind, history, free):
  params = nets.state(kind, history).nets['q'].params
  net = nets.agent(kind).spec.nets['q']
  for hidden in units.hidden_layers(net.layers):
    last = hidden.name == nets.LAST_OF_ENCODER[kind]
    assert units.may_recycle(params, hidden) == (free or not last)


def test_unit_activity_by_hand():
  h = jnp.array([[[1.0, 0.0], [3.0, -2.0]], [[0.0, 0.0], [4.0, 2.0]]])
  np.testing.assert_allclose(unit_activity(h), [2.0, 1.0])
  np.testing.assert_allclose(dormancy_scores(h), [4 / 3, 2 / 3], rtol=1e-6)
  np.testing.assert_array_equal(dormancy_scores(0 * h), [0, 0])


@each_kind
def test_outgoing_magnitude_by_hand(kind):
  net = nets.agent(kind).spec.nets['q']
  params = net.network.init(KEY)
  weights = nets.weights(net, params)
  for hidden in units.hidden_layers(net.layers):
    found = units.outgoing_magnitude(hidden, params)
    width = weights[hidden.name]['b'].shape[0]
    assert found.shape == (width,)
    for unit in range(width):
      only = {hidden.name: np.arange(width) == unit}
      out = nets.weight_masks(kind, only)[1][hidden.followers[0].name]['w']
      wanted = np.abs(weights[hidden.followers[0].name]['w'][out]).sum()
      np.testing.assert_allclose(found[unit], wanted, rtol=1e-5)


@each_kind
def test_bias_transfer_is_exact_on_constant_units(kind):
  """Units that say the same to every input go, and nobody notices."""
  made = nets.agent(kind)
  net = made.spec.nets['q']
  planted = nets.plant(nets.state(kind), kind).nets['q']
  chosen = nets.masks(kind)
  for params in (planted.params, planted.target):
    constant = params
    for hidden in units.hidden_layers(net.layers):  # Dead units speak up.
      layer = constant[hidden.layer.path[0]][hidden.layer.path[1]]
      b = jnp.where(chosen[hidden.name], 0.7, layer['b'])
      constant = put_path(constant, (*hidden.layer.path, 'b'), b)
    means = {n: jnp.full(m.shape, 0.7) for n, m in chosen.items()}
    before = nets.predict(made, constant, kind).outputs
    moved = move_into_biases(net.layers, constant, chosen, means)
    out = units.weights_of(net.layers, moved, chosen).outgoing
    moved = jax.tree.map(lambda m, p: jnp.where(m, 0, p), out, moved)
    after = nets.predict(made, moved, kind).outputs
    np.testing.assert_allclose(after, before, rtol=1e-5)
    silenced = jax.tree.map(lambda m, p: jnp.where(m, 0, p), out, constant)
    other = nets.predict(made, silenced, kind).outputs
    assert np.abs(other - before).max() > 0.1


@pytest.mark.parametrize('count', COUNT)
@pytest.mark.parametrize('history', ['fresh', 'injected', 'open'])
@each_kind
def test_recycling_changes_the_units_weights_and_nothing_else(
  kind, history, count
):
  net = nets.agent(kind).spec.nets['q']
  before = nets.state(kind, history).nets['q']
  # A head's layer and one of the encoder, next to each other.
  names = {
    'fresh': list(nets.DEAD[kind])[1:],
    'injected': list(nets.DEAD[kind])[:1],
    'open': list(nets.DEAD[kind])[2:],
  }[history]
  chosen = nets.masks(kind, names)
  after = recycled(net, before, chosen, count)
  incoming, outgoing = nets.weight_masks(kind, chosen)
  fresh = nets.weights(net, net.network.init(KEY))
  for old, new in (
    (before.params, after.params),
    (before.target, after.target),
  ):
    assert jax.tree.structure(old) == jax.tree.structure(new)
    if history != 'fresh':
      assert_equal(
        (new['head'].frozen, new['head'].signs),
        (old['head'].frozen, old['head'].signs),
      )
    old, new = nets.weights(net, old), nets.weights(net, new)
    for name, layer in new.items():
      for k, x in layer.items():
        wanted = np.where(incoming[name][k], fresh[name][k], old[name][k])
        wanted = np.where(outgoing[name][k], 0, wanted)
        assert_equal_but(incoming[name][k], x, wanted)
  # Where they started from is where they are now.
  old, new = (nets.weights(net, s.initial) for s in (before, after))
  for name, layer in new.items():
    for k, x in layer.items():
      assert_equal_but(
        incoming[name][k],
        x,
        np.where(incoming[name][k], fresh[name][k], old[name][k]),
      )
  check_moments(net, before, after, incoming, outgoing, count)


def adam_of(opt_state):
  """The state of Adam, wherever it is."""

  def is_adam(x):
    return isinstance(x, optax.ScaleByAdamState)

  return next(filter(is_adam, jax.tree.leaves(opt_state, is_leaf=is_adam)))


def check_moments(net, before, after, incoming, outgoing, count):
  """Adam's: zero for the weights of units, what they were elsewhere."""
  assert jax.tree.structure(before.opt_state) == jax.tree.structure(
    after.opt_state
  )
  for part in ('encoder', 'head'):
    old, adam = (adam_of(s.opt_state[part]) for s in (before, after))
    hit = False
    for layer in net.layers:
      if layer.path[0] != part:
        continue
      name = layer.name
      for moments, were in ((adam.mu, old.mu), (adam.nu, old.nu)):
        moments, were = (getattr(m, 'trainable', m) for m in (moments, were))
        for k in 'wb':
          mask = incoming[name][k] | outgoing[name][k]
          hit |= mask.any()
          np.testing.assert_array_equal(
            moments[name][k], np.where(mask, 0, were[name][k])
          )
          assert np.all(were[name][k])
    assert old.count == 7
    assert adam.count == (0 if hit and count == 'reset' else 7)
  assert_equal(after.opt_state['after'], before.opt_state['after'])


OPTIMIZERS = {
  'single-group': optax.adam(0.1),
  'rmsprop': optax.rmsprop(0.1, centered=True),
  'momentum-before': injection.grouped(
    optax.scale_by_adam(), before=optax.trace(0.9)
  ),
  'labelled': optax.partition(
    {'a': optax.adam(0.1), 'b': optax.rmsprop(0.1)},
    {'encoder': 'a', 'head': 'b'},
  ),
}


@pytest.mark.parametrize('name', OPTIMIZERS)
def test_moments_of_any_optimizer_are_found(name):
  net = nets.agent('conv').spec.nets['q']
  params = net.network.init(KEY)
  opt_state = jax.tree.map(jnp.ones_like, OPTIMIZERS[name].init(params))
  chosen = nets.masks('conv')
  mask = units.weights_of(net.layers, params, chosen).either
  new = reset_moments(opt_state, mask, count='keep')
  zeros = sum(int((x == 0).sum()) for x in jax.tree.leaves(new))
  hit = sum(int(m.sum()) for m in jax.tree.leaves(mask))
  by_part = {
    part: sum(int(m.sum()) for m in jax.tree.leaves(mask[part]))
    for part in mask
  }
  assert (
    zeros
    == {
      'single-group': 2 * hit,
      'rmsprop': 2 * hit,
      'momentum-before': 3 * hit,
      'labelled': 2 * by_part['encoder'] + by_part['head'],
    }[name]
  )


def test_thawed_heads_keep_their_moments():
  before = nets.state('mlp', 'thawed').nets['q']
  net = nets.agent('mlp').spec.nets['q']
  after = recycled(net, before, nets.masks('mlp', ['dense_2']), 'keep')
  kept = 0
  for (path, old), new in zip(
    jax.tree_util.tree_leaves_with_path(before.opt_state),
    jax.tree.leaves(after.opt_state),
    strict=True,
  ):
    if any(getattr(k, 'name', None) == 'thawed' for k in path):
      np.testing.assert_array_equal(old, new)
      kept += 1
  assert kept == 8
  assert_equal(after.params['head'].thawed, before.params['head'].thawed)


@each_kind
def test_incoming_weights_are_draws_of_their_own_layers_initialiser(kind):
  made = nets.agent(kind)
  net = made.spec.nets['q']
  before = nets.state(kind).nets['q']

  masks = nets.masks(kind)

  @jax.jit
  @jax.vmap
  def draw(key, other):
    drawn = [
      recycled(net, before, {name: m}, 'keep', key).params
      for name, m in masks.items()
    ]
    return drawn, net.network.init(other)

  drawn, initial = draw(*jax.random.split(KEY, (2, 200)))
  initial = nets.weights(net, initial)
  for (name, mask), params in zip(masks.items(), drawn, strict=True):
    found = nets.weights(net, params)[name]
    sample = found['w'][..., mask].ravel()
    assert (
      scipy.stats.ks_2samp(sample, initial[name]['w'].ravel()).pvalue > 1e-3
    )
    assert len(np.unique(sample)) > 0.99 * sample.size
    np.testing.assert_array_equal(found['b'][..., mask], 0)
