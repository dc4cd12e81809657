"""What a Slurm job does: a worker, which saves when the time is up.

A module of its own, so that submitit pickles it by name.
"""

import os
import subprocess
import sys

from submitit import helpers
from submitit.helpers import DelayedSubmission

from . import job


class Task(helpers.Checkpointable):
  """Runs a command of `python`.

  submitit is sent SIGUSR2 before the time limit, or a preemption; it calls
  `checkpoint`, and requeues what that returns. SIGTERM it ignores: Slurm sends
  it to the worker as well, which saves.
  """

  def __init__(self, arguments: list[str]):
    """`arguments` of `python`."""
    self._arguments = arguments
    self._process: subprocess.Popen | None = None

  def __call__(self) -> int:
    """Runs to the end; refuses to call a failure a success."""
    self._process = subprocess.Popen(
      [*job.SHIELD, sys.executable, *self._arguments]
    )
    code = self._process.wait()
    if code not in (0, job.BUSY):
      raise RuntimeError(f'the worker ended with code {code}')
    return code

  def checkpoint(self, *args: object, **kwargs: object) -> DelayedSubmission:
    """Lets the worker save, and says what to do when the job runs again."""
    del args, kwargs
    if self._process is not None:
      self._process.terminate()
      # Not `wait`: this is a signal handler, and what it interrupted holds the
      # lock of the process.
      os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
    return DelayedSubmission(Task(self._arguments))
