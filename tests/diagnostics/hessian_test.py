"""Lanczos against dense eigenvalues."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from plasticity_rl.diagnostics.hessian import hessian
from plasticity_rl.diagnostics.hessian import lanczos
from tests.diagnostics.probes import KEY
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import injected
from tests.diagnostics.probes import regression
from tests.diagnostics.probes import two_layers

X = [[1.0], [-1.0], [0.5], [2.0]]
Y = [[30.0], [-40.0], [10.0], [5.0]]


def dense(probe):
  """Every eigenvalue of the Hessian, ascending."""
  flat, unravel = ravel_pytree(probe.learns)

  def loss(p):
    return probe.loss(probe.with_learning(unravel(p)))[0].mean()

  return np.linalg.eigvalsh(np.asarray(jax.hessian(loss)(flat), np.float64))


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_hessian(of):
  """Of what learns: ten parameters, whatever is frozen."""
  probe = regression(of(two_layers()), X, Y, key=KEY)
  exact = dense(probe)
  assert exact.size == 10 and exact[0] < -1
  for iterations in (10, 50):
    assert floats(hessian(probe, iterations)) == pytest.approx(
      {'smallest': exact[0], 'largest': exact[-1], 'spectral_norm': exact[-1]},
      rel=1e-3,
    )


def test_one_iteration_is_a_mean_of_the_spectrum():
  probe = regression(two_layers(), X, Y, key=KEY)
  exact, values = dense(probe), floats(hessian(probe, 1))
  assert exact[0] < values['smallest'] == values['largest'] < exact[-1]


def symmetric(eigenvalues):
  draw = np.random.default_rng(1).normal(size=[len(eigenvalues)] * 2)
  q, _ = np.linalg.qr(draw)
  return jnp.array(q @ np.diag(eigenvalues) @ q.T, jnp.float32)


def test_both_ends_come_first():
  """Of 40 eigenvalues within -1 to 1 and one beyond at either end."""
  a = symmetric([-7.0, *np.linspace(-1, 1, 40), 4.0])
  values = lanczos(lambda v: a @ v, KEY, 42, 12)
  assert values.shape == (12,)
  assert float(values[0]) == pytest.approx(-7, rel=1e-4)
  assert float(values[-1]) == pytest.approx(4, rel=1e-4)
  # An eigenvalue that is there once is found once, as it would not be without
  # orthogonalising again.
  assert np.sum(np.abs(np.asarray(values) - 4) < 0.5) == 1


def test_many_iterations_find_every_eigenvalue_once():
  eigenvalues = np.sort([100.0, 50.0, *np.linspace(0.1, 1, 30)])
  a = symmetric(eigenvalues)
  values = lanczos(lambda v: a @ v, KEY, 32, 32)
  np.testing.assert_allclose(values, eigenvalues, atol=2e-3)


@pytest.mark.parametrize(
  'eigenvalues', ([-2.0] * 6, [3.0] * 6, [-5.0] * 3 + [-2.0] * 3)
)
def test_an_invariant_space_adds_nothing(eigenvalues):
  """The steps left over must not bring in a zero."""
  a = symmetric(eigenvalues)
  values = np.asarray(lanczos(lambda v: a @ v, KEY, 6, 6))
  assert values[0] == pytest.approx(min(eigenvalues), rel=1e-4)
  assert values[-1] == pytest.approx(max(eigenvalues), rel=1e-4)


def test_spectral_norm_is_that_of_either_end():
  """The spectrum of the loss upside down is upside down."""
  probe = regression(two_layers(), X, Y, key=KEY)
  loss = probe.loss
  probe = dataclasses.replace(probe, loss=lambda p: (-loss(p)[0], None))
  exact, values = dense(probe), floats(hessian(probe, 10))
  assert -exact[0] > exact[-1]
  assert values['spectral_norm'] == pytest.approx(-exact[0], rel=1e-3)
