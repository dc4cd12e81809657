"""What is installed, what works, and the command that mends what does not.

Runs where the framework's own requirements are missing or broken, so this file
imports what needs the standard library only and tries everything else one by
one.
"""

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from plasticity_rl import compilation_cache

_DISTRIBUTION = 'plasticity_rl'

# Where a package is imported by another name than it is installed by.
_MODULES = {
  'absl-py': 'absl',
  'ml-collections': 'ml_collections',
  'dm-env': 'dm_env',
  'dm-haiku': 'haiku',
  'orbax-checkpoint': 'orbax.checkpoint',
}

# What each graphics library is installed by, on Debian and Ubuntu.
_RENDERERS = {'egl': 'libegl1 libgl1', 'osmesa': 'libosmesa6 libgl1'}


class Requirement(NamedTuple):
  """One line of the requirements of the framework.

  Attributes:
    name: of the package.
    bounds: for instance '>=2.0,<3'.
    extra: the extra that asks for it; '' for the base.
  """

  name: str
  bounds: str
  extra: str


class Line(NamedTuple):
  """One line of the report.

  Attributes:
    name: what was looked at.
    state: what was found.
    mend: the command that mends it; '' if nothing is wrong.
  """

  name: str
  state: str
  mend: str = ''


def parse_requirement(text: str) -> Requirement:
  """A requirement as `importlib.metadata` gives it."""
  name, bounds = re.match(r'([\w.-]+)\s*([^;]*)', text).groups()
  extra = re.search(r'extra\s*==\s*[\'"]([\w-]+)', text)
  return Requirement(name, bounds.strip(), extra.group(1) if extra else '')


def within(version: str, bounds: str) -> bool:
  """Whether a version is within bounds of the form '>=1.2,<3'."""

  def numbers(text):
    release = re.match(r'\d+(\.\d+)*', text)
    parts = [int(n) for n in release.group().split('.')] if release else []
    return parts + [0] * (8 - len(parts))  # 2.0 equals 2.0.0.

  for sign, bound in re.findall(r'(>=|<)\s*([\w.]+)', bounds):
    at_least = numbers(version) >= numbers(bound)
    if at_least != (sign == '>='):
      return False
  return True


def installed_version(name: str) -> str | None:
  """The version of an installed package, None where there is none."""
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return None


def _import_error(module: str) -> str:
  """What importing a module raises, in one line; '' if it works."""
  try:
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')  # Of the packages, to their authors.
      importlib.import_module(module)
  except Exception as error:  # Whatever is raised is what we are asked for.
    return f'{type(error).__name__}: {" ".join(str(error).split())}'[:200]
  return ''


def _package(requirement: Requirement, mend: str) -> Line:
  version = installed_version(requirement.name)
  if version is None:
    return Line(requirement.name, 'missing', mend)
  if not within(version, requirement.bounds):
    wanted = f'{requirement.name}{requirement.bounds}'
    state = f'{version}  untested: not {requirement.bounds}'
    return Line(requirement.name, state, f"pip install '{wanted}'")
  return Line(requirement.name, version)


def check_base(requirements: Iterable[Requirement]) -> list[Line]:
  """Packages without which nothing works, each of them imported."""
  install = f'pip install {_DISTRIBUTION}'
  lines = []
  for requirement in requirements:
    line = _package(requirement, install)
    if line.state != 'missing':
      module = _MODULES.get(requirement.name, requirement.name)
      error = _import_error(module)
      if error:
        again = f"'{requirement.name}{requirement.bounds}'"
        line = Line(
          requirement.name,
          f'{line.state}  does not import: {error}',
          f'pip install --force-reinstall {again}',
        )
    lines.append(line)
  return lines


def check_extras(requirements: Iterable[Requirement]) -> dict[str, list[Line]]:
  """Packages of each extra. An extra without any package has one line."""
  extras: dict[str, list[Requirement]] = {}
  for requirement in requirements:
    # `all` repeats the others.
    if requirement.extra not in ('', 'all'):
      extras.setdefault(requirement.extra, []).append(requirement)
  report = {}
  for extra, wanted in sorted(extras.items()):
    install = f"pip install '{_DISTRIBUTION}[{extra}]'"
    lines = [_package(requirement, install) for requirement in wanted]
    if all(line.state == 'missing' for line in lines):
      lines = [Line('(all)', 'not installed', install)]
    report[extra] = lines
  return report


def check_devices() -> tuple[list[Line], bool]:
  """Devices as JAX sees them, and whether it can compute on one."""
  try:
    import jax

    lines = [
      Line(str(device), device.device_kind) for device in jax.local_devices()
    ]
    total = float(jax.jit(lambda x: x + x)(1.0))
    if total != 2.0:
      raise ArithmeticError(f'1 + 1 was {total}')
  except ModuleNotFoundError as error:
    return [Line('none', str(error))], False  # The base says how to mend it.
  except Exception as error:  # A broken driver raises all sorts of things.
    state = f'{type(error).__name__}: {" ".join(str(error).split())}'[:200]
    return [Line('jax', state, 'export JAX_PLATFORMS=cpu')], False
  return lines, True


def _renders(backend: str) -> bool:
  """Whether MuJoCo can open a picture with this backend, in a new process."""
  code = 'import mujoco; c = mujoco.GLContext(8, 8); c.make_current(); c.free()'
  environment = {
    **os.environ,
    'MUJOCO_GL': backend,
    'PYOPENGL_PLATFORM': backend,
  }
  try:
    result = subprocess.run(
      [sys.executable, '-c', code],
      env=environment,
      capture_output=True,
      timeout=60,
      check=False,
    )
  except subprocess.TimeoutExpired:
    return False
  return result.returncode == 0


