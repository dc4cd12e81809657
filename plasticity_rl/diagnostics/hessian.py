"""The ends of the spectrum of the loss's Hessian, by Lanczos."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from plasticity_rl.diagnostics.base import Probe
from plasticity_rl.types import Key


def hessian(probe: Probe, iterations: int = 20) -> dict[str, jax.Array]:
  """Extreme eigenvalues of the Hessian of the mean loss by what learns.

  On the probe batch, without penalties; a target network is a constant of the
  loss. Lanczos (1950) with full reorthogonalisation on Hessian-vector
  products. Its values lie within the true spectrum and reach its ends as
  `iterations` grow: 20, which take 20 times the memory of the parameters and
  as many double gradients, tell the first digits of the largest.

  Args:
    probe: of the network.
    iterations: of Lanczos; no more than there are parameters are made.

  Returns:
    'largest' and 'smallest', algebraically (the smallest is negative off a
    minimum), and 'spectral_norm', the largest in magnitude.
  """
  flat, unravel = ravel_pytree(probe.learns)

  def loss(p):
    return probe.loss(probe.with_learning(unravel(p)))[0].mean()

  values = lanczos(
    lambda v: jax.jvp(jax.grad(loss), (flat,), (v,))[1],
    probe.key_for('hessian'),
    flat.size,
    iterations,
  )
  return {
    'largest': values[-1],
    'smallest': values[0],
    'spectral_norm': jnp.abs(values).max(),
  }


def lanczos(
  product: Callable[[jax.Array], jax.Array],
  key: Key,
  size: int,
  iterations: int,
) -> jax.Array:
  """Ritz values of a symmetric matrix, ascending, `[min(iterations, size)]`.

  Args:
    product: `v [size] -> A v [size]`.
    key: of the start vector, which is normal; consumed.
    size: rows of A.
    iterations: dimension of the Krylov space.
  """
  count = min(iterations, size)
  start = jax.random.normal(key, [size])
  start = start / jnp.linalg.norm(start)

  def step(carry, i):
    basis, v, scale, alive = carry
    basis = basis.at[i].set(v)
    w = product(v)
    alpha = v @ w
    # Twice, since once loses digits where w nearly lies in the space.
    for _ in range(2):
      w = w - basis.T @ (basis @ w)
    beta = jnp.linalg.norm(w)
    scale = jnp.maximum(scale, jnp.abs(alpha) + beta)
    # Once the space is invariant what is left is rounding.
    goes_on = alive & (beta > 1e-5 * scale)
    v = jnp.where(goes_on, w / jnp.where(beta > 0, beta, 1), 0)
    carry = basis, v, scale, goes_on
    return carry, (alpha, jnp.where(goes_on, beta, 0), alive)

  zeros = jnp.zeros([count, size])
  _, (alpha, beta, alive) = jax.lax.scan(
    step, (zeros, start, jnp.array(0.0), jnp.array(True)), jnp.arange(count)
  )
  # What stands for steps that were not made lies within the spectrum.
  alpha = jnp.where(alive, alpha, alpha[0])
  off = jnp.diag(beta[:-1], 1)
  return jnp.linalg.eigvalsh(jnp.diag(alpha) + off + off.T)
