"""Several seeds of one config in one program, where that is faster.

A run of a sweep over `seed` becomes part of a run with `num_seeds`: seeds are
an axis of every array (`vmap`), and cost less together than in processes of
their own as long as they wait for instructions rather than for arithmetic: a
step of small dense networks costs half or less, one of convolutions on a CPU
nearly twice as much.
Measured by `python -m benchmarks.batching_seeds`, with what it found in
`results/batching_seeds.md`.
"""

import dataclasses
from collections.abc import Sequence

from plasticity_rl import settings as settings_lib

from . import names
from .study import Run

# Seeds that one program takes, by what its networks are made of. On an
# accelerator convolutions may gain as well: that is not measured, but asked for
# by --batch_seeds.
DENSE = 16
CONVOLUTIONAL = 1


def most(run: Run) -> int:
  """How many seeds of this config one program may take."""
  settings = run.settings
  if isinstance(settings.environment, settings_lib.HostEnvironmentConfig):
    return 1  # A process each, with its threads.
  network = settings.network
  return CONVOLUTIONAL if network.convolutions else DENSE


def merge(runs: Sequence[Run], limit: int | None = None) -> list[Run]:
  """Runs that differ in consecutive `seed`s alone, as fewer runs.

  Args:
    runs: of a sweep; those without an override of `seed` are left alone.
    limit: seeds in a program; by default what `most` says. 1 merges nothing.
  """
  families: dict[str, list[Run]] = {}
  for run in runs:
    seeded = 'seed' in run.overrides and run.settings.num_seeds == 1
    key = run.but_for_seed if seeded else f'alone {run.name}'
    families.setdefault(key, []).append(run)
  merged = []
  for family in families.values():
    family = sorted(family, key=lambda run: run.settings.seed)
    block: list[Run] = []
    for run in family:
      size = limit or most(run)
      follows = block and run.settings.seed == block[-1].settings.seed + 1
      if block and (not follows or len(block) >= size):
        merged.append(_one(block))
        block = []
      block.append(run)
    merged.append(_one(block))
  return merged


def _one(block):
  first = block[0]
  if len(block) == 1:
    return first
  count = len(block)
  overrides = {**first.overrides, 'num_seeds': count}
  named = {k: v for k, v in overrides.items() if k not in ('seed', 'num_seeds')}
  last = block[-1].settings.seed
  seeds = f'seed={first.settings.seed}-{last}'
  base = first.name.replace(f'seed={first.settings.seed}', seeds)
  if base == first.name:  # The name was cut: seeds are told by the hash.
    base = f'{names.of(named)},{seeds}'
  return dataclasses.replace(
    first,
    name=base,
    overrides=overrides,
    seeds=count,
    settings=dataclasses.replace(first.settings, num_seeds=count),
  )
