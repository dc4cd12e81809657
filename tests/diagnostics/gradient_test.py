"""Gradients of a network that was differentiated by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.diagnostics.gradient import gradient_l0
from plasticity_rl.diagnostics.gradient import gradient_l1
from plasticity_rl.diagnostics.gradient import gradient_l2
from plasticity_rl.diagnostics.gradient_covariance import gradient_covariance
from plasticity_rl.diagnostics.grama import grama
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import injected
from tests.diagnostics.probes import regression
from tests.diagnostics.probes import two_layers

X, Y = [[1.0], [-1.0]], [[5.0], [7.0]]  # Errors 1 and -2.


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_gradient_norms(of):
  """Mean gradients: first w (1.5, 5, 0), b (1.5, -5, 0); last (1, -1, 0), -.5.

  Frozen heads are no part of them, and what they add to the encoder's cancels.
  """
  probe = regression(of(two_layers()), X, Y)
  assert floats(gradient_l0(probe)) == pytest.approx(
    {'first': 4 / 6, 'last': 3 / 4, 'trainable': 7 / 10}
  )
  assert floats(gradient_l1(probe)) == pytest.approx(
    {'first': 13, 'last': 2.5, 'trainable': 15.5}, rel=1e-5
  )
  assert floats(gradient_l2(probe)) == pytest.approx(
    {'first': 54.5**0.5, 'last': 1.5, 'trainable': 56.75**0.5}, rel=1e-5
  )


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_grama(of):
  """Mean |gradient| of the hidden units: 1.5, 5 and 0, by w alone."""
  probe = regression(of(two_layers()), X, Y)
  third = {'first': 1 / 3, 'encoder': 1 / 3}
  assert floats(grama(probe)) == pytest.approx(third)
  # 1.5 over their mean, 6.5 / 3, is 0.692.
  assert floats(grama(probe, tau=0.69)) == pytest.approx(third)
  assert floats(grama(probe, tau=0.7))['first'] == pytest.approx(2 / 3)


def test_gradient_is_computed_once():
  calls = []
  probe = regression(two_layers(), X, Y)
  loss = probe.loss
  object.__setattr__(probe, 'loss', lambda p: calls.append(p) or loss(p))
  gradient_l0(probe), gradient_l1(probe), gradient_l2(probe), grama(probe)
  assert len(calls) == 1


# Of the examples: w (3, 0, 0), b (3, 0, 0), w (2, 0, 0), b 1, and
# w (0, 10, 0), b (0, -10, 0), w (0, -2, 0), b -2.
COSINE = -2 / (23 * 208) ** 0.5


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_gradient_covariance(of):
  values = gradient_covariance(regression(of(two_layers()), X, Y))
  assert floats(values) == pytest.approx({'cosine': COSINE, 'rank': 2})


@pytest.mark.slow
def test_gradient_covariance_of_some_examples():
  """Twice the same gradient, and one that is not looked at."""
  probe = regression(
    two_layers(), [[1.0], [-1.0], [1.0], [3.0]], [[5.0], [7.0], [4.0], [0.0]]
  )
  values = gradient_covariance(probe, examples=3)
  assert floats(values) == pytest.approx(
    {'cosine': (1 + 2 * COSINE) / 3, 'rank': 2}, rel=1e-5
  )


def test_gradient_covariance_without_some_gradients():
  """A fit that is exact counts as orthogonal to all."""
  probe = regression(
    two_layers(), [[1.0], [-1.0], [1.0]], [[5.0], [7.0], [6.0]]
  )
  values = gradient_covariance(probe)
  assert floats(values) == pytest.approx(
    {'cosine': 2 * COSINE / 6, 'rank': 2}, rel=1e-5
  )
  values = gradient_covariance(
    regression(two_layers(), [[1.0], [-1.0]], [[6.0], [5.0]])
  )
  assert floats(values) == {'cosine': 0, 'rank': 0}


@pytest.mark.slow
def test_rank_of_the_gradients_by_their_eigenvalues():
  """Nearly on a line: the rest holds less than 1 % of the trace."""
  x = np.linspace(1, 1.05, 6)[:, None]
  values = gradient_covariance(regression(two_layers(), x, 0 * x))
  assert float(values['rank']) == 1
  assert float(values['cosine']) > 0.99
  values = gradient_covariance(regression(two_layers(), x, 0 * x), delta=1e-6)
  assert float(values['rank']) > 1
  assert jnp.isfinite(values['cosine'])
