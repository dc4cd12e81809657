"""Builds every program of a study before any run starts.

When a run builds its experiment, it refuses an unknown option of an
intervention, an unknown metric, or an action space that does not fit the agent.
The launcher does the same once for the whole study, so that a hundred runs do
not fail on a cluster.
"""

from collections.abc import Mapping, Sequence

import tqdm

from plasticity_rl import process
from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib

from . import study as study_lib


@process.settled()
def check(
  command: str,
  runs: Sequence[study_lib.Run],
  *,
  columns: Mapping[str, str] | None = None,
  here: bool = True,
) -> tuple[str, ...]:
  """Builds runs that differ in more than their seed; computes nothing.

  Args:
    command: of each run, `train` or `diagnose`.
    runs: of the study, those that are not done.
    columns: of metrics.csv, each with the claim that reads it: some run has to
      write it.
    here: whether the runs are for this machine. Other machines may have the
      packages that this one lacks.

  Returns:
    A line for each program that cannot be checked on this machine.

  Raises:
    UserError: a run would fail; the message has its name.
  """
  programs: dict[str, study_lib.Run] = {}
  known: set[str] = set()
  for run in runs:
    programs.setdefault(run.but_for_seed, run)
  unknown = []
  for run in tqdm.tqdm(
    programs.values(),
    'checking',
    unit='program',
    leave=False,
    delay=2,
    disable=None,  # Where nobody watches.
  ):
    try:
      known |= {*_build(command, run.settings).metrics()}
    except MissingDependencyError as error:
      if here:
        raise UserError(f'run {run.name!r}: {error}') from None
      unknown.append(f'{run.name}: {error}')
    except UserError as error:
      raise UserError(f'run {run.name!r}: {error}') from None
  for column, claim in (columns or {}).items():
    if known and not unknown and column not in known:
      slashed = [name for name in known if '/' in name]
      raise UserError(f'claim {claim!r}: {nearest("metric", column, slashed)}')
  return tuple(unknown)


def _build(command, settings):
  if command == study_lib.DIAGNOSE:
    return diagnosis.plan(settings).experiment
  experiment = experiment_lib.build(settings)
  runner.check(experiment)
  return experiment
