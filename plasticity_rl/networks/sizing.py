"""Widths that give a network a wanted number of parameters.

Injection makes a network larger: k injections add 2 k frozen heads. For a fair
comparison, a baseline can have equally many parameters from the start.
"""

import dataclasses
import functools

import jax

from plasticity_rl.errors import UserError
from plasticity_rl.injection import HEAD
from plasticity_rl.networks import sequential
from plasticity_rl.networks.sequential import Sequential

PARTS = ('head', 'all')


def parameter_count(config: Sequential, injections: int = 0) -> int:
  """Number of parameters after `injections`, frozen ones included.

  Raises:
    UserError: the settings do not fit together.
  """
  network, _ = sequential.build(config)
  params = jax.eval_shape(network.init, jax.random.PRNGKey(0))
  total, head = (
    sum(x.size for x in jax.tree.leaves(tree))
    for tree in (params, params[HEAD])
  )
  return total + 2 * injections * head


def nearest(config: Sequential, count: int, part: str = 'head') -> Sequential:
  """Scales widths until the number of parameters is closest to `count`.

  All scaled widths (and filters) are multiplied by the same factor and rounded,
  to at least one unit.

  Args:
    config: the network to scale.
    count: wanted number of parameters of the whole network.
    part: 'head' scales the hidden layers of the head and keeps the encoder;
      'all' scales all hidden layers.

  Returns:
    The scaled network.

  Raises:
    UserError: `part` has no hidden layer, or the settings do not fit together.
  """
  first = config.split_index if part == 'head' else 0
  n_conv = len(config.convolutions)
  if first >= n_conv + len(config.hidden):
    raise UserError(
      "network.sized_part is 'head', but the head has no hidden layer "
      "of network.hidden: split the network earlier, or take 'all'"
    )
  # A width that counts features must be a multiple of the features per unit.
  step = config.features_per_unit if config.width_counts == 'features' else 1

  def scaled(factor):
    def width(i, size):
      if i < first:
        return size
      return step * max(1, round(factor * size / step))

    return dataclasses.replace(
      config,
      convolutions=tuple(
        (width(i, filters), *rest)
        for i, (filters, *rest) in enumerate(config.convolutions)
      ),
      hidden=tuple(
        width(n_conv + i, size) for i, size in enumerate(config.hidden)
      ),
    )

  size = functools.cache(parameter_count)
  low, high = 0.0, 1.0
  while size(scaled(high)) < count:
    low, high = high, 2 * high
  # Bisect until `low` and `high` give the same widths.
  while high - low > 1e-4 * high and scaled(low) != scaled(high):
    middle = (low + high) / 2
    if size(scaled(middle)) < count:
      low = middle
    else:
      high = middle
  return min((scaled(low), scaled(high)), key=lambda c: abs(size(c) - count))
