"""Parts about numbers: are they those of a CPU, and how exact are products?"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.accelerator import programs
from benchmarks.accelerator.sizes import Sizes
from plasticity_rl.errors import UserError

Rows = list[dict[str, Any]]

# How networks compute, and how far their change by a few updates with SGD may
# be from the CPU's in float32, relative in norm. TF32 has 10 bits of a
# mantissa, bfloat16 has 7.
_PRECISIONS = (
  ('float32, exact products', 'float32', 'highest', 1e-3),
  ('float32, products by default', 'float32', 'default', 5e-2),
  ('bfloat16', 'bfloat16', 'default', 2e-1),
)
# Relative errors of products above which their inputs were rounded so.
_ROUNDED = ((1e-3, 'bfloat16'), (2e-5, 'TF32'), (0.0, 'float32'))


def cpu() -> jax.Device:
  """The CPU, beside whatever else there is.

  Raises:
    UserError: it was excluded.
  """
  try:
    return jax.devices('cpu')[0]
  except RuntimeError as error:
    raise UserError(
      'JAX_PLATFORMS leaves out the CPU, with which numbers are compared; add '
      "',cpu' to it, or unset it"
    ) from error


def equality(sizes: Sizes) -> Rows:
  """Updates on the accelerator and on the CPU, from the same networks."""
  rows = []
  for name in programs.AGENTS:
    expected: Any = None
    for label, dtype, precision, tolerance in _PRECISIONS:
      config, spaces = programs.config_of(name, sizes)
      config.optimizer.name = 'sgd'  # Adam would divide small errors by less.
      batch = programs.batch_of(spaces, config.replay.batch_size)
      if expected is None:
        agent = programs.make_agent(config, spaces)
        nets = jax.device_put(agent.init(jax.random.PRNGKey(0)), cpu())
        with jax.default_matmul_precision('highest'):
          expected = _changes(agent, nets, batch, cpu())
      config.network.precision = dtype
      agent = programs.make_agent(config, spaces)
      with jax.default_matmul_precision(precision):
        found = _changes(agent, nets, batch, jax.devices()[0])
      distance = float(
        np.linalg.norm(found - expected) / np.linalg.norm(expected)
      )
      rows.append(
        {
          'agent': name,
          'computes in': label,
          'distance': distance,
          'tolerance': tolerance,
          'holds': distance <= tolerance,
        }
      )
  return rows


def _changes(agent, nets, batch, device):
  """How all weights change by a few updates on a device, as one vector."""
  with jax.default_device(device):
    before, batch = jax.device_put((nets, batch), device)
    after = programs.updates(agent, 4)(before, batch)
  return np.concatenate(
    [
      (np.asarray(b, np.float64) - np.asarray(a, np.float64)).ravel()
      for name in sorted(nets)
      for a, b in zip(
        jax.tree.leaves(before[name].params),
        jax.tree.leaves(after[name].params),
        strict=True,
      )
    ]
  )


def precision(sizes: Sizes) -> Rows:
  """Errors and rates of products, which tell TF32 and bfloat16 apart."""
  size, rows = sizes.product, []
  x, y = np.random.default_rng(0).normal(size=(2, size, size))
  exact = x[:64] @ y
  for label, dtype, how in (
    ('float32, highest', jnp.float32, 'highest'),
    ('float32, high', jnp.float32, 'high'),
    ('float32, default', jnp.float32, 'default'),
    ('bfloat16', jnp.bfloat16, 'default'),
  ):
    found = jnp.matmul(
      jnp.asarray(x[:64], dtype),
      jnp.asarray(y, dtype),
      precision=how,
      preferred_element_type=jnp.float32,
    )
    error = np.linalg.norm(np.asarray(found) - exact) / np.linalg.norm(exact)
    seconds = programs.product_seconds(size, dtype, how, sizes.repeats)
    rows.append(
      {
        'product': label,
        'relative error': float(error),
        'rounded to': next(to for least, to in _ROUNDED if error >= least),
        'TFLOP/s': 2 * size**3 / seconds / 1e12,
      }
    )
  return rows


def donation(sizes: Sizes) -> Rows:
  """Whether a segment works in the buffers of its state."""
  experiment = programs.game('minatar', sizes, sizes.seeds[-1], 1)
  state = experiment.init()
  size = sum(x.nbytes for x in jax.tree.leaves(state))
  after, _ = experiment.trainer.segment(state)
  jax.block_until_ready(after)
  kept = sum(not x.is_deleted() for x in jax.tree.leaves(state))
  memory = jax.devices()[0].memory_stats() or {}
  return [
    {
      'state, MB': size / 1e6,
      'buffers not donated': kept,
      'holds': kept == 0,
      # Of the process so far: an upper bound.
      'peak, MB': memory.get('peak_bytes_in_use', 0) / 1e6 or None,
    }
  ]
