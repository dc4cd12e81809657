"""Common code of all engines: flags, the study, its folder, its jobs."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import config_flags

from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl.analysis.study import talk as talks
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
    part: its name in a talk, or ''.
  """

  study: study_lib.Study
  plan: sharing.PrefixPlan
  folder: pathlib.Path
  jobs: Mapping[str, Mapping[str, Any]]
  todo: tuple[str, ...]
  part: str = ''

  def label(self, name: str) -> str:
    """What a job is called among those of other studies."""
    return f'{self.part}/{name}' if self.part else name


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
  return _study(
    config_flags.get_config_filename(flag),
    flags.FLAGS.config,
    axes=_axes(),
    common={
      k.removeprefix('config.'): v
      for k, v in config_flags.get_override_values(flag).items()
    },
  )


def _study(source, config=None, **given):
  module = study_lib.load(source)
  limit = flags.FLAGS.batch_seeds
  if getattr(module, 'COMMAND', study_lib.TRAIN) == study_lib.DIAGNOSE:
    limit = 1  # Merged seeds would share one verdict.
  return study_lib.build(
    source,
    study_lib.config_of(source) if config is None else config,
    merge=lambda runs: batching.merge(runs, limit),
    **given,
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
  folder, study = _workdir(argv), study_of_flags()
  _check(study, folder, here)
  return _launch(study, folder, make and not flags.FLAGS.dry_run)


def begin_all(argv: Sequence[str]) -> tuple[Launch, ...]:
  """The same of every part of a talk, on this machine; or of a study alone.

  Nothing is created before all parts were checked.

  Raises:
    UserError: see `begin` and `talk.build`.
  """
  folder = _workdir(argv)
  source = config_flags.get_config_filename(flags.FLAGS['config'])
  if not talks.is_talk(source):
    return (begin(argv),)
  if _axes():
    raise UserError(
      f'--{_SWEEP}{next(iter(_axes()))} is of one study: launch a part alone'
    )
  from . import talk as talk_lib  # Imports scipy.

  talk = talks.read(source, flags.FLAGS.config)
  studies = talk_lib.build(talk, _study)
  talk_lib.check(folder, talk)
  for part, study in studies.items():
    try:
      _check(study, folder / part, True)
    except UserError as error:
      raise UserError(f'part {part!r}: {error}') from None
  writes = not flags.FLAGS.dry_run
  if writes:
    talk_lib.write(folder, talk)
  return tuple(
    _launch(study, folder / part, writes, part)
    for part, study in studies.items()
  )


def _workdir(argv):
  cli.refuse_positionals(argv)
  cli.require('config', flags.FLAGS.config)
  return paths.given('--workdir', cli.require('workdir', flags.FLAGS.workdir))


def _check(study, folder, here):
  """Refuses a study that cannot be run there."""
  folder_lib.check(folder, study)
  if here is not None:
    _preflight(study, folder, here and not flags.FLAGS.dry_run)


def _launch(study, folder, writes, part=''):
  plan = sharing.plan(study)
  if writes:
    jobs = folder_lib.prepare(folder, study, plan)
  else:
    jobs = folder_lib.specs(study, plan, folder)
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
  return Launch(study, plan, folder, jobs, tuple(reversed(wanted)), part)


def _preflight(study, folder, here):
  """Refuses runs that would fail when they start, unless they are done."""
  from . import preflight  # Imports JAX.

  runs = [
    run
    for run in study.runs
    if folder_lib.recorded(folder, run.name).get('state') != folder_lib.DONE
  ]
  unknown = preflight.check(
    study.command, runs, columns=study_lib.columns(study), here=here
  )
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
  print(f'{launch.part}: {study.title}' if launch.part else study.title)
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


def list_jobs(*launches: Launch) -> None:
  """Lists runs, commands and their estimated cost: the dry run."""
  for launch in launches:
    say(launch)
    for name in launch.todo:
      print(f'\n{launch.label(name)}')
      print(f'  {commands.text(launch.jobs[name]["command"])}')
    print()
  if not (flags.FLAGS.estimate and any(one.todo for one in launches)):
    return
  from . import estimate

  print(estimate.describe(launches))


def finish(launches: Sequence[Launch], over: Mapping[str, str]) -> None:
  """Prints the commands for status and report after all jobs have ended.

  Args:
    launches: of a study, or of the parts of a talk.
    over: the states of their jobs, by label.

  Raises:
    Interrupted: jobs are left.
    RunError: jobs have failed.
  """
  jobs = {one.label(name): (one, name) for one in launches for name in one.todo}
  left = [label for label in jobs if over.get(label) != folder_lib.DONE]
  failed = [label for label in left if over.get(label) == folder_lib.FAILED]
  folder = launches[0].folder
  folder = folder.parent if launches[0].part else folder
  print(f'status: python -m {__package__}.status {folder}')
  if len(left) > len(failed):
    raise Interrupted(
      f'{len(left) - len(failed)} of {len(jobs)} jobs are left in '
      f'{folder}; the same command continues'
    )
  if failed:
    launch, name = jobs[failed[0]]
    raise RunError(
      f'{len(failed)} of {len(jobs)} jobs failed, the first: '
      f'{failed[0]}: '
      f'{folder_lib.recorded(launch.folder, name).get("error", "?")}'
    )
  print(
    f'report: python -m plasticity_rl.report {folder} --out={folder / "report"}'
  )
