"""DfI by hand, and zero where FIRE would change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import plasticity_rl as pl
from plasticity_rl import measures
from plasticity_rl.diagnostics.deviation_from_isometry import (
  deviation_from_isometry,
)
from plasticity_rl.errors import UserError
from plasticity_rl.layers import Layer
from tests.diagnostics.probes import TWO_LAYERS
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import injected
from tests.diagnostics.probes import probe_of
from tests.diagnostics.probes import two_layers

RNG = np.random.default_rng(0)


def test_by_singular_values():
  for shape in ((5, 3), (3, 5)):
    w = RNG.standard_normal(shape, np.float32)
    s = np.linalg.svd(w, compute_uv=False)
    for scale in (1.0, 0.5):
      np.testing.assert_allclose(
        measures.deviation_from_isometry(w, scale),
        np.sum(((s / scale) ** 2 - 1) ** 2),
        rtol=1e-4,
      )


def test_a_kernel_is_summed_over_positions():
  w = RNG.standard_normal((2, 3, 4, 5), np.float32)
  by_position = [
    float(measures.deviation_from_isometry(w[i, j]))
    for i in range(2)
    for j in range(3)
  ]
  np.testing.assert_allclose(
    measures.deviation_from_isometry(w), sum(by_position), rtol=1e-5
  )


@pytest.mark.parametrize(
  'call, message',
  (
    (
      lambda: measures.deviation_from_isometry(np.ones(3)),
      r'weights: expected a matrix',
    ),
    (
      lambda: measures.deviation_from_isometry(np.eye(2), scale=0),
      'scale must be above 0',
    ),
    (
      lambda: measures.deviation_from_isometry(np.eye(2), scale=-1),
      'scale must be a number, 0 to inf',
    ),
  ),
)
def test_what_is_refused(call, message):
  with pytest.raises(UserError, match=message):
    call()


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_of_layers_by_hand(of):
  probe = probe_of({}, of(two_layers()), layers=TWO_LAYERS)
  # [1, 3]: a row of length 5^(1/2) over 3^(1/2). [3, 1]: a column of length
  # 50^(1/2) over 3^(-1/2).
  wanted = {'first': (5 / 3 - 1) ** 2, 'last': (150 - 1) ** 2}
  wanted['trainable'] = sum(wanted.values())
  assert floats(deviation_from_isometry(probe)) == pytest.approx(
    wanted, rel=1e-5
  )


def test_after_fire_it_is_zero():
  layers = (
    Layer('conv', ('encoder', 'conv')),
    Layer('dense', ('head', 'dense')),
    Layer('last', ('head', 'last'), hidden=False),
  )

  def layer(*shape, g=False):
    own = {
      'w': RNG.standard_normal(shape, np.float32),
      'b': np.zeros(shape[-1]),
    }
    return own | ({'g': jnp.full(shape[-1], 3.0)} if g else {})

  params = {
    'encoder': {'conv': layer(3, 3, 2, 4)},
    'head': {'dense': layer(36, 5, g=True), 'last': layer(5, 2)},
  }
  params = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), params)
  before = floats(deviation_from_isometry(probe_of({}, params, layers=layers)))
  new = pl.fire(params, layers, iterations=30).params
  after = floats(deviation_from_isometry(probe_of({}, new, layers=layers)))
  for name in before:
    assert after[name] < 1e-6 * before[name]
