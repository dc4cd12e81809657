"""SimBa by hand, split anywhere, in every agent's networks."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.errors import UserError
from plasticity_rl.layers import feeds
from plasticity_rl.networks import actor_critic
from plasticity_rl.networks import pixels
from plasticity_rl.networks import sequential

KEY = jax.random.PRNGKey(2)
CONFIG = sequential.Sequential(
  observation_shape=(5, 4, 2),
  convolutions=((3, 2, 1),),
  hidden=(6, 4),
  residual_blocks=2,
  num_outputs=3,
  split=0,
)
NAMES = ['conv_0', *(f'dense_{i}' for i in range(1, 8))]
# The convolution, a dense layer, the linear one, two blocks, the last layer.
PARTS = ([0], [1], [2], [3, 4], [5, 6], [7])


def drawn(network):
  """Parameters of which none is zero or one, NumPy's."""
  draw = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: jnp.array(draw.normal(size=x.shape) / x.size**0.25, x.dtype),
    jax.eval_shape(network.init, KEY),
  )


def by_hand(params, x):
  """The features after each layer but the convolution."""

  def norm(h, own):
    h = (h - h.mean(-1, keepdims=True)) / np.sqrt(
      h.var(-1, keepdims=True) + 1e-5
    )
    return h * own['input_scale'] + own['input_offset']

  p = [params['head'][name] for name in NAMES]
  h = np.maximum(x.reshape(len(x), -1) @ p[1]['w'] + p[1]['b'], 0)
  found = [h, h @ p[2]['w'] + p[2]['b']]
  for inner, outer in (p[3:5], p[5:7]):
    h = found[-1]
    u = np.maximum(norm(h, inner) @ inner['w'] + inner['b'], 0)
    found += [u, h + u @ outer['w'] + outer['b']]
  return [*found, norm(found[-1], p[7]) @ p[7]['w'] + p[7]['b']]


@pytest.fixture(name='whole', scope='module')
def fixture_whole():
  network, _ = sequential.build(CONFIG)
  params = drawn(network)
  x = jax.random.normal(KEY, [6, *CONFIG.observation_shape])
  return params, x, network.apply(params, x)


def test_by_hand(whole):
  params, _, output = whole
  expected = by_hand(
    jax.tree.map(np.asarray, params), np.asarray(output.layers['conv_0'])
  )
  assert list(output.layers) == NAMES
  for name, wanted in zip(NAMES[1:], expected, strict=True):
    np.testing.assert_allclose(
      output.layers[name], wanted, rtol=1e-4, atol=1e-5, err_msg=name
    )
  np.testing.assert_array_equal(output.outputs, output.layers[NAMES[-1]])


@pytest.mark.parametrize('split', range(-6, 6))
def test_split_between_blocks_is_the_same_function(whole, split):
  params, x, expected = whole
  network, layers = sequential.build(dataclasses.replace(CONFIG, split=split))
  placed = {'encoder': {}, 'head': {}}
  for layer in layers:
    placed[layer.path[0]][layer.name] = params['head'][layer.name]
  before = [NAMES[i] for part in PARTS[: split % 6] for i in part]
  assert list(placed['encoder']) == before
  output = network.apply(placed, x)
  np.testing.assert_allclose(
    output.outputs, expected.outputs, rtol=1e-5, atol=1e-6
  )
  injected = injection.inject_params(KEY, network, placed)
  np.testing.assert_allclose(
    network.apply(injected, x).outputs,
    expected.outputs,
    rtol=1e-4,
    atol=1e-5,
  )


def test_units_of_a_block_are_read_by_it_alone():
  _, layers = sequential.build(CONFIG)
  assert [x.name for x in layers] == NAMES
  hidden = [layer.name for layer in layers if layer.hidden]
  assert hidden == ['conv_0', 'dense_1', 'dense_3', 'dense_5']
  inner = layers[3]
  assert [x.name for x in feeds(inner, layers)] == ['dense_4']


