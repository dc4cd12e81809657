"""The folder of a study: its jobs and their states.

  study.json            the question, and every run ever launched here
  jobs/NAME/            spec.json (the task), state.json (the result), log.txt,
                        and the lease of the worker that does the job
  runs/NAME/            run folders, or diagnoses
  prefixes/HASH/        prefixes that several runs share

A job is a run, or a prefix that several runs share.
"""

import json
import pathlib
import time
from typing import Any

from plasticity_rl import config_files
from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis import files
from plasticity_rl.analysis.study import decided as decided_lib
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.settings import arguments

from . import commands
from . import lease as lease_lib
from . import sharing
from . import study as study_lib
from . import sweep
from .study import Study

STUDY = 'study.json'
JOBS, RUNS, PREFIXES = 'jobs', 'runs', 'prefixes'
SPEC, STATE, LOG = 'spec.json', 'state.json', 'log.txt'
PREFIX_JOB = 'prefix-'
# States of a job. `waiting`: no worker does it yet, or any more.
DONE, FAILED, RUNNING, WAITING = 'done', 'failed', 'running', 'waiting'


def job_folder(folder: pathlib.Path, name: str) -> pathlib.Path:
  """The folder of a job."""
  return folder / JOBS / name


def read_study(folder: pathlib.Path) -> dict[str, Any]:
  """Reads `study.json`.

  Raises:
    UserError: the folder is not a study.
  """
  if not folder.is_dir():
    raise UserError(f'no such folder: {folder}')
  if not (folder / STUDY).exists():
    raise UserError(f'{folder} is not a study: it has no {STUDY}')
  return files.read_json(folder / STUDY)


