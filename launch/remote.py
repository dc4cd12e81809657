"""Does one job of a study, and creates the study's folder if necessary.

  python -m launch.remote --config=STUDY --workdir=DIR --job=NAME [--sweep...]

For machines that share a folder with each other but not with the launcher: the
first of them creates the folder, from the same study file.
"""

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest
from plasticity_rl.run import preemption

from . import job
from . import launcher

_JOB = flags.DEFINE_string('job', None, 'Name of the job.')


def main(argv: list[str]) -> int:
  """Does the job, and returns its exit code.

  Raises:
    UserError: flags or the study are not valid, or there is no such job.
  """
  cli.require('job', _JOB.value)
  launch = launcher.begin(argv, here=None)
  if _JOB.value not in launch.jobs:
    raise UserError(nearest('job', _JOB.value, launch.jobs))
  worker = job.Worker(launch.folder)
  preemption.listen(worker.stop)
  return worker.do(_JOB.value)


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