def test_a_block_starts_from_hes_distribution_and_others_keep_variance():
  config = dataclasses.replace(
    CONFIG,
    observation_shape=(100,),
    convolutions=(),
    hidden=(100,),
    residual_blocks=1,
    num_outputs=2,
    initializer='orthogonal',
    output_gains=(1.4, 1.0),
  )
  network, _ = sequential.build(config)
  head = network.init(KEY)['head']
  for name, fan_in in (('dense_1', 100), ('dense_2', 400)):
    w = np.asarray(head[name]['w'])
    assert w.shape == (fan_in, 500 - fan_in)
    np.testing.assert_allclose(w.std(), (2 / fan_in) ** 0.5, rtol=0.02)
    assert np.abs(w).max() < 2.3 * w.std()  # Truncated.
  w = np.asarray(head['dense_0']['w'])
  np.testing.assert_allclose(w.T @ w, np.eye(100), atol=1e-5)
  last = np.asarray(head['dense_3']['w'])
  np.testing.assert_allclose(np.linalg.norm(last, axis=0), 1, rtol=1e-5)
  for own in head.values():
    assert not own['b'].any()
  for name in ('dense_1', 'dense_3'):
    assert (head[name]['input_scale'] == 1).all()
    assert not head[name]['input_offset'].any()


def test_predictions_do_not_grow_with_the_sum(whole):
  """Layer normalisation stands before the last layer."""
  params, x, _ = whole
  network, _ = sequential.build(CONFIG)

  def scaled(factor):
    head = dict(params['head'])
    for name in ('dense_2', 'dense_4', 'dense_6'):
      head[name] = {
        **head[name],
        **{k: factor * head[name][k] for k in ('w', 'b')},
      }
    return network.apply({'encoder': {}, 'head': head}, x)

  one, large = scaled(100.0), scaled(1000.0)
  assert np.abs(large.layers['dense_6']).max() > 100
  np.testing.assert_allclose(large.outputs, one.outputs, rtol=0.01, atol=0.01)


def test_every_agents_networks():
  config = dataclasses.replace(
    CONFIG, observation_shape=(5,), convolutions=(), hidden=(4,), split=2
  )
  critic, layers = actor_critic.critic(
    actor_critic.critic_config(config, 2), 2, 2
  )
  names = [f'dense_{i}.{m}' for i in range(6) for m in range(2)]
  assert [layer.name for layer in layers] == names
  x, a = jax.random.normal(KEY, [7, 5]), jnp.ones([7, 2])
  output = critic.apply(critic.init(KEY), (x, a))
  assert output.outputs.shape == (7, 2)
  assert output.layers['dense_3.1'].shape == (7, 16)
  actor, _ = actor_critic.actor(actor_critic.actor_config(config, 2))
  assert actor.apply(actor.init(KEY), x).outputs.mean.shape == (7, 2)
  images = dataclasses.replace(
    CONFIG, observation_shape=(5, 4, 3), hidden=(4,), split=1
  )
  network, layers = pixels.critic(images, 3, 2, 2)
  assert [layer.side_inputs for layer in layers if layer.name[-1] == '0'] == [
    0,
    *([2] + [0] * 5),
  ]
  output = network.apply(network.init(KEY), (jnp.ones([7, 5, 4, 3]), a))
  assert output.outputs.shape == (7, 2)


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'hidden': ()}, 'residual_blocks needs network.hidden'),
    ({'split': 6}, r'6 layers \(a residual block counts as one\).* -6 to 5'),
    (
      {'activation': 'crelu', 'convolutions': (), 'hidden': (5, 4)},
      'must be multiples of it: 5',
    ),
  ),
)
def test_what_does_not_fit_is_refused(changes, message):
  with pytest.raises(UserError, match=message):
    sequential.build(dataclasses.replace(CONFIG, **changes))


def test_two_features_of_a_unit():
  network, layers = sequential.build(
    dataclasses.replace(CONFIG, activation='crelu', convolutions=())
  )
  params = jax.eval_shape(network.init, KEY)['head']
  # Of 16 features inside a block; the sum has no activation.
  assert params['dense_2']['w'].shape == (4, 8)
  assert params['dense_3']['w'].shape == (16, 4)
  assert [layer.features_per_unit for layer in layers] == [2, 1, 2, 1, 2, 1, 1]
