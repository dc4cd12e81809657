"""A study: a config file with `get_config` and `get_sweep`."""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

import ml_collections

from plasticity_rl import config_files
from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.study import talk as talks
from plasticity_rl.errors import UserError
from plasticity_rl.training import schedule as schedule_lib

from . import names
from . import sweep as sweep_lib

TRAIN, DIAGNOSE = 'train', 'diagnose'
COMMANDS = (TRAIN, DIAGNOSE)


@dataclasses.dataclass(frozen=True)
class Run:
  """One run of a study.

  Attributes:
    name: of its folder.
    arm: the name of its arm; '' if the study has no named arms.
    overrides: of the study's config, by key.
    axes: the overrides that are not part of its arm: its place in the sweep.
    settings: of the config with all overrides.
    seeds: number of runs of the sweep, with different `seed`, merged in it.
  """

  name: str
  arm: str
  overrides: Mapping[str, Any]
  axes: Mapping[str, Any]
  settings: settings_lib.Settings
  seeds: int = 1

  @property
  def but_for_seed(self) -> str:
    """A text that is equal for runs whose settings differ only in `seed`."""
    return repr(dataclasses.replace(self.settings, seed=0))


@dataclasses.dataclass(frozen=True)
class Study:
  """A study; all its runs were checked.

  Attributes:
    source: its file, with `:variant`, as in the commands of its runs.
    title: the question that it asks: the first line of the file.
    command: of each run, `train` or `diagnose`.
    common: overrides from the shell, for every run.
    runs: all runs, with unique names.
    claims: that its file has decided on beforehand; checked as well.
  """

  source: str
  title: str
  command: str
  common: Mapping[str, Any]
  runs: tuple[Run, ...]
  claims: tuple[Any, ...] = ()


def load(source: str) -> ModuleType:
  """Imports a study file; `source` is FILE or NAME, with optional :VARIANT.

  Raises:
    UserError: there is no such file, it raises an error, or it is not a study.
  """
  path, module = config_files.find(source), config_files.load(source)
  if talks.is_talk(source):
    first = next(iter(talks.read(source).parts.values()))
    raise UserError(
      f'{path} is a talk, a study of studies, which launch.local runs; '
      f'elsewhere, launch each part by itself, as in --config={first}'
    )
  for function in ('get_config', 'get_sweep'):
    if not callable(getattr(module, function, None)):
      raise UserError(
        f'{path} is not a study: it has no {function}; one run of a config '
        f'is: python -m plasticity_rl.train --config={source}'
      )
  command = getattr(module, 'COMMAND', TRAIN)
  if command not in COMMANDS:
    raise UserError(errors.nearest(f'COMMAND in {path}', command, COMMANDS))
  return module


def config_of(source: str) -> ml_collections.ConfigDict:
  """The config of a study file, of the variant in its source.

  Raises:
    UserError: the file is not a study, or it has no such variant.
  """
  variant = source.partition(':')[2]
  try:
    return load(source).get_config(*filter(None, [variant]))
  except UserError:
    raise
  except (
    Exception
  ) as error:  # Of an unknown variant; a file may raise anything.
    raise UserError(f'{source.partition(":")[0]}: {error}') from error


