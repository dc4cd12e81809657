"""Rank and condition of kernels of known spectra."""

import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.errors import UserError
from plasticity_rl.measures import kernels


def test_the_kernel_is_summed_over_all_parameters():
  rng = np.random.default_rng(0)
  tree = {
    'w': rng.standard_normal((5, 3, 2), np.float32),
    'b': rng.standard_normal((5, 4), np.float32),
  }
  rows = np.concatenate([tree['w'].reshape(5, -1), tree['b']], 1)
  np.testing.assert_allclose(kernels.gram(tree), rows @ rows.T, rtol=1e-5)


def test_rank_is_of_eigenvalues_and_condition_too():
  """Gradients of lengths 10, 3 and 1 in orthogonal directions."""
  gradients = np.diag([3.0, 10.0, 1.0])
  # Of 110: the largest holds 0.909, two of them 0.991.
  for delta, rank in ((0.1, 1), (0.01, 2), (0.001, 3)):
    assert float(measures.ntk_rank(gradients, delta)) == rank
  assert float(measures.ntk_condition(gradients)) == pytest.approx(
    100, rel=1e-4
  )
  # Neither changes with the scale.
  assert float(measures.ntk_rank(1e3 * gradients)) == 2
  assert float(measures.ntk_condition(1e3 * gradients)) == pytest.approx(
    100, rel=1e-4
  )


def test_a_singular_kernel_is_as_bad_as_can_be_told():
  gradients = np.ones([4, 7], np.float32)
  assert float(measures.ntk_rank(gradients)) == 1
  assert float(measures.ntk_condition(gradients)) == pytest.approx(
    1 / (4 * np.finfo(np.float32).eps), rel=1e-3
  )


def test_without_gradients():
  nothing = np.zeros([3, 2])
  assert float(measures.ntk_rank(nothing)) == 0
  assert np.isnan(measures.ntk_condition(nothing))


@pytest.mark.parametrize(
  'call, message',
  (
    (lambda: measures.ntk_rank({}), 'gradients: the tree has no array'),
    (
      lambda: measures.ntk_condition([np.ones([2, 3]), np.ones([4, 3])]),
      r'gradients: expected arrays \[n, ...\] of as many examples',
    ),
    (lambda: measures.ntk_condition(1.0), r'gradients: expected arrays \[n'),
    (lambda: measures.ntk_rank(np.eye(2), delta=1), 'delta must be'),
    (lambda: measures.ntk_rank([[np.nan]]), 'not all values are finite'),
  ),
)
def test_what_is_refused(call, message):
  with pytest.raises(UserError, match=message):
    call()
