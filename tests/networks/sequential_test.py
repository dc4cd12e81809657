"""One network, split anywhere: the same function in other places."""

import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.errors import UserError
from plasticity_rl.networks import sequential

KEY = jax.random.PRNGKey(1)
CONFIG = sequential.Sequential(
  observation_shape=(6, 5, 2),
  convolutions=((3, 3, 1), (4, 2, 2)),
  hidden=(8, 7),
  num_outputs=3,
  split=0,
)
NAMES = ['conv_0', 'conv_1', 'dense_2', 'dense_3', 'dense_4']


@pytest.fixture(name='whole', scope='module')
def fixture_whole():
  """Parameters of all layers in the head, an input, and the output."""
  network, _ = sequential.build(CONFIG)
  # NumPy draws without compiling, and biases that are not zero.
  draw = np.random.default_rng(0)
  params = jax.tree.map(
    lambda x: jnp.array(draw.normal(size=x.shape) / x.size**0.25, x.dtype),
    jax.eval_shape(network.init, KEY),
  )
  x = jnp.array(draw.normal(size=[4, *CONFIG.observation_shape]), jnp.float32)
  return params, x, network.apply(params, x)


@pytest.mark.parametrize('split', range(5))
def test_split_anywhere_is_the_same_function(whole, split):
  params, x, expected = whole
  network, layers = sequential.build(dataclasses.replace(CONFIG, split=split))
  placed = {'encoder': {}, 'head': {}}
  for layer in layers:
    part, name = layer.path
    placed[part][name] = params['head'][name]
  assert list(placed['encoder']) == NAMES[:split]
  assert jax.tree.structure(placed) == jax.tree.structure(
    jax.eval_shape(network.init, KEY)
  )
  output = network.apply(placed, x)
  np.testing.assert_allclose(output.outputs, expected.outputs, rtol=1e-6)
  assert list(output.layers) == NAMES
  for name in NAMES:
    np.testing.assert_allclose(
      output.layers[name], expected.layers[name], rtol=1e-6
    )


def test_counts_from_the_end():
  for split in range(-5, 0):
    _, layers = sequential.build(dataclasses.replace(CONFIG, split=split))
    heads = [layer.name for layer in layers if layer.path[0] == 'head']
    assert heads == NAMES[split:]


def test_layers_are_declared(whole):
  _, layers = sequential.build(dataclasses.replace(CONFIG, split=2))
  assert [layer.name for layer in layers] == NAMES
  assert [layer.path for layer in layers] == [
    ('encoder', 'conv_0'),
    ('encoder', 'conv_1'),
    ('head', 'dense_2'),
    ('head', 'dense_3'),
    ('head', 'dense_4'),
  ]
  assert [layer.hidden for layer in layers] == [True] * 4 + [False]
  _, _, output = whole
  assert [x.shape[1:] for x in output.layers.values()] == [
    (4, 3, 3),
    (2, 1, 4),
    (8,),
    (7,),
    (3,),
  ]


def test_hidden_layers_pass_a_relu_and_the_last_does_not(whole):
  _, _, output = whole
  for name in NAMES[:-1]:
    assert output.layers[name].min() == 0
    assert output.layers[name].max() > 0
  np.testing.assert_array_equal(output.layers[NAMES[-1]], output.outputs)
  assert output.outputs.min() < 0


def test_channel_feeds_rows_of_its_number(whole):
  """Unit c of the last convolution feeds rows `c::channels` of `w`."""
  params, x, expected = whole
  network, layers = sequential.build(CONFIG)
  height, width, channels = 2, 1, 4  # 6 x 5 -> 4 x 3 -> 2 x 1.
  head = params['head']
  assert head['dense_2']['w'].shape[0] == height * width * channels
  # Changes channel 1 alone.
  bias = head['conv_1']['b'].at[1].add(5.0)
  changed = {**head, 'conv_1': {**head['conv_1'], 'b': bias}}
  # Cut off, channel 1 does not matter.
  w = head['dense_2']['w'].at[1::channels].set(0.0)
  dense = {**head['dense_2'], 'w': w}

  def out(head):
    return network.apply({'encoder': {}, 'head': head}, x).outputs

  assert np.abs(out(changed) - expected.outputs).max() > 0.1
  np.testing.assert_array_equal(
    out({**changed, 'dense_2': dense}), out({**head, 'dense_2': dense})
  )


def test_dense_layers_start_as_haikus():
  network, _ = sequential.build(
    sequential.Sequential(
      observation_shape=(5,), hidden=(4,), num_outputs=2, split=1
    )
  )
  encoder_key, head_key = jax.random.split(KEY)
  params = network.init(KEY)
  for key, size, part, name, width in (
    (encoder_key, 5, 'encoder', 'dense_0', 4),
    (head_key, 4, 'head', 'dense_1', 2),
  ):
    expected = hk.transform(
      lambda x, n=name, w=width: hk.Linear(w, name=n)(x)
    ).init(key, jnp.zeros([1, size]))
    np.testing.assert_array_equal(params[part][name]['w'], expected[name]['w'])
    assert (params[part][name]['b'] == 0).all()


def test_bytes_are_scaled_and_booleans_are_numbers():
  np.testing.assert_allclose(
    sequential.preprocess(jnp.array([0, 51, 255], jnp.uint8)), [0, 0.2, 1]
  )
  for x in (jnp.array([False, True]), jnp.array([0, 1], jnp.int32)):
    y = sequential.preprocess(x)
    assert y.dtype == jnp.float32
    assert y.tolist() == [0, 1]


def test_any_split_can_be_injected(whole):
  params, x, expected = whole
  network, _ = sequential.build(CONFIG)
  injected = jax.jit(
    lambda params: injection.inject_params(KEY, network, params)
  )(params)
  # To the bit where a batched product sums as a single one does, which is
  # the backend's affair.
  np.testing.assert_allclose(
    network.apply(injected, x).outputs,
    expected.outputs,
    rtol=1e-5,
    atol=1e-6,
  )


@pytest.mark.parametrize('split', (5, -6, 100))
def test_split_beyond_the_layers_is_refused(split):
  with pytest.raises(UserError, match='5 layers can be split at -5 to 4'):
    sequential.build(dataclasses.replace(CONFIG, split=split))


def test_convolutions_of_no_image_are_refused():
  config = dataclasses.replace(CONFIG, observation_shape=(30,))
  with pytest.raises(UserError, match=r'needs images \[H, W, C\].*\(30,\)'):
    sequential.build(config)


def test_convolutions_that_leave_nothing_are_refused():
  config = dataclasses.replace(CONFIG, convolutions=((3, 3, 1), (3, 4, 1)))
  with pytest.raises(UserError, match='leave nothing'):
    sequential.build(config)