def build(
  source: str,
  config: ml_collections.ConfigDict,
  *,
  common: Mapping[str, Any] | None = None,
  axes: Mapping[str, Sequence[Any]] | None = None,
  merge: Callable[[Sequence[Run]], Sequence[Run]] | None = None,
) -> Study:
  """Builds and checks the settings of every run.

  Args:
    source: the study file, with its variant.
    config: of the file, with `common` applied.
    common: overrides that were given in the shell.
    axes: axes from the shell, `--sweep.KEY=...`.
    merge: merges runs; see `batching`.

  Returns:
    The study.

  Raises:
    UserError: the file, its sweep or the config of a run is not valid, or two
      runs are the same.
  """
  module = load(source)
  variant = source.partition(':')[2]
  try:
    wants_variant = module.get_sweep.__code__.co_argcount > 1
    found = module.get_sweep(
      *((sweep_lib, variant) if wants_variant else (sweep_lib,))
    )
  except UserError:
    raise
  except Exception as error:  # A user's file may raise anything.
    raise UserError(
      f'get_sweep of {source}: {type(error).__name__}: {error}'
    ) from error
  found = sweep_lib.check(found)
  if axes:
    found = sweep_lib.override(found, axes)
  runs = [_run(config, overrides) for overrides in found]
  if merge is not None:
    runs = merge(runs)
  _check_names(runs)
  _check_seeds(runs)
  title = (module.__doc__ or pathlib.Path(source).stem).strip().split('\n')[0]
  study = Study(
    source,
    title,
    getattr(module, 'COMMAND', TRAIN),
    dict(common or {}),
    tuple(runs),
  )
  if not hasattr(module, 'CLAIMS'):
    return study
  from . import planned  # Imports scipy.

  return dataclasses.replace(study, claims=planned.claims_of(module, study))


def columns(study: Study) -> dict[str, str]:
  """Columns of metrics.csv that claims read, each with the claim's name."""
  if not study.claims:
    return {}
  from plasticity_rl.analysis.study import claims  # Imports scipy.

  return claims.columns(study.claims)


def _run(config, overrides):
  arm, flat = sweep_lib.flatten(overrides)
  changed = with_overrides(config, flat)
  try:
    settings = settings_lib.resolve(changed)
    schedule_lib.schedule(settings)  # Refuses an invalid schedule.
  except UserError as error:
    raise UserError(f'run {names.of(overrides)!r}: {error}') from None
  axes = {k: v for k, v in overrides.items() if k != sweep_lib.ARM}
  return Run(names.of(overrides), arm, flat, axes, settings)


def with_overrides(
  config: ml_collections.ConfigDict, overrides: Mapping[str, Any]
) -> ml_collections.ConfigDict:
  """A copy of a config with other values at dotted keys.

  Raises:
    UserError: there is no such key, or the value has another type.
  """
  config = ml_collections.ConfigDict(config.to_dict())
  for path, value in overrides.items():
    *sections, leaf = path.split('.')
    at, where = config, 'config'
    for key in (*sections, leaf):
      if not isinstance(at, ml_collections.ConfigDict):
        raise UserError(f'sweep: {where} has no key {key!r}: it is {at!r}')
      if key not in at:
        raise UserError(errors.nearest(f'sweep key in {where}', key, at.keys()))
      parent, at, where = at, at[key], f'{where}.{key}'
    if isinstance(at, ml_collections.ConfigDict):
      raise UserError(
        f'sweep: {where} is a section; sweep one of its keys: '
        + ', '.join(sorted(at.keys()))
      )
    if isinstance(at, float) and type(value) is int:
      value = float(value)
    if isinstance(at, tuple) and isinstance(value, list):
      value = tuple(value)
    if type(value) is not type(at):
      raise UserError(
        f'sweep: {where} must be of type {type(at).__name__}: {value!r}'
      )
    parent[leaf] = value
  return config


def _check_names(runs):
  owners = {}
  for run in runs:
    other = owners.setdefault(run.name, run)
    if other is not run:
      raise UserError(
        f'two runs of the sweep are called {run.name!r}: '
        f'{dict(other.overrides)} and {dict(run.overrides)}'
      )


def _check_seeds(runs):
  """Refuses two runs of the same config and seed."""
  taken = {}
  for run in runs:
    first, settings = run.settings.seed, run.settings
    key = repr(dataclasses.replace(settings, seed=0, num_seeds=1))
    for seed in range(first, first + settings.num_seeds):
      other = taken.setdefault((key, seed), run)
      if other is not run:
        raise UserError(
          f'runs {other.name!r} and {run.name!r} are the same but for '
          f'config.seed, and both have seed {seed}: num_seeds is '
          f'{settings.num_seeds}, so take seeds that far apart'
        )
