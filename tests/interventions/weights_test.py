"""Hare and Tortoise, projection, clipping, and random subnetworks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import dqn
from plasticity_rl.layers import get_layer
from plasticity_rl.learner import optimizers
from plasticity_rl.types import NetSpec
from tests.interventions import nets
from tests.properties import cases

NORMS = ('scale', 'offset', 'g')


@functools.cache
def normed():
  """An agent with layer and weight normalisation, and its state."""
  network, layers = cases.split_network(
    nets.SHAPES['mlp'],
    hidden=(20, 6),
    split=1,
    layer_norm=True,
    weight_norm=True,
  )
  optimizer = optimizers.make(settings.OptimizerConfig(name='adam'))
  made = dqn.DQN(
    NetSpec(network, optimizer, layers, has_target=True), settings.DQNConfig()
  )
  state = nets.state('mlp')._replace(nets=made.init(jax.random.PRNGKey(0)))
  return made, state


each_kind = pytest.mark.parametrize('kind', nets.SHAPES)


def moved(state, by):
  """Fast weights somewhere else."""
  q = state.nets['q']
  plain = jax.tree.map(lambda p: p + by, injection.trainable(q.params))
  return state._replace(
    nets={'q': q._replace(params=injection.replace_trainable(q.params, plain))}
  )


def test_scales_drawn_again_start_their_average_anew():
  """They are drawn as ones and zeros each time; their weights tell."""
  made, state = normed()
  text = 'hare_and_tortoise(period=100, momentum=0.75)'
  _, own = nets.calls(text, made, state, 'mlp')
  state = moved(nets.apply('reset(scope="head")', made, state, 'mlp'), 1)
  fast = injection.trainable(state.nets['q'].params)
  _, own = nets.calls(text, made, state, 'mlp', own=own)
  jax.tree.map(
    np.testing.assert_array_equal, own['q']['slow']['head'], fast['head']
  )
  scale = own['q']['slow']['encoder']['dense_0']['scale']
  np.testing.assert_allclose(scale, 1.25)


@pytest.mark.parametrize('history', ['fresh', 'injected'])
@pytest.mark.parametrize('optimizer', ['keep', 'reset'])
def test_the_hare_becomes_the_tortoise_at_every_third_call(history, optimizer):
  made = nets.agent('mlp')
  text = f'hare_and_tortoise(period=3, momentum=0.75, optimizer={optimizer!r})'
  state, own = nets.state('mlp', history), None
  slow = start = injection.trainable(state.nets['q'].params)
  for call in range(1, 7):
    if call > 1:
      state = moved(state, call)
    before = state.nets['q']
    fast = injection.trainable(before.params)
    slow = jax.tree.map(lambda s, f: 0.75 * s + 0.25 * f, slow, fast)
    state, own = nets.calls(text, made, state, 'mlp', own=own)
    q = state.nets['q']
    wanted = slow if call % 3 == 0 else fast
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5),
      injection.trainable(q.params),
      wanted,
    )
    jax.tree.map(np.testing.assert_array_equal, q.target, before.target)
    anew = optimizer == 'reset' and call >= 3
    assert np.any(q.opt_state['head'][0].inner_state.count) != anew
    if history == 'injected':
      jax.tree.map(
        np.testing.assert_array_equal,
        q.params['head'].frozen,
        before.params['head'].frozen,
      )
  assert not np.allclose(
    jax.tree.leaves(start)[0], jax.tree.leaves(slow)[0], rtol=0.1
  )


def test_what_is_drawn_again_starts_its_average_anew():
  made = nets.agent('mlp')
  text = 'hare_and_tortoise(period=100, momentum=0.75)'
  state, own = nets.calls(text, made, nets.state('mlp'), 'mlp')
  old = own['q']['slow']
  state = moved(nets.apply('injection', made, state, 'mlp'), 1)
  fast = injection.trainable(state.nets['q'].params)
  _, own = nets.calls(text, made, state, 'mlp', own=own)
  jax.tree.map(
    np.testing.assert_array_equal, own['q']['slow']['head'], fast['head']
  )
  jax.tree.map(
    lambda s, o: np.testing.assert_allclose(s, o + 0.25, rtol=1e-5),
    own['q']['slow']['encoder'],
    old['encoder'],
  )
  # Once, not at every call from then on.
  _, own = nets.calls(text, made, moved(state, 1), 'mlp', own=own)
  jax.tree.map(
    lambda s, f: np.testing.assert_allclose(s, f + 0.25, rtol=1e-5, atol=1e-6),
    own['q']['slow']['head'],
    fast['head'],
  )


@pytest.mark.parametrize('history', ['fresh', 'injected'])
@each_kind
def test_projection_by_hand(kind, history):
  made = nets.agent(kind)
  net = made.spec.nets['q']
  before = nets.state(kind, history)
  after = nets.apply('normalize_and_project', made, before, kind).nets['q']
  initial = nets.weights(net, after.initial)
  for old, new in zip(before.nets['q'][:2], after[:2], strict=True):
    old, new = nets.weights(net, old), nets.weights(net, new)
    for name in new:
      norm = np.linalg.norm(old[name]['w'].ravel())
      wanted = np.linalg.norm(initial[name]['w'].ravel())
      assert abs(norm / wanted - 1) > 0.01
      np.testing.assert_allclose(
        new[name]['w'], old[name]['w'] * wanted / norm, rtol=1e-5
      )
      np.testing.assert_array_equal(new[name]['b'], old[name]['b'])


def test_initial_and_zero_weights_are_projected_to_themselves():
  made = nets.agent('mlp')
  nets_at_start = made.init(jax.random.PRNGKey(0))
  q = nets_at_start['q']
  zero = {**q.params, 'head': optax.tree.zeros_like(q.params['head'])}
  for params in (q.params, zero):
    state = nets.state('mlp')._replace(nets={'q': q._replace(params=params)})
    after = nets.apply('normalize_and_project', made, state, 'mlp')
    jax.tree.map(np.testing.assert_array_equal, after.nets, state.nets)


def test_clipping_by_hand():
  made = nets.agent('conv')
  net = made.spec.nets['q']
  before = nets.state('conv', 'injected')
  after = nets.apply('weight_clipping(kappa=0.9)', made, before, 'conv')
  # Kernels of 2 x 2 over 2 and over 5 channels, then 4 x 3 x 4, then 7.
  bounds = {
    'conv_0': 0.9 / 8**0.5,
    'conv_1': 0.9 / 20**0.5,
    'dense_2': 0.9 / 48**0.5,
    'dense_3': 0.9 / 7**0.5,
  }
  for old, new in zip(before.nets['q'][:2], after.nets['q'][:2], strict=True):
    old, new = nets.weights(net, old), nets.weights(net, new)
    clipped = 0
    for name, bound in bounds.items():
      for k in 'wb':
        np.testing.assert_allclose(
          new[name][k], np.clip(old[name][k], -bound, bound), rtol=1e-6
        )
        clipped += np.sum(new[name][k] != old[name][k])
    assert clipped > 10
    assert old.keys() == bounds.keys()


def test_scales_and_gains_are_not_clipped():
  """They start at 1 and at ||w||, far above the bound of any weight."""
  made, state = normed()
  after = nets.apply('weight_clipping(kappa=0.1)', made, state, 'mlp')
  before, after = (
    injection.trainable(s.nets['q'].params) for s in (state, after)
  )
  kept = 0
  for layer in made.spec.nets['q'].layers:
    old, new = get_layer(before, layer), get_layer(after, layer)
    assert np.any(new['w'] != old['w'])
    for name in set(NORMS) & set(old):
      np.testing.assert_array_equal(new[name], old[name])
      kept += 1
  assert kept == 7  # Three of each hidden layer, one of the last.


def test_initial_weights_are_within_twice_the_bound():
  made = nets.agent('conv')
  state = nets.state('conv')._replace(nets=made.init(jax.random.PRNGKey(0)))
  after = nets.apply('weight_clipping', made, state, 'conv')
  jax.tree.map(np.testing.assert_array_equal, after.nets, state.nets)
  after = nets.apply('weight_clipping(kappa=1.8)', made, state, 'conv')
  w = state.nets['q'].params['head']['dense_2']['w']
  assert np.any(after.nets['q'].params['head']['dense_2']['w'] != w)


@pytest.mark.parametrize('history', ['fresh', 'injected'])
@pytest.mark.parametrize('optimizer', ['keep', 'reset'])
def test_a_random_subnetwork(history, optimizer):
  made = nets.agent('mlp')
  net = made.spec.nets['q']
  before = nets.state('mlp', history)
  after = nets.apply(
    f'reset(scope="random", fraction=0.3, optimizer={optimizer!r})',
    made,
    before,
    'mlp',
  ).nets['q']
  before = before.nets['q']
  redrawn = jax.tree.map(
    lambda a, b: np.asarray(a != b),
    nets.weights(net, before.params),
    nets.weights(net, after.params),
  )
  count = sum(m.sum() for m in jax.tree.leaves(redrawn))
  size = sum(m.size for m in jax.tree.leaves(redrawn))
  assert 0.2 < count / size < 0.4  # 4 standard deviations.
  target, old_target, initial, old_initial, online = (
    nets.weights(net, p)
    for p in (
      after.target,
      before.target,
      after.initial,
      before.initial,
      after.params,
    )
  )
  for part in ('encoder', 'head'):
    group = after.opt_state[part][0].inner_state
    old = before.opt_state[part][0].inner_state
    assert group.count == (7 if optimizer == 'keep' else 0)
    mu, old_mu = (getattr(g.mu, 'trainable', g.mu) for g in (group, old))
    for layer in net.layers:
      if layer.path[0] != part:
        continue
      for k in 'wb':
        m = redrawn[layer.name][k]
        np.testing.assert_array_equal(
          mu[layer.name][k],
          np.where(m & (optimizer == 'reset'), 0, old_mu[layer.name][k]),
        )
  for name, layer in redrawn.items():
    for k, m in layer.items():
      for new, old in ((target, old_target), (initial, old_initial)):
        np.testing.assert_array_equal(
          new[name][k], np.where(m, online[name][k], old[name][k])
        )


def test_a_fraction_of_nothing_is_the_identity():
  made = nets.agent('mlp')
  before = nets.state('mlp', 'injected')
  after = nets.apply('reset(scope="random", fraction=0)', made, before, 'mlp')
  jax.tree.map(np.testing.assert_array_equal, after, before)
  assert jnp.all(before.nets['q'].opt_state['head'][0].inner_state.count == 7)
