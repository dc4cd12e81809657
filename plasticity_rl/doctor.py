"""The command `doctor`: what is installed, what works, what is missing.

It also runs where packages are missing: only the standard library is imported
here, everything else inside the functions that need it.
"""

import argparse
import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from plasticity_rl import compilation_cache
from plasticity_rl import errors
from plasticity_rl import output
from plasticity_rl.replay import memory

if TYPE_CHECKING:
  from packaging.requirements import Requirement

_DISTRIBUTION = 'plasticity_rl'
_MISSING = 'missing'
# Extras that only repeat others, or are for work on the code itself.
_NOT_SHOWN = ('all', 'dev')


class Line(NamedTuple):
  """One line of the report.

  Attributes:
    name: what was checked.
    state: what was found.
    fix: the command that fixes it; '' if nothing is wrong.
  """

  name: str
  state: str
  fix: str = ''


def requirements_by_extra(
  texts: Iterable[str], extras: Iterable[str]
) -> dict[str, list['Requirement']]:
  """Sorts the requirements of a package by the extra that needs them.

  Args:
    texts: requirements, as `importlib.metadata.requires` returns them.
    extras: names of the package's extras.

  Returns:
    The requirements of each extra; those of the package itself under ''.
  """
  from packaging import requirements

  parsed = [requirements.Requirement(text) for text in texts]
  groups = {'': [r for r in parsed if r.marker is None]}
  for extra in extras:
    groups[extra] = [
      r for r in parsed if r.marker and r.marker.evaluate({'extra': extra})
    ]
  return groups


def check_package(requirement: 'Requirement', fix: str) -> Line:
  """Compares an installed version with the versions that were tested."""
  try:
    version = importlib.metadata.version(requirement.name)
  except importlib.metadata.PackageNotFoundError:
    return Line(requirement.name, _MISSING, fix)
  if requirement.specifier.contains(version, prereleases=True):
    return Line(requirement.name, version)
  state = f'{version} (untested: not {requirement.specifier})'
  return Line(requirement.name, state, fix)


def check_extra(extra: str, wanted: Sequence['Requirement']) -> Line:
  """Summarises the packages of one extra in one line."""
  fix = errors.install_command(extra)
  lines = [check_package(requirement, fix) for requirement in wanted]
  if all(line.state == _MISSING for line in lines):
    return Line(extra, 'not installed', fix)
  state = ', '.join(f'{line.name} {line.state}' for line in lines)
  return Line(extra, state, fix if any(line.fix for line in lines) else '')


def check_devices() -> tuple[list[Line], bool]:
  """Lists JAX's devices and tries to compute on one.

  Returns:
    A line for each device, and whether the computation worked.
  """
  try:
    import jax

    lines = [
      Line(str(device), device.device_kind) for device in jax.local_devices()
    ]
    total = float(jax.jit(lambda x: x + x)(1.0))
    if total != 2.0:
      raise ArithmeticError(f'1 + 1 was {total}')
  except ModuleNotFoundError as error:
    return [Line('none', str(error))], False  # Its package is listed above.
  except Exception as error:  # A broken driver may raise anything.
    state = f'{type(error).__name__}: {errors.one_line(error)}'[:200]
    return [Line('jax', state, 'export JAX_PLATFORMS=cpu')], False
  return lines, True


def check_machine() -> list[Line]:
  """Reports memory, disk space and the compilation cache."""
  return [
    Line('memory', f'replays may take {memory.of_host() / 2**30:.1f} GiB'),
    Line('disk', f'{shutil.disk_usage(".").free / 2**30:.1f} GiB free here'),
    Line('jax cache', compilation_cache.describe()),
  ]


def _print(title: str, lines: Iterable[Line]) -> None:
  print(f'\n{title}')
  for line in lines:
    print(f'  {line.name:<18}{line.state}')


def _print_fixes(title: str, lines: Iterable[Line]) -> None:
  commands = dict.fromkeys(line.fix for line in lines if line.fix)
  if commands:
    print(f'\n{title}')
    for command in commands:
      print(f'  {command}')


def main(argv: Sequence[str] | None = None) -> int:
  """Prints the report.

  Returns:
    0 if the base works, otherwise 1.
  """
  argparse.ArgumentParser(
    prog='python -m plasticity_rl.doctor',
    description=(
      'Prints what is installed, what works, and the commands that install '
      'what is missing. Exit code 1 if the base does not work.'
    ),
  ).parse_args(argv)
  try:
    metadata = importlib.metadata.metadata(_DISTRIBUTION)
    groups = requirements_by_extra(
      importlib.metadata.requires(_DISTRIBUTION) or (),
      metadata.get_all('Provides-Extra', ()),
    )
  except ImportError as error:  # Also raised if `packaging` is missing.
    print(f'not installed in {sys.executable}: {error.name}')
    print(f'\nto fix it:\n  {errors.install_command()}')
    return 1

  print(f'{_DISTRIBUTION} {metadata["Version"]}, ', end='')
  print(f'Python {platform.python_version()}')
  fix = errors.install_command()
  base = [check_package(requirement, fix) for requirement in groups.pop('')]
  _print('base', base)
  devices, computes = check_devices()
  _print('devices', devices)
  extras = [
    check_extra(extra, wanted)
    for extra, wanted in sorted(groups.items())
    if extra not in _NOT_SHOWN
  ]
  _print('extras', extras)
  _print('machine', check_machine())

  _print_fixes('to fix what is needed', [*base, *devices])
  _print_fixes('to install what is optional', extras)
  works = computes and all(line.state != _MISSING for line in base)
  print('\n' + ('the base works' if works else 'the base does NOT work'))
  return 0 if works else 1


if __name__ == '__main__':
  with output.lenient():
    sys.exit(main())
