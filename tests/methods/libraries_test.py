"""Methods on a network of one's own, in the trees that libraries make."""

import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.core import freeze

import plasticity_rl as pl

KEY = jax.random.PRNGKey(5)
X = np.random.default_rng(0).standard_normal((16, 5, 4, 2), np.float32)
# Of each hidden layer, units that are zero whatever they see.
DEAD = {'conv': (1,), 'dense': (0, 3)}


class FlaxNetwork(nn.Module):
  """A convolution, which is flattened, a dense layer and outputs."""

  @nn.compact
  def __call__(self, x):
    conv = nn.relu(nn.Conv(3, (2, 2), padding='VALID')(x))
    dense = nn.relu(nn.Dense(6)(conv.reshape(len(x), -1)))
    return nn.Dense(2)(dense), {'conv': conv, 'dense': dense}


def haiku_network(x):
  conv = jax.nn.relu(hk.Conv2D(3, 2, padding='VALID')(x))
  dense = jax.nn.relu(hk.Linear(6, name='hidden')(hk.Flatten()(conv)))
  return hk.Linear(2, name='outputs')(dense), {'conv': conv, 'dense': dense}


def flax():
  network = FlaxNetwork()
  layers = pl.declare_layers(
    {
      'conv': ('params', 'Conv_0'),
      'dense': ('params', 'Dense_0'),
      'outputs': ('params', 'Dense_1'),
    },
    weight='kernel',
    bias='bias',
  )
  return lambda key: network.init(key, X), network.apply, layers


def frozen_flax():
  """As older versions of Flax give it, and newer ones on demand."""
  init, apply, layers = flax()
  return lambda key: freeze(init(key)), apply, layers


def haiku():
  network = hk.without_apply_rng(hk.transform(haiku_network))
  layers = pl.declare_layers(
    {'conv': ['conv2_d'], 'dense': ['hidden'], 'outputs': ['outputs']}
  )
  return lambda key: network.init(key, X), network.apply, layers


each_library = pytest.mark.parametrize(
  'make',
  (flax, pytest.param(frozen_flax, marks=pytest.mark.slow), haiku),
)


def leaf(tree, layer, key):
  for k in layer.path:
    tree = tree[k]
  return np.asarray(tree[key])


def weights(params, layers):
  """{layer: (weights, bias)}."""
  return {
    x.name: (leaf(params, x, x.weight), leaf(params, x, x.bias)) for x in layers
  }


def trained(make):
  """A network with dead units, and Adam's state after some updates."""
  init, apply, layers = make()
  optimizer = optax.adam(0.01)
  params = jax.tree.map(jnp.asarray, init(jax.random.PRNGKey(0)))
  opt_state = optimizer.init(params)
  for _ in range(3):
    gradient = jax.grad(lambda p: jnp.mean((apply(p, X)[0] - 1) ** 2))(params)
    updates, opt_state = optimizer.update(gradient, opt_state)
    params = optax.apply_updates(params, updates)
  dead = {
    (layer.path, layer.bias): DEAD[layer.name]
    for layer in layers
    if layer.hidden
  }

  def plant(path, x):
    keys = tuple(k.key for k in path)
    units = list(dead.get((keys[:-1], keys[-1]), ()))
    return x.at[jnp.array(units)].set(-100.0) if units else x

  params = jax.tree_util.tree_map_with_path(plant, params)
  # Every moment is away from zero.
  opt_state = jax.tree.map(lambda x: x + 1 if x.ndim else x, opt_state)
  return init, apply, layers, params, opt_state


def outgoing(layers, old):
  """What a dead unit feeds, by layer: bool, of the shape of its weights."""
  masks = {x.name: np.zeros(old[x.name][0].shape, bool) for x in layers}
  masks['dense'][1::3] = True  # Channel 1 of 3, at every position.
  masks['outputs'][[0, 3]] = True
  return masks


