"""Probes whose numbers can be worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import injection
from plasticity_rl.diagnostics import base
from plasticity_rl.layers import Layer
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput

KEY = jax.random.PRNGKey(0)

# A convolution and a dense layer in the encoder, two in the head.
LAYERS = (
  Layer('conv', ('encoder', 'conv')),
  Layer('first', ('encoder', 'first')),
  Layer('second', ('head', 'second')),
  Layer('last', ('head', 'last'), hidden=False),
)
FEATURES = {
  # [B, H, W, C]: channel 0 is dead, channel 1 lives at one position of one
  # example, channel 2 everywhere.
  'conv': np.array(
    [
      [[[0, 0, 2], [0, 0, 2]]],
      [[[0, 0.04, 2], [0, 0, 2]]],
    ]
  ),
  # Mean |h|: 2, 0, 1, 1, so that their mean is 1.
  'first': np.array([[1.0, 0, 2, 0], [3.0, 0, 0, 2]]),
  'second': np.array([[0.0, 1.0], [0.0, 0.0]]),
  'last': np.zeros([2, 3]),
}


def probe_of(
  features, params=None, layers=LAYERS, initial=None, inputs=None, **more
):
  features = {k: jnp.array(v, jnp.float32) for k, v in features.items()}
  return base.Probe(
    NetSpec(None, None, layers, has_target=False),
    NetState(params, None, None, initial),
    inputs,
    NetworkOutput(None, features),
    **more,
  )


def floats(values):
  return {k: float(v) for k, v in values.items()}


# A network of one ReLU layer and a linear one, whose third unit is dead:
# h = [[2, 0, 0], [0, 1, 0]] and y = [6, 5] on x = [1, -1].
TWO_LAYERS = (
  Layer('first', ('encoder', 'first')),
  Layer('last', ('head', 'last'), hidden=False),
)


def two_layers():
  return {
    'encoder': {
      'first': {
        'w': jnp.array([[2.0, -1.0, 0.0]]),
        'b': jnp.array([0.0, 0.0, -1.0]),
      }
    },
    'head': {
      'last': {'w': jnp.array([[3.0], [5.0], [4.0]]), 'b': jnp.array([0.0])}
    },
  }


def _encoder(params, x):
  layer = params['first']
  h = jax.nn.relu(x @ layer['w'] + layer['b'])
  return h, {'first': h}


def _head(params, h):
  layer = params['last']
  y = h @ layer['w'] + layer['b']
  return y, {'last': y}


NETWORK = injection.SplitNetwork(None, _encoder, None, _head, with_layers=True)


def squared(params, x, y):
  """Half the squared error by example, and the output."""
  output = NETWORK.apply(params, x)
  return 0.5 * jnp.square(output.outputs - y).sum(-1), output


def regression(params, x, y, **more):
  """A probe of that network, fitting `y [B, 1]` on `x [B, 1]`."""
  x, y = jnp.array(x, jnp.float32), jnp.array(y, jnp.float32)
  return base.Probe(
    NetSpec(NETWORK, None, TWO_LAYERS, has_target=False),
    NetState(params, None, None, None),
    x,
    NETWORK.apply(params, x),
    loss=lambda p: squared(p, x, y),
    loss_on=lambda n: lambda p: squared(p, x[:n], y[:n]),
    **more,
  )


def injected(params, by=7.0):
  """The same function, with a frozen pair that cancels."""
  frozen = jax.tree.map(lambda x: jnp.stack([x + by, x + by]), params['head'])
  head = injection.InjectedHead(params['head'], frozen, jnp.array([1.0, -1.0]))
  return {**params, 'head': head}
