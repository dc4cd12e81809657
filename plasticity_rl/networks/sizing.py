"""Widths by which a network has a given number of parameters.

A network that is injected grows: k injections add 2 k frozen heads. Compare it
with one that is as large from the start, at equal parameters at the end.
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
  """Weights and biases after so many injections, frozen ones included."""
  network, _ = sequential.build(config)
  params = jax.eval_shape(network.init, jax.random.PRNGKey(0))
  total, head = (
    sum(x.size for x in jax.tree.leaves(tree))
    for tree in (params, params[HEAD])
  )
  return total + 2 * injections * head


def nearest(config: Sequential, count: int, part: str = 'head') -> Sequential:
  """The network whose widths are scaled so that its size is nearest `count`.

  Args:
    config: the network to scale.
    count: parameters to come near to, of the whole network.
    part: 'head' multiplies the widths (and filters) of hidden layers in the
      head by one factor and leaves the encoder as it is; 'all' those of all
      hidden layers. Each width is then rounded, to at least one unit.

  Raises:
    UserError: `part` has no hidden layer.
  """
  first = config.split_index if part == 'head' else 0
  n_conv = len(config.convolutions)
  if first >= config.num_layers - 1:
    raise UserError(
      "network.sized_part is 'head', but the head has no hidden layer: "
      "split the network earlier, or take 'all'"
    )
  # Widths that count features come in whole units.
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
  # Until no layer has a width between the two.
  while high - low > 1e-4 * high and scaled(low) != scaled(high):
    middle = (low + high) / 2
    if size(scaled(middle)) < count:
      low = middle
    else:
      high = middle
  return min((scaled(low), scaled(high)), key=lambda c: abs(size(c) - count))
