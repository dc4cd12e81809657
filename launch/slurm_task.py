"""The task of a Slurm job: a worker that saves when the time is up.

It is a separate module, so that submitit pickles the task by name.
"""

import os
import subprocess
import sys

from submitit import helpers
from submitit.helpers import DelayedSubmission

from . import job


class Task(helpers.Checkpointable):
  """Runs a command of `python`.

  Before the time limit or a preemption, submitit gets SIGUSR2. It then calls
  `checkpoint` and requeues the returned task. It ignores SIGTERM, which Slurm
  also sends to the worker; the worker saves.
  """

  def __init__(self, arguments: list[str]):
    """Keeps the arguments of `python`."""
    self._arguments = arguments
    self._process: subprocess.Popen | None = None

  def __call__(self) -> int:
    """Runs the command to its end.

    Returns:
      The exit code.

    Raises:
      RuntimeError: the command failed; Slurm then reports a failed job.
    """
    self._process = subprocess.Popen(
      [*job.SHIELD, sys.executable, *self._arguments]
    )
    code = self._process.wait()
    if code not in (0, job.BUSY):
      raise RuntimeError(f'the worker ended with code {code}')
    return code

  def checkpoint(self, *args: object, **kwargs: object) -> DelayedSubmission:
    """Makes the worker save, and returns the task to requeue."""
    del args, kwargs
    if self._process is not None:
      self._process.terminate()
      # Not `wait`: this is a signal handler, and the interrupted code holds the
      # lock of the process.
      os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
    return DelayedSubmission(Task(self._arguments))
