"""The process that a run is in: what it must be, and what it was.

A run computes in float32 with JAX's default random numbers, whatever the user's
process computes in. `settled` sets this for the time of the run, and tells of
what it changed; so results do not depend on it. What cannot be set is refused
before anything is computed.

Functions on arrays and networks of one's own (`pl.inject`, `pl.redo`, ...) do
not use this: they take x64 and typed keys as they come.
"""

import contextlib
import contextvars
import os
import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

from absl import logging

from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError
from plasticity_rl.errors import one_line

# What a run needs, and why, for the message.
_NEEDED = {
  'jax_enable_x64': (False, 'a run computes in float32'),
  'jax_default_prng_impl': ('threefry2x32', 'its keys are of this kind'),
  'jax_enable_custom_prng': (False, 'its keys are arrays of uint32'),
  'jax_legacy_prng_key': ('allow', 'its keys are arrays of uint32'),
  'jax_numpy_dtype_promotion': ('standard', 'libraries it uses need it'),
  'jax_numpy_rank_promotion': ('allow', 'libraries it uses need it'),
  'jax_transfer_guard': ('allow', 'it copies between host and device'),
}
# What else changes results; recorded, and left as it is.
_RECORDED = (
  'jax_threefry_partitionable',
  'jax_random_seed_offset',
  'jax_default_matmul_precision',
  'jax_disable_jit',
  'jax_debug_nans',
)
_VARIABLES: tuple[str, ...] = (
  'JAX_',
  'XLA_',
  'OMP_',
  'OPENBLAS_',
  'PJRT_NPROC',
  'PYTHONOPTIMIZE',
  'CUDA_VISIBLE_DEVICES',
  'NVIDIA_TF32_OVERRIDE',
  'MUJOCO_GL',
)


_DEVICES, _THREADS = 'JAX_NUM_CPU_DEVICES', 'PJRT_NPROC'
_FORCED = r'--xla_force_host_platform_device_count=(\d+)'

_is_settled = contextvars.ContextVar('is_settled', default=False)


def divide_cpu(
  devices: int, environ: MutableMapping[str, str] = os.environ
) -> None:
  """Has jax divide the CPU into so many devices.

  With one device nothing is set: what the user's own variables say stays.

  Args:
    devices: how many.
    environ: the environment; changed.

  Raises:
    UserError: jax has started in this process with another number.
  """
  if devices > 1:
    environ[_DEVICES] = str(devices)
    if jax := sys.modules.get('jax'):  # It has read its variables.
      try:
        if jax.config.jax_num_cpu_devices != devices:
          jax.config.update('jax_num_cpu_devices', devices)
      except RuntimeError:
        raise UserError(
          f'--cpu_devices={devices}: jax has started in this process with '
          f'{jax.device_count()}: give it to a process of its own'
        ) from None
  _give_threads(environ)


def _give_threads(environ: MutableMapping[str, str]) -> None:
  """More threads than devices of the CPU, unless the user set a number.

  XLA has as many threads as there are cores, and a program on several devices
  holds one for each of them. Where it needs another and there is none, it waits
  for ever, as the program of the diagnostics was seen to do on two cores.
  """
  devices = _devices(environ)
  if devices > 1:
    environ.setdefault(_THREADS, str(devices + (os.cpu_count() or 1)))


def _devices(environ: MutableMapping[str, str]) -> int:
  """How many devices the CPU is divided into by these variables."""
  flags = re.findall(_FORCED, environ.get('XLA_FLAGS', ''))
  asked = [environ.get(_DEVICES, ''), *flags]
  return max(int(text) if text.isdecimal() else 1 for text in asked)


def use_one_thread(environ: MutableMapping[str, str] = os.environ) -> None:
  """Gives XLA one thread of the CPU, if it has not started yet.

  Nothing is set where the user set a number, or for several devices.

  Args:
    environ: the environment; changed.
  """
  if _devices(environ) == 1:
    environ.setdefault(_THREADS, '1')


def check_interpreter() -> None:
  """Refuses `python -O`.

  Raises:
    UserError: assertions are off. Haiku then gives layers other names, and
      with -OO some libraries cannot be imported.
  """
  if sys.flags.optimize:
    raise UserError(
      'python -O (or PYTHONOPTIMIZE) is on: layers would get other names, '
      'which no saved run has; start without it'
    )


@contextlib.contextmanager
def settled() -> Iterator[None]:
  """Sets what a run needs, and puts it back at the end.

  Also a decorator: `@settled()`.

  Raises:
    UserError: the process cannot run; nothing was changed.
  """
  check_interpreter()
  jax = _jax()
  before = {name: getattr(jax.config, name) for name in _NEEDED}
  try:
    for name, (needed, why) in _NEEDED.items():
      if before[name] in (needed, None):
        continue
      jax.config.update(name, needed)
      was = getattr(before[name], 'value', before[name])  # Of an enum.
      if getattr(jax.config, name) != needed:
        raise UserError(
          f'{name} is {was!r} by a context of jax around this call, and must '
          f'be {needed!r} ({why}): call it outside of the context'
        )
      logging.warning(
        '%s is %r, but %r during the run: %s', name, was, needed, why
      )
    _check_devices(jax)
    token = _is_settled.set(True)
    try:
      yield
    finally:
      _is_settled.reset(token)
  finally:
    for name, value in before.items():
      if getattr(jax.config, name) != value:
        jax.config.update(name, value)


def describe() -> dict[str, Any]:
  """The process, for the records of a run; never starts jax.

  Returns:
    'variables': those of the environment that jax and its libraries read. Of a
    process that computes also 'flags' of jax, 'backend', and 'devices' by kind.
  """
  found: dict[str, Any] = {
    'variables': {
      name: value
      for name, value in sorted(os.environ.items())
      if name.startswith(_VARIABLES)
    }
  }
  if _is_settled.get():
    jax = _jax()
    names = (*_NEEDED, *_RECORDED)
    found['flags'] = {n: getattr(jax.config, n, None) for n in names}
    found['backend'] = jax.default_backend()
    found['devices'] = [device.device_kind for device in jax.devices()]
  return found


def _jax() -> Any:
  try:
    import jax
  except ValueError as error:  # A variable with a value that it cannot have.
    raise UserError(f'jax does not start: {one_line(error)}') from None
  return jax


def _check_devices(jax: Any) -> None:
  _give_threads(os.environ)  # If jax has not started yet.
  try:
    jax.devices()
  except (RuntimeError, AssertionError) as error:
    asked = jax.config.jax_platforms
    where = f'JAX_PLATFORMS is {asked!r}' if asked else 'by itself'
    raise MissingDependencyError(
      f'jax finds no device, {where} ({one_line(error)}): unset it or set '
      'JAX_PLATFORMS=cpu, or install jax for the device; see '
      '`plasticity-rl doctor`'
    ) from None
