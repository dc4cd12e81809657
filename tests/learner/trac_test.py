"""TRAC beside NumPy, and what it is for."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special

from plasticity_rl.learner import trac
from plasticity_rl.learner.trac import scale_by_trac

START = {'w': jnp.array([[1.0, -2.0], [0.5, 3.0]]), 'b': jnp.array([0.1, -1.0])}


def test_erfi_is_scipys():
  x = np.float32([*np.logspace(-6, np.log10(9), 100), 0.0])
  wanted = scipy.special.erfi(x.astype(np.float64))
  for sign in (1, -1):
    found = np.asarray(trac.erfi(jnp.array(sign * x)), np.float64)
    np.testing.assert_allclose(found, sign * wanted, rtol=1e-5)
  large = trac.erfi(jnp.array([20.0, -20.0]))
  np.testing.assert_allclose(large, [wanted[-2], -wanted[-2]], rtol=1e-4)


def by_hand(gradients, rate):
  """Parameters after each step, of plain descent under the tuner, float64."""
  betas = np.array([0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999])
  variance, sigma = np.zeros(6), np.zeros(6)
  start = np.concatenate([np.ravel(START[k]) for k in ('b', 'w')]).astype(float)
  base, found = start.copy(), []
  for g in gradients:
    g = np.concatenate([np.ravel(g[k]) for k in ('b', 'w')]).astype(float)
    h = g @ (base - start)
    variance = betas**2 * variance + h**2
    sigma = betas * sigma - h
    with np.errstate(invalid='ignore'):
      x = np.where(variance > 0, sigma / np.sqrt(2 * variance), 0)
    s = 1e-8 * scipy.special.erfi(x) / scipy.special.erfi(0.5**0.5)
    base = base - rate * g
    found.append(start + max(s.sum(), 0) * (base - start))
  return found


def descend(optimizer, gradients):
  params, state = START, optimizer.init(START)
  found = []
  for g in gradients:
    updates, state = optimizer.update(g, state, params)
    params = optax.apply_updates(params, updates)
    found.append(np.concatenate([np.ravel(params[k]) for k in ('b', 'w')]))
  return found


def test_by_hand():
  """Gradients that agree for long, and then turn round."""
  rng = np.random.default_rng(0)
  rate = 1e5  # So that the first steps can be seen in float32.
  gradients = [
    jax.tree.map(
      lambda x, i=i: jnp.float32(
        (1 if i < 40 else -3) * (1 + rng.uniform(0, 0.3, x.shape))
      ),
      START,
    )
    for i in range(60)
  ]
  optimizer = optax.chain(
    scale_by_trac(optax.identity()), optax.scale_by_learning_rate(rate)
  )
  found = descend(optimizer, gradients)
  wanted = by_hand(gradients, rate)
  start = np.concatenate([np.ravel(START[k]) for k in ('b', 'w')])
  np.testing.assert_array_equal(found[0], start)
  for i in (1, 5, 20, 39):
    np.testing.assert_allclose(found[i] - start, wanted[i] - start, rtol=2e-3)
  far, back = (np.abs(found[i] - start).max() for i in (39, 59))
  assert far > 1e3 and back < 1e-3 * far
  np.testing.assert_allclose(
    found[59] - start, wanted[59] - start, rtol=0.1, atol=1e-6 * far
  )


@pytest.mark.parametrize('rate', (1e-4, 1e-2, 1.0))
def test_any_learning_rate_of_adam_gets_there(rate):
  """Within a factor of ten thousand, to within a tenth of the way."""
  optimizer = optax.chain(
    scale_by_trac(optax.scale_by_adam()), optax.scale_by_learning_rate(rate)
  )
  goal = jnp.array([3.0, -2.0])

  def step(carry, _):
    params, state = carry
    updates, state = optimizer.update(params - goal, state, params)
    return (optax.apply_updates(params, updates), state), params

  start = jnp.zeros([2])
  _, path = jax.lax.scan(step, (start, optimizer.init(start)), None, 1000)
  distance = np.linalg.norm(path - goal, axis=1)
  assert distance[10] > 3.5  # It starts from nothing.
  assert distance.min() < 0.4, distance.min()


def test_whatever_else_moves_the_parameters_moves_their_origin():
  """A weight that is drawn again is not pulled to where it began before."""
  optimizer = scale_by_trac(optax.identity())
  w = jnp.array([1.0, 2.0])
  state = optimizer.init(w)
  g = jnp.ones([2])
  for _ in range(60):
    updates, state = optimizer.update(g, state, w)
    w = w - updates
  assert state.scale > 0.01
  # As `reset_moments` does of the first weight.
  state = state._replace(total=state.total.at[0].set(0.0))
  scale, total = state.scale, state.total
  updates, new = optimizer.update(g, state, jnp.array([50.0, w[1]]))
  np.testing.assert_allclose(updates[0], new.scale, rtol=1e-6)
  np.testing.assert_allclose(
    updates[1], new.scale * (total[1] + 1) - scale * total[1], rtol=1e-4
  )
