"""SimBaV2 by hand, split anywhere, and what has no place in it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import sphere
from plasticity_rl.errors import UserError
from plasticity_rl.layers import feeds
from plasticity_rl.networks import actor_critic
from plasticity_rl.networks import sequential

KEY = jax.random.PRNGKey(4)
CONFIG = sequential.Sequential(
  observation_shape=(2, 3),
  convolutions=(),
  hidden=(4,),
  residual_blocks=2,
  hyperspherical=True,
  num_outputs=3,
  split=0,
)
NAMES = [f'dense_{i}' for i in range(7)]
PARTS = ([0], [1, 2], [3, 4], [5], [6])


def drawn(network):
  """Parameters of which none is as at the start; weights on the sphere."""
  draw = np.random.default_rng(0)

  def one(path, x):
    value = jnp.array(draw.normal(size=x.shape), x.dtype)
    return sphere.project(value) if sphere.is_on_sphere(path) else value

  return jax.tree_util.tree_map_with_path(
    one, jax.eval_shape(network.init, KEY)
  )


def by_hand(p, x):
  """The features after each layer."""

  def unit(v):
    return v / np.linalg.norm(v, axis=-1, keepdims=True)

  h = np.concatenate([x.reshape(len(x), -1), 3 * np.ones((len(x), 1))], 1)
  found = [unit(p[0]['scale'] * (unit(h) @ p[0]['w']))]
  for inner, outer in (p[1:3], p[3:5]):
    h = found[-1]
    u = np.maximum(inner['scale'] * (h @ inner['w']), 0)
    a = outer['step'] * np.sqrt(4) / 3  # It begins at 1 / (blocks + 1).
    found += [u, unit(h + a * (unit((u + 1e-8) @ outer['w']) - h))]
  z = p[5]['scale'] * (found[-1] @ p[5]['w'])
  return [*found, z, z @ p[6]['w'] + p[6]['b']]


@pytest.fixture(name='whole', scope='module')
def fixture_whole():
  network, _ = sequential.build(CONFIG)
  params = drawn(network)
  x = jax.random.normal(KEY, [6, 2, 3])
  return params, x, network.apply(params, x)


def test_by_hand(whole):
  params, x, output = whole
  p = [jax.tree.map(np.asarray, params['head'][name]) for name in NAMES]
  assert list(output.layers) == NAMES
  for name, wanted in zip(NAMES, by_hand(p, np.asarray(x)), strict=True):
    np.testing.assert_allclose(
      output.layers[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name
    )
  np.testing.assert_array_equal(output.outputs, output.layers[NAMES[-1]])


@pytest.mark.parametrize('split', range(-5, 5))
def test_split_anywhere_is_the_same_function(whole, split):
  params, x, expected = whole
  network, layers = sequential.build(dataclasses.replace(CONFIG, split=split))
  placed = {'encoder': {}, 'head': {}}
  for layer in layers:
    placed[layer.path[0]][layer.name] = params['head'][layer.name]
  before = [NAMES[i] for part in PARTS[: split % 5] for i in part]
  assert list(placed['encoder']) == before
  output = network.apply(placed, x)
  np.testing.assert_allclose(
    output.outputs, expected.outputs, rtol=1e-5, atol=1e-6
  )
  injected = injection.inject_params(KEY, network, placed)
  np.testing.assert_allclose(
    network.apply(injected, x).outputs, expected.outputs, rtol=1e-4, atol=1e-5
  )


def test_what_is_drawn():
  """Columns of length 1, even where there are more of them than inputs."""
  network, layers = sequential.build(
    dataclasses.replace(CONFIG, hidden=(16,), residual_blocks=1)
  )
  head = network.init(KEY)['head']
  for layer in layers:
    lengths = np.linalg.norm(head[layer.name]['w'], axis=0)
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)
    assert ('b' in head[layer.name]) == (layer.bias is not None)
  w = head['dense_2']['w']  # Fewer units than inputs: orthogonal.
  np.testing.assert_allclose(w.T @ w, np.eye(16), atol=1e-3)
  np.testing.assert_allclose(head['dense_0']['scale'], np.sqrt(2 / 16))
  np.testing.assert_allclose(head['dense_1']['scale'], np.sqrt(2 / 16) / 2)
  np.testing.assert_allclose(head['dense_2']['step'], 1 / 4)
  np.testing.assert_allclose(head['dense_3']['scale'], np.sqrt(2 / 16))
  assert layers[-1].bias == 'b' and not layers[-1].hidden
  hidden = [layer for layer in layers if layer.hidden]
  assert [layer.name for layer in hidden] == ['dense_1']
  assert [x.name for x in feeds(hidden[0], layers)] == ['dense_2']


def test_lengths_of_observations_are_seen(whole):
  params, x, expected = whole
  network, _ = sequential.build(CONFIG)
  twice = network.apply(params, 2 * x).outputs
  assert not np.allclose(twice, expected.outputs, atol=1e-3)


def test_features_that_are_all_zero_have_gradients():
  network, _ = sequential.build(CONFIG)
  params = drawn(network)
  params['head']['dense_0']['scale'] *= 0
  gradients = jax.grad(
    lambda p: network.apply(p, jnp.ones([2, 2, 3])).outputs.sum()
  )(params)
  assert all(np.isfinite(x).all() for x in jax.tree.leaves(gradients))


def test_critics_with_several_outputs_each():
  config = actor_critic.critic_config(CONFIG, 2, outputs=5)
  network, _ = actor_critic.critic(config, 2, members=2)
  params = network.init(KEY)
  x = jax.random.normal(KEY, [6, 2, 3]), jnp.zeros([6, 2])
  output = network.apply(params, x)
  assert output.outputs.shape == (6, 10)
  for m in range(2):
    np.testing.assert_array_equal(
      output.outputs[:, 5 * m : 5 * m + 5], output.layers[f'dense_6.{m}']
    )


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'hidden': (4, 4)}, 'hidden is one width: .4, 4.'),
    (
      {'observation_shape': (5, 4, 2), 'convolutions': ((3, 2, 1),)},
      'takes vectors',
    ),
    ({'layer_norm': True}, 'network.layer_norm must be False'),
    ({'weight_norm': True}, 'network.weight_norm must be False'),
    ({'split': 5}, 'a network of 5 layers'),
  ),
)
def test_what_cannot_be(changes, message):
  with pytest.raises(UserError, match=message):
    sequential.build(dataclasses.replace(CONFIG, **changes))
