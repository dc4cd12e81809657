"""What a GPU or TPU does with this package, in parts that resume.

  python -m benchmarks.accelerator [--minutes=N] [--peer='COMMAND'] [PART ...]

Parts are run in the order of their importance until the minutes are over. What
a part finds is written when it is done, to results/accelerator/DEVICE/PART.json
and into the README.md beside; the same command goes on with what is missing.
The peer's command is run with `--seeds=N` added, and prints `RESULT {json}`
with `steps_per_s` of all seeds. `--small` runs everything as small as it goes,
on any machine, into runs/accelerator: it tries the parts and measures nothing.
"""

import argparse
import functools
import json
import pathlib
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from benchmarks import studies
from benchmarks.accelerator import numerics
from benchmarks.accelerator import record
from benchmarks.accelerator import science
from benchmarks.accelerator import speed
from benchmarks.accelerator.sizes import FULL
from benchmarks.accelerator.sizes import SMALL
from benchmarks.accelerator.sizes import Sizes
from plasticity_rl import errors

# `seconds that are left -> rows`.
Part = Callable[[float], list[dict[str, Any]]]


def parts(
  sizes: Sizes, runs: pathlib.Path, peer: str = ''
) -> Mapping[str, Part]:
  """All parts by name, the most important ones first.

  Args:
    sizes: of all parts.
    runs: where runs of the last parts are kept.
    peer: the command of another library; '' for none.
  """
  found: dict[str, Callable[[Sizes], list[dict[str, Any]]]] = {
    'equality': numerics.equality,
    'precision': numerics.precision,
    'donation': numerics.donation,
    'update_time': speed.update_time,
    'minatar_seeds': functools.partial(speed.over_seeds, 'minatar'),
    'control_seeds': functools.partial(speed.over_seeds, 'pendulum'),
    'injection': speed.injection,
    'convolutions': speed.convolutions,
    'minatar_environments': functools.partial(
      speed.over_environments, 'minatar'
    ),
    'control_environments': functools.partial(
      speed.over_environments, 'pendulum'
    ),
    'host_loop': speed.host_loop,
  }
  if peer:
    found['peer'] = functools.partial(peer_rates, peer)
  every: dict[str, Part] = {
    name: lambda _, part=part: part(sizes) for name, part in found.items()
  }
  for run in science.runs(sizes):
    every[run.name] = functools.partial(science.train, run, runs / run.name)
  return every


def peer_rates(command: str, sizes: Sizes) -> list[dict[str, Any]]:
  """Steps a second of another library, over the same numbers of seeds."""
  rows = []
  for seeds in sizes.seeds:
    output = subprocess.run(
      [*shlex.split(command), f'--seeds={seeds}'],
      capture_output=True,
      text=True,
      check=True,
    ).stdout
    line = next(x for x in output.splitlines() if x.startswith('RESULT '))
    rate = json.loads(line.removeprefix('RESULT '))['steps_per_s']
    rows.append({'seeds': seeds, 'steps/s': float(rate)})
  return rows


def run(
  every: Mapping[str, Part],
  folder: pathlib.Path,
  minutes: float,
  chosen: Sequence[str] = (),
) -> int:
  """Runs what is not done, until time is over.

  Returns:
    The exit code: 0 if all is done, 1 if a part failed, 75 if time is over.
  """
  deadline = time.monotonic() + 60 * minutes
  failed, over = [], []
  for name in chosen or every:
    if record.path(folder, name).exists():
      print(f'{name}: done before')
      continue
    begun = time.monotonic()
    if begun >= deadline:
      over.append(name)
      continue
    print(f'{name} ...', flush=True)
    try:
      rows = every[name](deadline - begun)
    except errors.Interrupted as error:
      print(error)
      over.append(name)
      continue
    except errors.UserError:
      raise
    except Exception as error:  # The other parts are worth having.
      print(f'{name} failed: {errors.one_line(error)}', file=sys.stderr)
      failed.append(name)
      continue
    record.write(folder, name, rows, time.monotonic() - begun)
    (folder / record.PAGE).write_text(record.page(folder, list(every)))
    print(studies.table([{k: str(v) for k, v in r.items()} for r in rows]))
  if over:
    print(f'time is over before: {", ".join(over)}')
  if failed:
    print(f'failed, and tried again next time: {", ".join(failed)}')
  return 1 if failed else 75 if over else 0


def main(argv: Sequence[str] | None = None) -> int:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--minutes', type=float, default=60.0)
  parser.add_argument('--peer', default='', metavar='COMMAND')
  parser.add_argument('--small', action='store_true')
  parser.add_argument('parts', nargs='*', metavar='PART')
  arguments = parser.parse_args(argv)
  runs = studies.RUNS / 'accelerator'
  folder = runs / 'small'
  try:
    if not arguments.small:
      if jax.default_backend() == 'cpu':
        raise errors.UserError(
          'benchmarks.accelerator: jax sees no GPU or TPU here, only a CPU; '
          '--small tries the parts without one'
        )
      folder = studies.RESULTS / 'accelerator' / record.folder_name()
    every = parts(
      SMALL if arguments.small else FULL, runs / folder.name, arguments.peer
    )
    for name in arguments.parts:
      if name not in every:
        raise errors.UserError(errors.nearest('part', name, tuple(every)))
    if not arguments.minutes > 0:
      raise errors.UserError(
        f'--minutes must be above 0, not {arguments.minutes}'
      )
    return run(every, folder, arguments.minutes, arguments.parts)
  except errors.UserError as error:
    print(f'error: {errors.one_line(error)}', file=sys.stderr)
    return errors.exit_code(error)


if __name__ == '__main__':
  sys.exit(main())
