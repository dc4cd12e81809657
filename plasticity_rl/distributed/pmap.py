"""Functions compiled for many devices: the only file with `jax.pmap`.

Of the mapped axis each process passes the part of its own devices, and gets
that part back.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from plasticity_rl.distributed.placement import AXIS
from plasticity_rl.distributed.placement import Placement
from plasticity_rl.distributed.placement import over_axes


def over_seeds(
  function: Callable[..., Any],
  placement: Placement,
  inputs: tuple[Any, ...],
  outputs: Any,
  donate: tuple[int, ...],
) -> Callable[..., Any]:
  """Compiles a function of a group of seeds, one group a device.

  Args:
    function: what every device does.
    placement: on the devices of this process. No device needs another.
    inputs: the axis of seeds of each argument, `[S, ...]`; None for what is
      the same on all devices.
    outputs: the axis of seeds of the results, likewise.
    donate: numbers of arguments whose buffers may be used again.
  """
  count = len(placement.devices)
  spread = jax.pmap(
    function, in_axes=inputs, out_axes=outputs, devices=placement.devices
  )

  def split(axis, tree):
    if axis is None:
      return tree
    return jax.tree.map(
      lambda x: x.reshape(count, x.shape[0] // count, *x.shape[1:]), tree
    )

  def join(axis, tree):
    if axis is None:
      return tree
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)

  def by_group(*args):
    return over_axes(join, outputs, spread(*over_axes(split, inputs, args)))

  compiled = _jit(by_group, placement, inputs, outputs, donate)
  return _placing(compiled, placement, inputs)


def over_data(
  function: Callable[..., Any],
  placement: Placement,
  devices: tuple[jax.Device, ...],
  inputs: tuple[Any, ...],
  outputs: Any,
  donate: tuple[int, ...],
) -> Callable[..., Any]:
  """Compiles a function of a share of the data, one share a device.

  Args:
    function: what every device does; `AXIS` is the name of its collectives.
    placement: on the devices of this process.
    devices: of all processes.
    inputs: the axis of devices of each argument, `[D, ...]`; None for what is
      the same on all devices.
    outputs: the axis of devices of the results, likewise.
    donate: numbers of arguments whose buffers may be used again.
  """
  # One more argument, as there may be none that differs between devices.
  numbers = np.arange(len(placement.devices))

  def spread(**options):
    return jax.pmap(
      lambda _, *args: function(*args),
      AXIS,
      in_axes=(0, *inputs),
      out_axes=outputs,
      devices=devices,
      **options,
    )

  if len(placement.devices) == len(devices):
    inside = spread()

    def by_share(*args):
      return inside(numbers, *args)

    compiled = _jit(by_share, placement, inputs, outputs, donate)
    return _placing(compiled, placement, inputs)
  # Inside a `jit` it would know the devices of this process alone.
  outside = spread(donate_argnums=tuple(i + 1 for i in donate))
  here = placement.place(0, numbers)
  placing = _placing(outside, placement, (0, *inputs))
  return _with_lower(
    functools.partial(placing, here),
    functools.partial(placing.lower, here),
  )


def blocking(function: Callable[..., Any]) -> Callable[..., Any]:
  """A compiled function that waits for its results."""

  def blocked(*args):
    result = function(*args)
    leaves = jax.tree.leaves(result)
    if not isinstance(leaves[0], jax.core.Tracer):  # As all of them are.
      jax.block_until_ready(leaves)
    return result

  return _with_lower(blocked, function.lower)


def _jit(function, placement, inputs, outputs, donate):
  """`jit` round a `pmap`, to be called without Python for each argument.

  It is told where everything is, so that it is the same program whether
  arguments were placed here or returned by the call before.
  """
  return jax.jit(
    function,
    donate_argnums=donate,
    in_shardings=over_axes(placement.sharding, inputs),
    out_shardings=over_axes(placement.sharding, outputs),
  )


def _placing(function, placement, axes):
  """The function, with arguments where it wants them."""
  placed = functools.partial(placement.place_prefix, axes)
  return _with_lower(
    lambda *args: function(*placed(args)),
    lambda *args: function.lower(*placed(args)),
  )


def _with_lower(function, lower):
  """A function that can be lowered as what `jit` returns."""
  function.lower = lower
  return function
