"""Ranks of matrices whose singular values are known."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.diagnostics.ranks import effective_rank
from plasticity_rl.diagnostics.ranks import feature_rank
from plasticity_rl.diagnostics.ranks import srank
from plasticity_rl.diagnostics.ranks import stable_rank
from plasticity_rl.layers import Layer
from plasticity_rl.measures.ranks import srank_of
from tests.diagnostics.probes import FEATURES
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import probe_of

RANKS = (srank, effective_rank, feature_rank, stable_rank)


def matrix(*singular_values, rows=9, columns=7):
  """A matrix of these singular values between random orthogonal bases."""
  draw = np.random.default_rng(0)
  u, _ = np.linalg.qr(draw.normal(size=[rows, rows]))
  v, _ = np.linalg.qr(draw.normal(size=[columns, columns]))
  s = np.zeros([rows, columns])
  np.fill_diagonal(s, [*singular_values, *[0] * columns][:columns])
  return jnp.array(u @ s @ v, jnp.float32)


@pytest.mark.parametrize('count', (1, 3, 7))
def test_srank_of_equal_singular_values_is_the_rank(count):
  assert rank(srank, matrix(*[2.0] * count)) == count


def test_srank_counts_up_to_the_share():
  # ShardedData 0.9, 0.985, 0.995, 1.
  features = matrix(90.0, 8.5, 1.0, 0.5)
  for delta, expected in ((0.2, 1), (0.05, 2), (0.01, 3), (0.001, 4)):
    assert rank(srank, features, delta=delta) == expected


def test_srank_where_the_share_is_met_exactly():
  # A share of three in four is as much as is asked for.
  assert float(srank_of(jnp.ones(4), 0.25)) == 3
  assert float(srank_of(jnp.ones(4), 0.24)) == 4
  assert float(srank_of(jnp.ones(4), 0.0)) == 4


def test_srank_of_nothing_is_zero():
  assert float(srank_of(jnp.zeros(3))) == 0


def test_srank_looks_at_dense_layers_and_at_the_end_of_the_encoder():
  features = {**FEATURES, 'second': np.eye(2)}
  assert floats(srank(probe_of(features))) == {'first': 2, 'second': 2}
  # Where a convolution ends the encoder, its flattened output.
  layers = (
    Layer('inner', ('encoder', 'inner')),
    Layer('conv', ('encoder', 'conv')),
    Layer('second', ('head', 'second')),
    Layer('last', ('head', 'last'), hidden=False),
  )
  conv = np.zeros([3, 1, 2, 2])
  conv[0, 0, 0, 0] = conv[1, 0, 1, 0] = conv[2, 0, 0, 1] = 1.0
  features = {**FEATURES, 'inner': conv, 'conv': conv, 'second': np.eye(3)}
  assert floats(srank(probe_of(features, layers=layers))) == {
    'conv': 3,
    'second': 3,
  }


def rank(measure, features, **options):
  """The rank of one layer's features."""
  probe = probe_of(
    {'second': features},
    layers=(
      Layer('second', ('head', 'second')),
      Layer('last', ('head', 'last'), hidden=False),
    ),
    inputs=np.zeros([len(features), 1]),
  )
  return float(measure(probe, **options)['second'])


def test_effective_rank():
  # ShardedData 1/2, 1/4, 1/4: an entropy of 1.5 bits.
  assert rank(effective_rank, matrix(4.0, 2.0, 2.0)) == pytest.approx(
    2**1.5, rel=1e-4
  )
  assert rank(effective_rank, matrix(5.0)) == pytest.approx(1, rel=1e-3)
  assert rank(effective_rank, np.eye(5)) == pytest.approx(5)


def test_feature_rank():
  # Of 9 examples: singular values over 3, so that the last is below 0.01.
  features = matrix(4.0, 2.0, 0.031, 0.029)
  assert rank(feature_rank, features) == 3
  assert rank(feature_rank, features, eps=1.0) == 1
  assert rank(feature_rank, 0.001 * features) == 0  # Scale matters.


def test_stable_rank():
  assert rank(stable_rank, matrix(4.0, 2.0, 2.0)) == pytest.approx(1.5)
  assert rank(stable_rank, 10 * np.eye(5)) == pytest.approx(5)


@pytest.mark.parametrize('measure', RANKS)
def test_rank_of_nothing_is_zero(measure):
  assert rank(measure, np.zeros([4, 3])) == 0


def test_names_that_are_confused_are_different_numbers():
  values = [rank(measure, matrix(9.0, 3.0, 1.0, 0.05)) for measure in RANKS]
  assert len({round(v, 3) for v in values}) == 4, values
