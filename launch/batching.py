"""Trains several seeds of one config in one program, where that is faster.

Runs of a sweep over `seed` are merged into one run with `num_seeds`, in which
seeds are an axis of every array (`vmap`). This is faster for small networks,
whose time is mostly overhead: compared with separate processes, a step of small
dense networks takes half the time or less, but a step of convolutions on a CPU
nearly twice as long. `python -m benchmarks.batching_seeds` measures this;
`results/batching_seeds.md` has the results.
"""

import dataclasses
from collections.abc import Sequence

from plasticity_rl import settings as settings_lib

from . import names
from .study import Run

# Seeds in one program, by the layers of its networks. On an accelerator,
# convolutions may gain too; that was not measured. --batch_seeds overrides it.
DENSE = 16
CONVOLUTIONAL = 1


def most(run: Run) -> int:
  """The largest number of seeds of this config in one program."""
  settings = run.settings
  if isinstance(settings.environment, settings_lib.HostEnvironmentConfig):
    return 1  # Each seed has its own process and threads.
  network = settings.network
  return CONVOLUTIONAL if network.convolutions else DENSE


def merge(runs: Sequence[Run], limit: int | None = None) -> list[Run]:
  """Merges runs that differ only in `seed` and have consecutive seeds.

  Args:
    runs: of a sweep; runs without an override of `seed` are not merged.
    limit: seeds in a program; by default `most`. 1 merges nothing.

  Returns:
    The merged runs.
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
  if base == first.name:  # The name was shortened and lacks the seed.
    base = f'{names.of(named)},{seeds}'
  return dataclasses.replace(
    first,
    name=base,
    overrides=overrides,
    seeds=count,
    settings=dataclasses.replace(first.settings, num_seeds=count),
  )
