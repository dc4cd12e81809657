"""Runs a study on the hosts of a TPU pod, by ssh, one run after the other.

  python -m launch.tpu_pod --config=configs/studies/when_to_inject.py \
      --workdir=/mnt/shared/when --tpu=NAME --zone=us-central2-b [--dry_run]

Every host runs the same command, and `jax.distributed` finds the other hosts.
Diagnoses need a pod of one host: only `plasticity_rl.train` runs on several.
`--workdir` is a folder that the hosts and this machine share; the project is in
`--directory` on each host. --dry_run prints the commands of every host; with
--hosts it needs no connection.
"""

import json
import pathlib
import shlex
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.run import preemption

from . import commands
from . import folder as folder_lib
from . import job
from . import launcher
from . import study as study_lib

_TPU = flags.DEFINE_string('tpu', None, 'Name of the TPU.')
_ZONE = flags.DEFINE_string('zone', None, 'Its zone.')
_HOSTS = flags.DEFINE_integer(
  'hosts', None, 'Hosts of the pod; default: ask gcloud.', lower_bound=1
)
_DIRECTORY = flags.DEFINE_string(
  'directory',
  pathlib.Path.cwd().name,
  'The project on each host, from the home folder or absolute.',
)
_PYTHON = flags.DEFINE_string('python', 'python3', 'Python on the hosts.')
_COORDINATOR = flags.DEFINE_string(
  'coordinator',
  '',
  'ADDRESS:PORT of the first host; not needed on a pod, where jax finds '
  'the hosts.',
)


def ssh(host: int, command: str) -> list[str]:
  """The local command that runs `command` on a host."""
  return [
    'gcloud',
    'compute',
    'tpus',
    'tpu-vm',
    'ssh',
    _TPU.value,
    f'--zone={_ZONE.value}',
    f'--worker={host}',
    f'--command={command}',
  ]


def on_host(arguments: Sequence[str], host: int, hosts: int) -> str:
  """The shell command of one host: `python` with its arguments."""
  words = commands.host(arguments, host, hosts, _COORDINATOR.value)
  return (
    f'cd {shlex.quote(_DIRECTORY.value)} && echo $$ > {_pid_file(host)} && '
    f'exec {shlex.join([_PYTHON.value, *words])}'
  )


def _pid_file(host):
  return f'/tmp/plasticity_rl.{_TPU.value}.{host}.pid'


class Pod:
  """The processes of one run on all hosts, used like one `Popen`."""

  def __init__(
    self,
    arguments: Sequence[str],
    hosts: int,
    out: IO[str],
    environment: Mapping[str, str],
  ):
    """Starts `python` with `arguments` on every host."""
    self._processes = [
      subprocess.Popen(
        ssh(i, on_host(arguments, i, hosts)),
        stdout=out,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
      )
      for i in range(hosts)
    ]
    self.pid = self._processes[0].pid
    self._asking: dict[int, subprocess.Popen] = {}  # By host, once each.
    self._failed = 0

  def poll(self) -> int | None:
    """The exit code when all processes have ended; None before.

    It is the code of the process that failed first, or 75 if any process ended
    with 75: that one has saved and can continue.
    """
    codes = [process.poll() for process in self._processes]
    self._failed = self._failed or next((code for code in codes if code), 0)
    asking = [one.poll() for one in self._asking.values()]
    if None in codes:
      if self._failed:  # The others would wait for it forever.
        self.terminate()
      return None
    if None in asking:
      return None
    return job.INTERRUPTED if job.INTERRUPTED in codes else self._failed

  def wait(self, timeout: float | None = None) -> int:
    """As `subprocess.Popen.wait`.

    Raises:
      subprocess.TimeoutExpired: processes still run after `timeout` seconds.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while (code := self.poll()) is None:
      if end is not None and time.monotonic() > end:
        raise subprocess.TimeoutExpired('pod', timeout)
      time.sleep(0.05)
    return code

  def terminate(self) -> None:
    """Asks the processes on the hosts to save, which ending ssh would not."""
    for i, process in enumerate(self._processes):
      if process.poll() is None and i not in self._asking:
        self._asking[i] = subprocess.Popen(
          ssh(i, f'kill -TERM $(cat {_pid_file(i)})'),
          stdout=subprocess.DEVNULL,
          stderr=subprocess.DEVNULL,
          stdin=subprocess.DEVNULL,
          start_new_session=True,
        )


def count_hosts() -> int:
  """The number of hosts of the pod.

  Raises:
    UserError: gcloud is missing, fails, or does not report the hosts.
  """
  if _HOSTS.value:
    return _HOSTS.value
  _require()
  asked = subprocess.run(
    [
      'gcloud',
      'compute',
      'tpus',
      'tpu-vm',
      'describe',
      _TPU.value,
      f'--zone={_ZONE.value}',
      '--format=json',
    ],
    capture_output=True,
    text=True,
  )
  if asked.returncode:
    lines = asked.stderr.strip().splitlines() or ['failed']
    raise UserError(f'gcloud: {" ".join(x.strip() for x in lines)}')
  try:
    return len(json.loads(asked.stdout)['networkEndpoints'])
  except (ValueError, KeyError):
    raise UserError(
      f'gcloud does not say how many hosts {_TPU.value} has: give --hosts'
    ) from None


def _require():
  if shutil.which('gcloud') is None:
    raise UserError(
      'there is no gcloud here: install the Google Cloud CLI, or see the '
      'commands by --dry_run --hosts=N'
    )


def main(argv: list[str]) -> None:
  """Runs the study, or prints its commands.

  Raises:
    UserError: flags or the study are not valid, or gcloud fails.
    Interrupted: jobs are left.
    RunError: jobs have failed.
  """
  cli.require('tpu', _TPU.value)
  cli.require('zone', _ZONE.value)
  hosts = count_hosts()
  if not launcher.is_dry_run():
    _require()
  if hosts > 1 and launcher.study_of_flags().command == study_lib.DIAGNOSE:
    raise UserError(
      f'a diagnosis runs on one host, and this pod has {hosts}: take a '
      'smaller one, or launch.slurm or launch.local'
    )
  launch = launcher.begin(argv, here=False)
  launcher.say(launch)
  if launcher.is_dry_run():
    for name in launch.todo:
      print(f'\n{name}')
      for i in range(hosts):
        shell = on_host(launch.jobs[name]['command'], i, hosts)
        print(f'  {shlex.join(ssh(i, shell))}')
    return
  worker = job.Worker(
    launch.folder,
    start=lambda words, out, env: Pod(words, hosts, out, env),
  )
  preemption.listen(worker.stop)
  over = {}
  for name in launch.todo:
    code = worker.do(name)
    over[name] = folder_lib.read_state(launch.folder, name)['state']
    print(f'{over[name]}: {name}', flush=True)
    if code == job.INTERRUPTED:
      break
  launcher.finish([launch], over)


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