@each_library
def test_redo_recycles_dead_units_without_a_trace(make):
  init, apply, layers, params, opt_state = trained(make)
  outputs, features = apply(params, X)

  @jax.jit
  def redo(key, params, features, opt_state):
    return pl.redo(
      key,
      params,
      features,
      layers,
      init=init,
      tau=0.0,
      target=params,
      opt_state=opt_state,
      initial=params,
    )

  new = redo(KEY, params, features, opt_state)
  assert jax.tree.structure(new.params) == jax.tree.structure(params)
  np.testing.assert_allclose(apply(new.params, X)[0], outputs, atol=1e-6)
  old, now, fresh, target, initial = (
    weights(p, layers)
    for p in (params, new.params, init(KEY), new.target, new.initial)
  )
  out = outgoing(layers, old)
  adam = new.opt_state[0]
  assert adam.count == opt_state[0].count
  mu, mu_before = (weights(s[0].mu, layers) for s in (new.opt_state, opt_state))
  nu = weights(adam.nu, layers)
  for name, (w, b) in now.items():
    recycled = np.zeros(b.shape, bool)
    recycled[list(DEAD.get(name, ()))] = True
    drawn = recycled & np.ones(w.shape, bool)
    assert np.all(w[out[name]] == 0)
    chosen = drawn & ~out[name]
    np.testing.assert_allclose(w[chosen], fresh[name][0][chosen], rtol=1e-5)
    assert np.all(b[recycled] == 0) and np.all(old[name][1][recycled] == -100)
    kept = ~(drawn | out[name])
    np.testing.assert_array_equal(w[kept], old[name][0][kept])
    np.testing.assert_array_equal(b[~recycled], old[name][1][~recycled])
    np.testing.assert_array_equal(target[name][0], w)
    np.testing.assert_allclose(
      initial[name][0][drawn], fresh[name][0][drawn], rtol=1e-5
    )
    np.testing.assert_array_equal(
      initial[name][0][~drawn], old[name][0][~drawn]
    )
    # Of exactly these weights there are no moments any more.
    for moments in (mu, nu):
      np.testing.assert_array_equal(moments[name][0] == 0, ~kept)
      np.testing.assert_array_equal(moments[name][1] == 0, recycled)
    np.testing.assert_array_equal(mu[name][0][kept], mu_before[name][0][kept])


@each_library
def test_a_later_call_finds_nothing_to_recycle(make):
  init, apply, layers, params, _ = trained(make)
  kwargs = {'init': init, 'tau': 0.0}
  new = pl.redo(KEY, params, apply(params, X)[1], layers, **kwargs).params
  live = {k: h + 1 for k, h in apply(new, X)[1].items()}
  again = pl.redo(KEY, new, live, layers, **kwargs)
  jax.tree.map(np.testing.assert_array_equal, again.params, new)
  assert again.target is again.opt_state is again.initial is None


@each_library
def test_continual_backprop_replaces_constant_units_without_a_trace(make):
  init, apply, layers, params, opt_state = trained(make)
  features = apply(params, X)[1]
  method = pl.continual_backprop(layers, init=init, rate=0.34, maturity=1)
  statistics = method.init(params)
  step = jax.jit(method.step)
  first, statistics = step(KEY, statistics, params, features)
  jax.tree.map(np.testing.assert_array_equal, first.params, params)
  new, statistics = step(KEY, statistics, params, features, opt_state=opt_state)
  np.testing.assert_allclose(
    apply(new.params, X)[0], apply(params, X)[0], atol=1e-5
  )
  for name, number in (('conv', 1), ('dense', 2)):
    np.testing.assert_array_equal(
      np.flatnonzero(statistics[name].age == 0), DEAD[name][:number]
    )
  out = outgoing(layers, weights(params, layers))
  for name, (mu, _) in weights(new.opt_state[0].mu, layers).items():
    assert np.all(mu[out[name]] == 0)


@each_library
def test_silent_units_are_reset(make):
  init, apply, layers, params, _ = trained(make)
  features = apply(params, X)[1]
  method = pl.self_normalized_resets(layers, init=init, eta=0.3)
  statistics = method.init(params)
  # P(A > a) = 2^-a of units that never fired: at most 0.3 at the second call.
  for call in range(2):
    new, statistics = method.step(KEY, statistics, params, features)
    for name, units in DEAD.items():
      bias = weights(new.params, layers)[name][1]
      assert np.all(bias[list(units)] == (0 if call else -100))


