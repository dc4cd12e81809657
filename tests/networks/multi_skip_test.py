"""Multi-skip heads by hand, where they can be split, and in an agent."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.errors import UserError
from plasticity_rl.layers import feeds
from plasticity_rl.networks import sequential

KEY = jax.random.PRNGKey(3)
CONFIG = sequential.Sequential(
  observation_shape=(5,),
  convolutions=(),
  hidden=(6, 4),
  residual_blocks=2,
  multi_skip=True,
  num_outputs=3,
  split=1,
)
NAMES = [f'dense_{i}' for i in range(7)]


def drawn(network):
  """Parameters of which none is zero or one."""
  draw = np.random.default_rng(0)
  return jax.tree.map(
    lambda x: jnp.array(draw.normal(size=x.shape), x.dtype),
    jax.eval_shape(network.init, KEY),
  )


def by_hand(params, x, layer_norm):
  """The features after each layer."""
  p = [{**params['encoder'], **params['head']}[name] for name in NAMES]

  def linear(h, own, last=False):
    h = h @ own['w'] + own['b']
    if not layer_norm or last:
      return h
    h = (h - h.mean(-1, keepdims=True)) / np.sqrt(
      h.var(-1, keepdims=True) + 1e-5
    )
    return h * own['scale'] + own['offset']

  def relu(h):
    return np.maximum(h, 0)

  z = relu(linear(x, p[0]))
  x0 = linear(z, p[1])
  h1 = relu(linear(relu(x0), p[2]))
  x1 = x0 + linear(h1, p[3]) + x0
  h2 = relu(linear(relu(x1), p[4]))
  x2 = x1 + linear(h2, p[5]) + x0
  return [z, x0, h1, x1, h2, x2, linear(x2, p[6], last=True)]


@pytest.mark.parametrize('layer_norm', (False, True))
def test_by_hand(layer_norm):
  config = dataclasses.replace(CONFIG, layer_norm=layer_norm)
  network, layers = sequential.build(config)
  assert [layer.name for layer in layers] == NAMES
  params, x = drawn(network), jax.random.normal(KEY, [6, 5])
  output = network.apply(params, x)
  expected = by_hand(
    jax.tree.map(np.asarray, params), np.asarray(x), layer_norm
  )
  for name, wanted in zip(NAMES, expected, strict=True):
    np.testing.assert_allclose(
      output.layers[name], wanted, rtol=1e-4, atol=1e-4, err_msg=name
    )
  np.testing.assert_array_equal(output.outputs, output.layers[NAMES[-1]])
  injected = injection.inject_params(KEY, network, params)
  np.testing.assert_allclose(
    network.apply(injected, x).outputs, output.outputs, rtol=1e-4, atol=1e-3
  )


def test_units_of_a_block_are_read_by_it_alone():
  _, layers = sequential.build(CONFIG)
  hidden = [layer for layer in layers if layer.hidden]
  assert [layer.name for layer in hidden] == ['dense_0', 'dense_2', 'dense_4']
  assert [x.name for x in feeds(hidden[1], layers)] == ['dense_3']


@pytest.mark.parametrize('split, encoder', ((0, 0), (1, 1), (2, 6), (-1, 6)))
def test_the_blocks_are_not_split(split, encoder):
  """Where they would be, the head would lack the first features."""
  _, layers = sequential.build(dataclasses.replace(CONFIG, split=split))
  assert sum(layer.path[0] == 'encoder' for layer in layers) == encoder


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'split': 3}, 'a network of 3 layers .all blocks and the layer before'),
    ({'residual_blocks': 0}, 'network.residual_blocks is 0'),
    ({'hidden': (), 'split': 0}, 'residual_blocks needs network.hidden'),
  ),
)
def test_what_cannot_be(changes, message):
  with pytest.raises(UserError, match=message):
    sequential.build(dataclasses.replace(CONFIG, **changes))
