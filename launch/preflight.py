"""Builds every program of a study as its run would, before any run starts.

A run refuses what does not fit together - an option of an intervention, a
metric, an action space - when it builds its experiment. A study of a hundred
runs is refused as a whole by the launcher, not a hundred times on a cluster.
"""

from collections.abc import Sequence

import tqdm

from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

from . import study as study_lib


def check(
  command: str, runs: Sequence[study_lib.Run], *, here: bool = True
) -> tuple[str, ...]:
  """Builds what differs in more than its seed; computes nothing.

  Args:
    command: what each run is, `train` or `diagnose`.
    runs: of the study, those that are to be run.
    here: whether they are to run where this is called. If not, what this
      machine lacks the others may have.

  Returns:
    Why some could not be checked, a line each.

  Raises:
    UserError: of the first run that would be refused, with its name.
  """
  programs = {}
  for run in runs:
    programs.setdefault(run.but_for_seed, run)
  unknown = []
  for run in tqdm.tqdm(
    programs.values(), 'checking', unit='program', leave=False, delay=2
  ):
    try:
      _build(command, run.settings)
    except MissingDependencyError as error:
      if here:
        raise UserError(f'run {run.name!r}: {error}') from None
      unknown.append(f'{run.name}: {error}')
    except UserError as error:
      raise UserError(f'run {run.name!r}: {error}') from None
  return tuple(unknown)


def _build(command, settings):
  if command == study_lib.DIAGNOSE:
    diagnosis.plan(settings)
  else:
    runner.check(experiment_lib.build(settings))