@each_library
def test_a_layer_is_drawn_again(make):
  init, _, layers, params, opt_state = trained(make)
  new = pl.reset_layers(
    KEY,
    params,
    [layers[-1].path],
    init=init,
    opt_state=opt_state,
    target=params,
  )
  old, now, fresh = (
    weights(p, layers) for p in (params, new.params, init(KEY))
  )
  mu = weights(new.opt_state[0].mu, layers)
  for name in now:
    wanted = fresh if name == 'outputs' else old
    for a, b, m in zip(now[name], wanted[name], mu[name], strict=True):
      np.testing.assert_array_equal(a, b)
      assert np.all((m == 0) == (name == 'outputs'))
  jax.tree.map(np.testing.assert_array_equal, new.target, new.params)


@each_library
def test_a_random_subnetwork_is_drawn_again(make):
  init, _, layers, params, opt_state = trained(make)
  new = pl.reset_weights(
    KEY, params, 0.5, init=init, opt_state=opt_state, initial=params
  )
  changed = jax.tree.map(lambda a, b: np.asarray(a != b), new.params, params)
  zeroed = jax.tree.map(lambda m: np.asarray(m == 0), new.opt_state[0].mu)
  for c, z in zip(
    jax.tree.leaves(changed), jax.tree.leaves(zeroed), strict=True
  ):
    assert np.all(z[c])  # A bias may be drawn as what it was.
  for tree in (changed, zeroed):
    share = np.mean(np.concatenate([x.ravel() for x in jax.tree.leaves(tree)]))
    assert 0.4 < share < 0.6
  jax.tree.map(np.testing.assert_array_equal, new.initial, new.params)


@each_library
def test_shrink_and_perturb_by_hand(make):
  init, _, _, params, _ = trained(make)
  new = pl.shrink_and_perturb(KEY, params, init=init, shrink=0.8, perturb=0.1)
  jax.tree.map(
    lambda n, p, f: np.testing.assert_allclose(
      n, 0.8 * p + 0.1 * f, rtol=1e-5, atol=1e-7
    ),
    new,
    params,
    init(KEY),
  )


def test_blocks_of_the_same_layers_keep_their_moments_apart():
  """The path of a nested layer may end as that of another."""
  like = {'w': jnp.ones([2, 2]), 'b': jnp.ones(2)}
  params = {'params': {'Dense_0': like, 'Z': {'Dense_0': like}}}
  opt_state = jax.tree.map(jnp.ones_like, optax.adam(0.1).init(params))
  new = pl.reset_layers(
    KEY,
    params,
    [('params', 'Dense_0')],
    init=lambda key: params,
    opt_state=opt_state,
  ).opt_state[0]
  for moments in (new.mu['params'], new.nu['params']):
    assert not np.any(moments['Dense_0']['w'])
    assert np.all(moments['Z']['Dense_0']['w'])


def test_of_an_injected_network_what_learns_is_recycled():
  def linear(key, x):
    return {'w': jax.random.normal(key, (x.shape[-1], 4)), 'b': jnp.zeros(4)}

  def two(key, x):
    return {'a': linear(key, x), 'b': linear(key, jnp.ones([1, 4]))}

  def head(p, h):
    return (
      jax.nn.relu(h @ p['a']['w'] + p['a']['b']) @ p['b']['w'] + p['b']['b']
    )

  x = X.reshape(16, -1)
  net = pl.SplitNetwork(
    lambda key, x: {'e': linear(key, x)},
    lambda p, x: jax.nn.relu(x @ p['e']['w'] + p['e']['b']),
    two,
    head,
    example=x,
  )
  layers = pl.declare_layers(
    {'e': ('encoder', 'e'), 'a': ('head', 'a'), 'b': ('head', 'b')}
  )
  params = pl.inject_params(KEY, net, net.init(jax.random.PRNGKey(0), x))
  features = {'e': jnp.ones([3, 4]), 'a': jnp.ones([3, 4])}
  new = pl.redo(KEY, params, features, layers, init=net.init, tau=2.0).params
  # The encoder's units feed the frozen heads too.
  jax.tree.map(np.testing.assert_array_equal, new['encoder'], params['encoder'])
  jax.tree.map(
    np.testing.assert_array_equal, new['head'].frozen, params['head'].frozen
  )
  learns, old = new['head'].trainable, params['head'].trainable
  assert np.all(learns['a']['w'] != old['a']['w'])
  assert np.all(learns['b']['w'] == 0)