def read_spec(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """Reads the spec of a job.

  Raises:
    UserError: there is no such job.
  """
  path = job_folder(folder, name) / SPEC
  if not path.exists():
    known = sorted(p.parent.name for p in (folder / JOBS).glob(f'*/{SPEC}'))
    raise UserError(
      f'{folder} has no job {name!r}; there are: {", ".join(known) or "none"}'
    )
  return files.read_json(path)


def read_state(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """The state of a job; its key `state` is one of the four states."""
  state, job = recorded(folder, name), job_folder(folder, name)
  if state.get('state') in (DONE, FAILED):
    return state
  holder = lease_lib.holder(job)
  if holder is not None and holder.alive:
    return {**state, **holder.record, 'state': RUNNING}
  if holder is not None and not holder.record.get('released'):
    state.setdefault(
      'error', (f'its process on {holder.record.get("host", "?")} is gone')
    )
  return {**state, 'state': WAITING}


def recorded(folder: pathlib.Path, name: str) -> dict[str, Any]:
  """Reads `state.json`, which may be out of date; {} if there is none."""
  try:
    return json.loads((job_folder(folder, name) / STATE).read_text())
  except (OSError, ValueError):
    return {}


def write_state(folder: pathlib.Path, name: str, **facts: Any) -> None:
  """Replaces the recorded state of a job."""
  run_folder.write_atomically(
    job_folder(folder, name) / STATE, json.dumps(facts, indent=2)
  )


def specs(
  study: Study, plan: sharing.PrefixPlan, folder: pathlib.Path
) -> dict[str, dict[str, Any]]:
  """The specs of all jobs by name; a prefix comes before the jobs that use it.

  Args:
    study: the study.
    plan: its shared prefixes.
    folder: of the study.

  Returns:
    The specs, as in spec.json.
  """
  found = {}
  for prefix in plan.prefixes.values():
    path = folder / PREFIXES / prefix.digest
    overrides = {**study.common, **prefix.overrides, 'log.progress': False}
    parent = prefix.parent
    found[f'{PREFIX_JOB}{prefix.digest}'] = {
      'kind': 'prefix',
      'folder': f'{PREFIXES}/{prefix.digest}',
      'command': commands.train(
        study.source, str(path), overrides, until=prefix.step
      ),
      'past': f'{PREFIX_JOB}{parent}' if parent else '',
      'past_step': plan.prefixes[parent].step if parent else 0,
      'end': prefix.step,
      'num_seeds': prefix.num_seeds,
      'overrides': dict(prefix.overrides),
      'config': _config(study, overrides),
    }
  for run in study.runs:
    found[run.name] = _run_spec(study, run, plan, folder)
  return found


def _run_spec(study, run, plan, folder):
  digest = plan.of_run.get(run.name, '')
  path = f'{RUNS}/{run.name}'
  settings = run.settings
  overrides = {**study.common, **run.overrides, 'log.progress': False}
  end = sharing.on_grid(settings.num_steps, settings)
  diagnoses = study.command == study_lib.DIAGNOSE
  if diagnoses:
    step = sharing.on_grid(settings.fork.step, settings)
    end = step if settings.fork.step > 0 else end
  if diagnoses and digest:
    command = commands.diagnose_from(
      str(folder / PREFIXES / digest),
      str(folder / path),
      settings_lib.to_dict(settings)['fork'],
      end,
    )
  elif diagnoses:
    command = commands.diagnose(study.source, str(folder / path), overrides)
  else:
    command = commands.train(study.source, str(folder / path), overrides)
  return {
    'kind': study.command,
    'folder': path,
    'command': command,
    'past': f'{PREFIX_JOB}{digest}' if digest else '',
    'past_step': plan.prefixes[digest].step if digest else 0,
    'end': end,
    'num_seeds': settings.num_seeds,
    'horizon': (
      sharing.on_grid(settings.fork.horizon, settings) if diagnoses else 0
    ),
    'arms': len(settings.fork.arms) if diagnoses else 0,
    'arm': run.arm,
    'overrides': dict(run.overrides),
    'config': {
      **settings_lib.to_dict(settings),
      'log': {**settings_lib.to_dict(settings)['log'], 'progress': False},
    },
  }


def _config(study, overrides):
  """The config of a command with these overrides."""
  config = study_lib.config_of(study.source)
  changed = study_lib.with_overrides(config, overrides)
  return settings_lib.to_dict(settings_lib.resolve(changed))


def check(folder: pathlib.Path, study: Study) -> None:
  """Checks that a folder can be used for this study.

  Raises:
    UserError: it holds other files, another study or a run of another config,
      or it cannot be written.
  """
  files.check_folder(folder)
  if not folder.exists():
    return
  if not (folder / STUDY).exists():
    if any(folder.iterdir()):
      raise UserError(
        f'{folder} is neither empty nor a study (it has no {STUDY}): choose '
        'another --workdir'
      )
    return
  recorded_study = read_study(folder)
  if recorded_study.get('source') != study.source:
    raise UserError(
      f'{folder} holds another study, {recorded_study.get("source")}: choose '
      'another --workdir'
    )
  for run in study.runs:
    path = job_folder(folder, run.name) / SPEC
    if not path.exists():
      continue
    differ = run_folder.differences(
      files.read_json(path)['config'], run.settings
    )
    if differ:
      raise UserError(
        f'{folder} holds run {run.name!r} of another config; they differ in '
        f'{"; ".join(differ)}: choose another --workdir'
      )
  _check_seeds(folder, study, recorded_study.get('runs', {}))


def _check_seeds(folder, study, before):
  """Refuses seeds that the folder already has in a run of another name.

  Seeds that share a program are one run, whose name depends on its seeds.
  """
  owners = {}
  for name, facts in before.items():
    path = job_folder(folder, name) / SPEC
    if path.exists():
      config = files.read_json(path)['config']
      place = _but_for_seed(facts.get('arm', ''), facts.get('axes', {}))
      for i in range(config['num_seeds']):
        owners[place, config['seed'] + i] = name
  for run in study.runs:
    if run.name in before:
      continue
    place = _but_for_seed(run.arm, _axes(run))
    for i in range(run.settings.num_seeds):
      seed = run.settings.seed + i
      if (place, seed) in owners:
        raise UserError(
          f'{folder} holds run {owners[place, seed]!r}, and {run.name!r} '
          f'has seed {seed} as well, which a report would count twice: '
          'launch the seeds that are not there yet, as in --sweep.seed=8,9, '
          'or choose another --workdir'
        )


def _but_for_seed(arm, axes):
  rest = {k: v for k, v in axes.items() if k not in ('seed', 'num_seeds')}
  return arm, sweep.canonical(rest)


def prepare(
  folder: pathlib.Path, study: Study, plan: sharing.PrefixPlan
) -> dict[str, dict[str, Any]]:
  """Creates the folder of a study, or adds new jobs to it. Call `check` first.

  Returns:
    The specs of all jobs.

  Raises:
    UserError: the folder cannot be written, or another launcher uses it.
  """
  jobs = specs(study, plan, folder)
  try:
    (folder / JOBS).mkdir(parents=True, exist_ok=True)
    lease = _alone(folder / JOBS)
    try:
      _write(folder, study, jobs)
    finally:
      lease.release()
  except OSError as error:
    raise UserError(f'cannot write to {folder}: {error}') from None
  return jobs


def _write(folder, study, jobs):
  for name, spec in jobs.items():
    job = job_folder(folder, name)
    job.mkdir(exist_ok=True)
    # A job that is done keeps the spec that it was done by.
    if read_state(folder, name)['state'] != DONE or not (job / SPEC).exists():
      run_folder.write_atomically(job / SPEC, json.dumps(spec, indent=2))
  before, decided = {}, None
  if (folder / STUDY).exists():
    earlier = read_study(folder)
    before, decided = earlier.get('runs', {}), earlier.get(decided_lib.KEY)
  elif study.claims:
    decided = decided_lib.stamp(config_files.find(study.source), study.claims)
  runs = {
    run.name: {
      'arm': run.arm,
      'axes': _axes(run),
      'past': jobs[run.name]['past'],
    }
    for run in study.runs
  }
  record = {
    'source': study.source,
    'title': study.title,
    'command': study.command,
    'common': dict(study.common),
    'code': sharing.code(),
    'origin': run_folder.origin(),
    'runs': {**before, **runs},
    decided_lib.KEY: decided,
  }
  run_folder.write_atomically(folder / STUDY, json.dumps(record, indent=2))


def _axes(run):
  """The axes of a run for JSON, which would make text of all keys of a dict."""
  return {
    key: arguments.to_json(tuple(value)) if key == arguments.PATH else value
    for key, value in run.axes.items()
  }


def _alone(path):
  """Waits for the lease of the list of jobs, which takes milliseconds."""
  for _ in range(600):
    lease = lease_lib.acquire(path)
    if lease is not None:
      return lease
    time.sleep(0.1)
  raise UserError(f'another launcher has held {path} for a minute')
