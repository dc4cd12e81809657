"""Runs a study on Slurm, as arrays of jobs; submitit writes the scripts.

  python -m launch.slurm --config=configs/studies/when_to_inject.py \
      --workdir=/shared/when --partition=gpu --gres=gpu:1 --time_min=240 \
      [--array_parallelism=64] [--dry_run]

Returns when all jobs are submitted. A job saves and is requeued before its time
limit and when it is preempted; `scontrol requeue` and `scancel` make it save as
well. The same command submits the jobs that are missing or failed and not in
the queue. `python -m launch.status DIR` shows the progress; `jobs/slurm/` has
Slurm's output.
"""

import contextlib
import io
import json
import shutil
import subprocess
import warnings
from collections.abc import Mapping

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.errors import install_command
from plasticity_rl.run import run_folder

from . import commands
from . import folder as folder_lib
from . import launcher

_PARTITION = flags.DEFINE_string('partition', None, 'Partition.')
_GRES = flags.DEFINE_string('gres', None, 'Generic resources, like gpu:1.')
_CPUS = flags.DEFINE_integer(
  'cpus_per_task', 1, 'Cores of a run.', lower_bound=1
)
_MEM = flags.DEFINE_string('mem', None, 'Memory of a run, like 8GB.')
_TIME = flags.DEFINE_integer(
  'time_min',
  240,
  'Minutes after which a job saves and is queued again.',
  lower_bound=1,
)
_PARALLELISM = flags.DEFINE_integer(
  'array_parallelism', 64, 'Jobs of an array at a time.', lower_bound=1
)
_DELAY = flags.DEFINE_integer(
  'signal_delay_s',
  120,
  'Seconds before the limit at which a job starts to save.',
  lower_bound=1,
)
_TIMEOUTS = flags.DEFINE_integer(
  'max_timeouts', 100, 'How often a job may reach its limit.', lower_bound=0
)
_SBATCH = flags.DEFINE_multi_string(
  'sbatch', [], 'KEY=VALUE for sbatch, such as account=lab; repeatable.'
)
_LOGS = 'slurm'
_QUEUED = 'slurm.json'


def parameters() -> dict[str, object]:
  """The parameters of submitit, from the flags.

  Raises:
    UserError: --sbatch is not KEY=VALUE.
  """
  more = {}
  for text in _SBATCH.value:
    key, equals, value = text.partition('=')
    if not (key and equals):
      raise UserError(f'--sbatch takes KEY=VALUE, not {text!r}')
    more[key.lstrip('-')] = value
  given = {
    'slurm_partition': _PARTITION.value,
    'slurm_gres': _GRES.value,
    'slurm_mem': _MEM.value,
    'slurm_cpus_per_task': _CPUS.value,
    'slurm_time': _TIME.value,
    'slurm_signal_delay_s': _DELAY.value,
    'slurm_array_parallelism': _PARALLELISM.value,
    'slurm_job_name': 'plasticity_rl',
  }
  return {
    **{k: v for k, v in given.items() if v is not None},
    'slurm_additional_parameters': {'requeue': True, **more},
  }


def levels(launch: launcher.Launch) -> list[list[str]]:
  """Jobs by level: a job is one level after the prefix that it needs."""
  depth: dict[str, int] = {}
  for name in launch.todo:  # A prefix comes before the jobs that use it.
    depth[name] = depth.get(launch.jobs[name]['past'], -1) + 1
  found: list[list[str]] = [
    [] for _ in range(max(depth.values(), default=-1) + 1)
  ]
  for name, at in depth.items():
    found[at].append(name)
  return found


def queued(launch: launcher.Launch) -> dict[str, str]:
  """Slurm's IDs of the jobs that are still in its queue, by name.

  Raises:
    UserError: squeue fails.
  """
  listed = subprocess.run(
    ['squeue', '--noheader', '--array', '--format=%i'],
    capture_output=True,
    text=True,
  )
  if listed.returncode:
    raise UserError(f'squeue: {listed.stderr.strip() or "failed"}')
  there = set(listed.stdout.split())
  found = {}
  for name in launch.todo:
    path = folder_lib.job_folder(launch.folder, name) / _QUEUED
    if path.exists():
      identity = json.loads(path.read_text())['id']
      if identity in there:
        found[name] = identity
  return found


def submit(launch: launcher.Launch) -> Mapping[str, str]:
  """Submits the jobs that are not in the queue.

  Returns:
    Slurm's ID of each job, by name.

  Raises:
    UserError: Slurm refuses a job.
  """
  import submitit

  from . import slurm_task

  before = queued(launch)
  if before:
    print(f'{len(before)} jobs are in the queue already')
  ids = dict(before)
  logs = (launch.folder / folder_lib.JOBS / _LOGS).absolute()
  after = ''
  for level in levels(launch):
    names = [name for name in level if name not in before]
    if not names:
      continue
    executor = submitit.SlurmExecutor(
      folder=logs, max_num_timeout=_TIMEOUTS.value
    )
    options = {k.removeprefix('slurm_'): v for k, v in parameters().items()}
    if after:
      # Not afterok: a worker completes its prefix if necessary.
      options['additional_parameters'] = {
        **options['additional_parameters'],
        'dependency': f'afterany:{after}',
      }
    try:
      executor.update_parameters(**options)
      # submitit prints the message of sbatch, and also raises it.
      with contextlib.redirect_stderr(io.StringIO()), executor.batch():
        jobs = [
          executor.submit(
            slurm_task.Task(
              commands.worker(str(launch.folder.absolute()), name)
            )
          )
          for name in names
        ]
    except (
      submitit.core.utils.FailedJobError,
      RuntimeError,
      ValueError,
    ) as error:
      raise UserError(f'Slurm: {_message(error)}') from None
    for name, job in zip(names, jobs, strict=True):
      ids[name] = job.job_id
      run_folder.write_atomically(
        folder_lib.job_folder(launch.folder, name) / _QUEUED,
        json.dumps({'id': job.job_id}),
      )
    after = jobs[0].job_id.partition('_')[0]
  return ids


def main(argv: list[str]) -> None:
  """Submits the jobs.

  Raises:
    UserError: flags or the study are not valid, submitit or Slurm is missing,
      or Slurm refuses a job.
  """
  _require()
  launch = launcher.begin(argv, here=False)
  options = parameters()
  if launcher.is_dry_run():
    for i, level in enumerate(levels(launch)):
      print(f'array {i + 1}: {len(level)} jobs, {options}')
    launcher.list_jobs(launch)
    return
  launcher.say(launch)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # Of a cluster without accounting.
    ids = submit(launch)
  arrays = sorted({i.partition('_')[0] for i in ids.values()}, key=int)
  print(f'{len(ids)} jobs in Slurm: {" ".join(arrays) or "none"}')
  print(f'cancel: scancel {" ".join(arrays)}')
  print(f'status: python -m {__package__}.status {launch.folder}')


def _require():
  """Refuses a machine without submitit or Slurm."""
  try:
    import submitit
  except ImportError:
    raise UserError(
      f'submitit is not installed: {install_command("slurm")}'
    ) from None
  del submitit
  if shutil.which('sbatch') is None:
    raise UserError(
      'there is no sbatch here: launch from a node of the cluster (on '
      'Debian: apt-get install slurm-client)'
    )


def _message(error: BaseException) -> str:
  """The message of Slurm, without the text that submitit adds."""
  lines = [x.strip() for x in str(error).splitlines() if x.strip()]
  found = [x for x in lines if 'error:' in x]
  return ' '.join(found or lines[-1:] or [type(error).__name__])


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
