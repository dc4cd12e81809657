"""Does one job of a study: the command that every engine runs.

  python -m launch.worker --workdir=DIR --job=NAME [--cores=0,1]

Takes the job's lease, trains its shared prefix if necessary, runs the command
of the job with its output in `jobs/NAME/log.txt`, and records the result. Exits
with 0 if the job is done, 75 if it was asked to stop and has saved, 69 if
another worker has the job, and 1 or 2 if it failed.
"""

import os
import pathlib

from absl import flags

from plasticity_rl import cli
from plasticity_rl.run import preemption

from . import job

_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the study.')
_JOB = flags.DEFINE_string('job', None, 'Name of the job.')
_CORES = flags.DEFINE_list('cores', None, 'Cores to use; default: all.')


def main(argv: list[str]) -> int:
  """Does the job, and returns its exit code.

  Raises:
    UserError: a flag is missing, or there is no such job.
  """
  cli.refuse_positionals(argv)
  cli.require('workdir', _WORKDIR.value)
  cli.require('job', _JOB.value)
  extra = {}
  if _CORES.value:
    cores = sorted({int(core) for core in _CORES.value})
    os.sched_setaffinity(0, cores)  # Child processes inherit it.
    extra = job.environment(len(cores))
  worker = job.Worker(pathlib.Path(_WORKDIR.value), extra)
  preemption.listen(worker.stop)
  return worker.do(_JOB.value)


if __name__ == '__main__':
  cli.run(main)
