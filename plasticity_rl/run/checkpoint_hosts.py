"""A checkpoint that several hosts write: partitioned arrays, joint steps."""

import contextlib
import pathlib
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import RunError
from plasticity_rl.run import checkpoint_files


@contextlib.contextmanager
def joint_step(name: str, value: Any = None) -> Iterator[list[Any]]:
  """A step of saving that every host completes, or that fails on all of them.

  Args:
    name: of the step.
    value: of this host, for all the others.

  Yields:
    A list, which holds the values of all hosts once the context is left.

  Raises:
    RunError: another host failed.
  """
  values: list[Any] = []
  error = None
  try:
    yield values
  except Exception as caught:  # Of any kind: the others wait for this host.
    error = caught
  reason = checkpoint_files.short_reason(error) if error else None
  gathered = hosts.all_gather_object(f'checkpoint {name}', [reason, value])
  if error:
    raise error
  for host, (failure, one) in enumerate(gathered):
    if failure is not None:
      raise RunError(f'host {host}: {failure}')
    values.append(one)


def checksum(
  arrays: Mapping[str, np.ndarray], partition: Mapping[str, int]
) -> int:
  """A CRC of the arrays that must be equal on all hosts; 0 for one host."""
  crc = 0
  if hosts.count() > 1:
    for name, value in arrays.items():
      if name not in partition:
        crc = zlib.crc32(np.ascontiguousarray(value), crc)
  return crc


def global_shape(shape: tuple[int, ...], axis: int | None) -> list[int]:
  """The shape of an array that the hosts have equal parts of along `axis`."""
  if axis is None:
    return list(shape)
  return [n * hosts.count() if i == axis else n for i, n in enumerate(shape)]


def _local_shape(shape, axis, count):
  """The shape of one of `count` equal parts."""
  if axis is None:
    return shape
  return jax.ShapeDtypeStruct(
    tuple(n // count if i == axis else n for i, n in enumerate(shape.shape)),
    shape.dtype,
  )


def _joined(parts: list[np.ndarray], axis: int) -> np.ndarray:
  """Joins the parts of hosts.

  States of users' environments are bytes along the last axis, of another number
  on each host: zeros are added to them.
  """
  if axis < parts[0].ndim - 1:
    longest = max(part.shape[-1] for part in parts)
    parts = [
      np.pad(part, [*[(0, 0)] * (part.ndim - 1), (0, longest - part.shape[-1])])
      for part in parts
    ]
  return np.concatenate(parts, axis)


def read(
  folder: pathlib.Path,
  shapes: Mapping[str, jax.ShapeDtypeStruct],
  count: int,
  partition: Mapping[str, int],
) -> list[np.ndarray]:
  """Reads whole arrays from the parts that `count` hosts have saved.

  Args:
    folder: the checkpoint.
    shapes: of the whole arrays.
    count: the number of hosts that saved it.
    partition: for each partitioned array, its axis.

  Returns:
    The arrays in the order of `shapes`.
  """
  by_host = [
    checkpoint_files.read_arrays(
      folder / checkpoint_files.arrays_name(host),
      {
        k: _local_shape(v, partition.get(k), count)
        for k, v in shapes.items()
        if host == 0 or k in partition
      },
    )
    for host in range(count)
  ]
  return [
    _joined([one[k] for one in by_host], partition[k])
    if k in partition
    else by_host[0][k]
    for k in shapes
  ]
