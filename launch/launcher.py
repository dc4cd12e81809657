"""Common code of all engines: flags, the study, its folder, its jobs."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError

from . import batching
from . import commands
from . import folder as folder_lib
from . import sharing
from . import study as study_lib
from . import sweep

_SWEEP = 'sweep.'


@dataclasses.dataclass(frozen=True)
class Launch:
  """A study that is about to be launched.

  Attributes:
    study: the study.
    plan: the prefixes that its runs share.
    folder: of the study.
    jobs: specs of all jobs by name; a prefix comes before the jobs that use it.
    todo: names of the jobs to do: those that are not done and, without --retry,
      have not failed.
  """

  study: study_lib.Study
  plan: sharing.PrefixPlan
  folder: pathlib.Path
  jobs: Mapping[str, Mapping[str, Any]]
  todo: tuple[str, ...]


def define(argv: Sequence[str]) -> None:
  """Defines the flags of all engines, and the given `--sweep.KEY=VALUES`.

  Raises:
    UserError: a key is swept over twice.
  """
  before = set(flags.FLAGS)
  config_flags.DEFINE_config_file(
    'config',
    None,
    'Study file, or name of one installed, with an optional `:variant`.',
  )
  flags.DEFINE_string('workdir', None, 'Folder of the study.')
  flags.DEFINE_bool(
    'dry_run', False, 'Only list runs, commands and the estimated compute.'
  )
  flags.DEFINE_bool(
    'retry', True, 'Try jobs again that failed in an earlier launch.'
  )
  flags.DEFINE_bool(
    'estimate', True, 'In a dry run: measure a few steps of each program.'
  )
  flags.DEFINE_integer(
    'batch_seeds',
    None,
    'Seeds of a sweep over `seed` that share a program; '
    'default: by the network. 1 for none.',
    lower_bound=1,
  )
  ours = {*flags.FLAGS} - before | {'compilation_cache'}
  for name in ours:  # For --help of the command.
    flags.FLAGS.register_key_flag_for_module(argv[0], flags.FLAGS[name])
  keys = set()
  for word in argv[1:]:
    if word == '--':
      break
    name = word.lstrip('-').partition('=')[0]
    if word.startswith('-') and name.startswith(_SWEEP):
      key = name.removeprefix(_SWEEP)
      if key in keys:
        raise UserError(f'--{name} is there twice: list values after commas')
      keys.add(key)
      flags.DEFINE_string(name, None, f'Values of {key} to sweep over.')


def _axes():
  found = {}
  for name in flags.FLAGS:
    if name.startswith(_SWEEP):
      values = sweep.parse_values(flags.FLAGS[name].value or '')
      found[name.removeprefix(_SWEEP).removeprefix('config.')] = values
  return found


def study_of_flags() -> study_lib.Study:
  """Builds the study of the command line.

  Raises:
    UserError: the study or a run of it is not valid.
  """
  cli.require('config', flags.FLAGS.config)
  flag = flags.FLAGS['config']
  source = config_flags.get_config_filename(flag)
  command = getattr(study_lib.load(source), 'COMMAND', study_lib.TRAIN)
  limit = flags.FLAGS.batch_seeds
  if command == study_lib.DIAGNOSE:
    limit = 1  # Merged seeds would share one verdict.
  return study_lib.build(
    source,
    flags.FLAGS.config,
    axes=_axes(),
    common={
      k.removeprefix('config.'): v
      for k, v in config_flags.get_override_values(flag).items()
    },
    merge=lambda runs: batching.merge(runs, limit),
  )


def begin(
  argv: Sequence[str], *, make: bool = True, here: bool | None = True
) -> Launch:
  """Checks everything, and creates the folder unless it is a dry run.

  Args:
    argv: the program's name and positional arguments.
    make: whether to create the folder on this machine.
    here: whether the jobs run on this machine; None if another machine has
      checked them.

  Returns:
    The launch.

  Raises:
    UserError: a flag, the study or a run of it is not valid, or the folder
      cannot be used.
  """
  cli.refuse_positionals(argv)
  cli.require('config', flags.FLAGS.config)
  folder = paths.given('--workdir', cli.require('workdir', flags.FLAGS.workdir))
  study = study_of_flags()
  plan = sharing.plan(study)
  folder_lib.check(folder, study)
  if here is not None:
    _preflight(study, folder, here and not flags.FLAGS.dry_run)
  if flags.FLAGS.dry_run or not make:
    jobs = folder_lib.specs(study, plan, folder)
  else:
    jobs = folder_lib.prepare(folder, study, plan)
  todo = []
  for name in jobs:
    state = folder_lib.recorded(folder, name).get('state')
    if state == folder_lib.DONE:
      continue
    if state == folder_lib.FAILED and not flags.FLAGS.retry:
      continue
    todo.append(name)
  # A prefix is not needed if all jobs that use it are done. They come after it.
  wanted, needed = [], set()
  for name in reversed(todo):
    if jobs[name]['kind'] != 'prefix' or name in needed:
      wanted.append(name)
      needed.add(jobs[name]['past'])
  return Launch(study, plan, folder, jobs, tuple(reversed(wanted)))


def _preflight(study, folder, here):
  """Refuses runs that would fail when they start, unless they are done."""
  from . import preflight  # Imports JAX.

  runs = [
    run
    for run in study.runs
    if folder_lib.recorded(folder, run.name).get('state') != folder_lib.DONE
  ]
  unknown = preflight.check(study.command, runs, here=here)
  if unknown:
    print(
      f'note: {len(unknown)} programs cannot be checked, since this machine '
      f'lacks what they need: {unknown[0]}'
    )


def is_dry_run() -> bool:
  """Whether jobs are only listed."""
  return flags.FLAGS.dry_run


def say(launch: Launch) -> None:
  """Prints the number of runs, and what is shared."""
  study = launch.study
  runs = [name for name in launch.todo if launch.jobs[name]['kind'] != 'prefix']
  print(study.title)
  done = len(study.runs) - len(runs)
  print(
    f'{len(study.runs)} runs in {launch.folder}'
    + (f', {done} of them done or left' if done else '')
  )
  merged = sum(run.seeds for run in study.runs)
  if merged > len(study.runs):
    print(
      f'{merged} runs differ in their seed alone from another: as '
      f'{len(study.runs)} programs'
    )
  saving = sharing.describe(launch.plan)
  if saving:
    print(saving)


def list_jobs(launch: Launch) -> None:
  """Lists runs, commands and their estimated cost: the dry run."""
  say(launch)
  for name in launch.todo:
    print(f'\n{name}')
    print(f'  {commands.text(launch.jobs[name]["command"])}')
  if not (flags.FLAGS.estimate and launch.todo):
    return
  from . import estimate

  print()
  print(estimate.describe(launch))


def finish(launch: Launch, over: Mapping[str, str]) -> None:
  """Prints the commands for status and report after all jobs have ended.

  Raises:
    Interrupted: jobs are left.
    RunError: jobs have failed.
  """
  folder = launch.folder
  left = [n for n in launch.todo if over.get(n) != folder_lib.DONE]
  failed = [n for n in left if over.get(n) == folder_lib.FAILED]
  print(f'status: python -m {__package__}.status {folder}')
  if len(left) > len(failed):
    raise Interrupted(
      f'{len(left) - len(failed)} of {len(launch.todo)} jobs are left in '
      f'{folder}; the same command continues'
    )
  if failed:
    raise RunError(
      f'{len(failed)} of {len(launch.todo)} jobs failed, the first: '
      f'{failed[0]}: '
      f'{folder_lib.recorded(folder, failed[0]).get("error", "?")}'
    )
  print(
    f'report: python -m plasticity_rl.report {folder} --out={folder / "report"}'
  )
