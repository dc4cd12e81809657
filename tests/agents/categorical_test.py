"""Distributions of returns, against a loop over bins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.agents.categorical import Bins

BINS = Bins(5, 2.0)  # -2, -1, 0, 1, 2.
RNG = np.random.default_rng(0)
OUTPUTS = jnp.array(RNG.normal(size=(3, 10)), jnp.float32)
P = np.exp(np.asarray(OUTPUTS).reshape(3, 2, 5))
P /= P.sum(-1, keepdims=True)


def test_means_of_each_member():
  np.testing.assert_allclose(BINS.returns, [-2, -1, 0, 1, 2])
  expected = P @ np.array([-2, -1, 0, 1, 2.0])
  np.testing.assert_allclose(BINS.means(OUTPUTS), expected, rtol=1e-5)


def projected(i, shift, reward, scale):
  """Of example i, return by return."""
  member = (P[i] @ np.array([-2, -1, 0, 1, 2.0])).argmin()
  found = np.zeros(5)
  for k, z in enumerate((-2, -1, 0, 1, 2)):
    at = np.clip(reward + scale * (z + shift), -2, 2) + 2
    low = int(np.floor(at))
    found[low] += P[i, member, k] * (1 - (at - low))
    if at > low:
      found[low + 1] += P[i, member, k] * (at - low)
  return found


@pytest.mark.parametrize(
  'shift, reward, scale',
  ((0.0, 0.0, 1.0), (0.3, 0.25, 0.9), (-0.5, 1.7, 0.99), (5.0, -0.4, 0.0)),
)
def test_the_target_is_moved_and_shared_by_the_bins_beside(
  shift, reward, scale
):
  full = [jnp.full(3, x) for x in (shift, reward, scale)]
  found = BINS.target(OUTPUTS, *full)
  for i in range(3):
    np.testing.assert_allclose(
      found[i], projected(i, shift, reward, scale), rtol=1e-4, atol=1e-6
    )
  np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)


def test_the_loss_is_least_where_members_are_the_target():
  target = BINS.target(OUTPUTS, jnp.zeros(3), jnp.zeros(3), jnp.ones(3))
  same = jnp.log(jnp.concatenate([target, target], -1))
  gradient = jax.grad(lambda x: BINS.errors(x, target).sum())(same)
  np.testing.assert_allclose(gradient, 0, atol=1e-6)
  expected = -(np.asarray(target)[:, None] * np.log(P)).sum((-2, -1))
  np.testing.assert_allclose(BINS.errors(OUTPUTS, target), expected, rtol=1e-5)
