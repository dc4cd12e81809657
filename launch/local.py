"""Runs a study, or a talk, on this machine, several runs at a time.

  python -m launch.local --config=configs/studies/when_to_inject.py:small \
      --workdir=runs/when [--max_parallel=2] [--sweep.KEY=V1,V2] [--dry_run]

A talk is a study of studies: its parts are run as if they were one study, or
some of them, as in `talk.py:small,NAME`.

The same command does the jobs that are missing or failed. Ctrl-C saves and
stops all runs.
"""

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError
from plasticity_rl.run import preemption

from . import launcher
from . import pool as pools
from . import slots as slots_lib

_MAX_PARALLEL = flags.DEFINE_integer(
  'max_parallel',
  None,
  'Runs at a time; default: one for each GPU, or for each core.',
  lower_bound=1,
)


def main(argv: list[str]) -> None:
  """Runs the study, or lists its jobs.

  Raises:
    UserError: flags or the study are not valid, or memory is too small.
    Interrupted: jobs are left.
    RunError: jobs have failed.
  """
  launches = launcher.begin_all(argv)
  slots = slots_lib.make(_MAX_PARALLEL.value)
  if launcher.is_dry_run():
    launcher.list_jobs(*launches)
    try:
      pools.check_memory(launches, len(slots))
    except UserError as error:  # The study may run on another machine.
      print(f'it would not start here: {error}')
    return
  pools.check_memory(launches, len(slots))
  for launch in launches:
    launcher.say(launch)
  pool = pools.Pool(launches, slots)
  preemption.listen(pool.stop)
  over = pool.run()
  launcher.finish(launches, over)


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