def _library(name: str, modules: Sequence[str], extra: str) -> Line:
  """Environments that come with the packages of an extra."""
  for module in modules:
    error = _import_error(module)
    if error:
      mend = f"pip install '{_DISTRIBUTION}[{extra}]'"
      found = importlib.util.find_spec(module.split('.')[0])
      return Line(name, f'broken: {error}' if found else 'missing', mend)
  return Line(name, 'ready')


def check_environments() -> list[Line]:
  """Which environments can be made here."""
  # The game itself needs no more than the base.
  error = _import_error(f'{_DISTRIBUTION}.environments.catch')
  lines = [
    Line('Catch', f'broken: {error}' if error else 'ready'),
    _library('MinAtar', ['pgx', 'pgx_minatar'], 'minatar'),
    _library('Atari', ['envpool'], 'atari'),
  ]
  state = _library('DMC, state', ['mujoco', 'dm_control.suite'], 'dmc')
  lines.append(state)
  if state.state != 'ready':
    lines.append(state._replace(name='DMC, pixels'))
    return lines
  working = [backend for backend in _RENDERERS if _renders(backend)]
  if working:
    found = f'ready: MUJOCO_GL={working[0]}'
    lines.append(Line('DMC, pixels', found))
  else:
    mend = f'apt-get install {_RENDERERS["egl"]}'
    lines.append(Line('DMC, pixels', 'neither EGL nor OSMesa loads', mend))
  return lines


def _free_memory() -> str:
  """Memory that a new process may take, as Linux tells it."""
  try:
    text = pathlib.Path('/proc/meminfo').read_text()
    kilobytes = int(re.search(r'MemAvailable:\s+(\d+)', text).group(1))
  except (OSError, AttributeError):
    return 'unknown'
  return f'{kilobytes / 2**20:.1f} GiB free'


def _cores() -> int:
  if hasattr(os, 'sched_getaffinity'):  # Not on macOS.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _folder(name: str, path: pathlib.Path, variable: str) -> Line:
  """Whether files can be made in a folder, or where it would be made."""
  if not compilation_cache.is_writable(path):
    mend = f'export {variable}="$(mktemp -d -p "$HOME")"'
    return Line(name, f'{path} cannot be written', mend)
  existing = next(p for p in (path, *path.parents) if p.exists())
  free = shutil.disk_usage(existing).free / 2**30
  return Line(name, f'{path} is writable, {free:.1f} GiB free')


def check_machine(environ: Mapping[str, str] = os.environ) -> list[Line]:
  """Cores, memory, and the folders that are written besides a run's own."""
  lines = [
    Line('system', f'{platform.system()} {platform.machine()}'),
    Line('cores', str(_cores())),
    Line('memory', _free_memory()),
    _folder('temporary', pathlib.Path(tempfile.gettempdir()), 'TMPDIR'),
  ]
  cache, why = compilation_cache.choose(environ)
  if cache:
    variable = 'JAX_COMPILATION_CACHE_DIR'
    lines.append(_folder('jax cache', cache, variable))
  else:
    lines.append(Line('jax cache', f'off: {why}'))
  # Matplotlib keeps its list of fonts there.
  home = environ.get('XDG_CACHE_HOME') or '~/.cache'
  cache = pathlib.Path(home).expanduser()
  lines.append(_folder('user cache', cache, 'XDG_CACHE_HOME'))
  return lines


def _print(title: str, lines: Iterable[Line]) -> None:
  print(f'\n{title}')
  for name, state, _ in lines:
    print(f'  {name:<18}{state}')


def main(argv: Sequence[str] | None = None) -> int:
  """Prints the report. Returns 0 where the base works, otherwise 1."""
  argparse.ArgumentParser(
    prog='python -m plasticity_rl.doctor',
    description=(
      'Prints what is installed, what works, and the commands that mend '
      'what does not. Exit code 1 if something of the base is missing.'
    ),
  ).parse_args(argv)

  try:
    texts = importlib.metadata.requires(_DISTRIBUTION) or []
  except importlib.metadata.PackageNotFoundError:
    print(f'{_DISTRIBUTION} is not installed in {sys.executable}')
    print('\nto mend, in the checkout:\n  pip install -e .')
    return 1
  requirements = [parse_requirement(text) for text in texts]
  base = [r for r in requirements if not r.extra]

  version = importlib.metadata.version(_DISTRIBUTION)
  print(f'{_DISTRIBUTION} {version}, Python {platform.python_version()}')
  base_lines = check_base(base)
  _print('base', base_lines)
  devices, computes = check_devices()
  _print('devices', devices)
  extra_lines = check_extras(requirements)
  for extra, lines in extra_lines.items():
    _print(f'[{extra}]', lines)
  environments = check_environments()
  _print('environments', environments)
  machine = check_machine()
  _print('machine', machine)

  needed = [line for line in base_lines + devices if line.mend]
  wanted = [*environments, *machine]
  for lines in extra_lines.values():
    wanted.extend(lines)
  optional = [line for line in wanted if line.mend]
  _print_mending('to mend', needed)
  _print_mending('to have what is optional', optional)
  works = computes and not any(_stops(line) for line in base_lines)
  print('\n' + ('the base works' if works else 'the base does NOT work'))
  return 0 if works else 1


def _stops(line: Line) -> bool:
  """Whether a package of the base is missing or broken, not just untested."""
  return line.state == 'missing' or 'does not import' in line.state


def _print_mending(title: str, lines: Iterable[Line]) -> None:
  commands = dict.fromkeys(line.mend for line in lines)
  if commands:
    print(f'\n{title}')
    for command in commands:
      print(f'  {command}')


if __name__ == '__main__':
  sys.exit(main())
