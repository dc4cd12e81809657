"""Divides this machine's devices and cores between runs."""

import dataclasses
import os
import pathlib
import shutil
import subprocess
from collections.abc import Mapping

from plasticity_rl.errors import UserError


@dataclasses.dataclass(frozen=True)
class Slot:
  """Room for one run.

  Attributes:
    cores: the cores that the run may use.
    environment: variables for its process.
  """

  cores: tuple[int, ...]
  environment: Mapping[str, str]


def gpus() -> list[str]:
  """Identifiers of the GPUs that may be used."""
  visible = os.environ.get('CUDA_VISIBLE_DEVICES')
  if visible is not None:
    return [x for x in visible.split(',') if x not in ('', '-1')]
  if os.environ.get('JAX_PLATFORMS', '').startswith('cpu'):
    return []
  program = shutil.which('nvidia-smi')
  if program is None:
    return []
  listed = subprocess.run(
    [program, '--query-gpu=index', '--format=csv,noheader'],
    capture_output=True,
    text=True,
    timeout=60,
  )
  return listed.stdout.split() if listed.returncode == 0 else []


def has_tpu() -> bool:
  """Whether this machine is a host of a TPU, which one process may use."""
  return any(pathlib.Path('/dev').glob('accel*'))


def make(max_parallel: int | None = None) -> list[Slot]:
  """Makes a slot for each GPU, or one for the TPU, or one for each core.

  There are never more slots than cores or devices: two runs at a time on one
  core take longer than one after the other.

  Args:
    max_parallel: the number of slots; fewer slots have more cores.

  Returns:
    The slots.

  Raises:
    UserError: there are fewer devices or cores than `max_parallel`.
  """
  cores = sorted(os.sched_getaffinity(0))
  devices = gpus()
  if not devices and has_tpu():
    devices = ['tpu']
  most = min(len(devices), len(cores)) if devices else len(cores)
  count = most if max_parallel is None else max_parallel
  if count > most:
    what = f'{len(cores)} cores'
    if devices:
      what = 'a TPU' if devices == ['tpu'] else f'{len(devices)} GPUs'
    raise UserError(
      f'--max_parallel is {count}, but this machine has {what}: runs that '
      'share one are slower than one after the other'
    )
  # As evenly as possible: 2 slots on 5 cores get 3 and 2.
  parts = [tuple(cores[i::count]) for i in range(count)]
  if devices == ['tpu']:
    return [Slot(parts[0], {})]
  if not devices:
    return [Slot(part, {'JAX_PLATFORMS': 'cpu'}) for part in parts]
  return [
    Slot(part, {'CUDA_VISIBLE_DEVICES': device})
    for part, device in zip(parts, devices, strict=False)
  ]
