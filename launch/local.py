"""Runs a study on this machine, as many runs at a time as it has room for.

  python -m launch.local --config=configs/studies/when_to_inject.py:small \
      --workdir=runs/when [--max_parallel=2] [--sweep.KEY=V1,V2] [--dry_run]

The same command again does what is missing or failed. Ctrl-C saves what runs.
"""

import signal

from absl import flags

from plasticity_rl import cli
from plasticity_rl.errors import UserError

from . import launcher
from . import pool as pools
from . import slots as slots_lib

_MAX_PARALLEL = flags.DEFINE_integer(
  'max_parallel',
  None,
  'Runs at a time; default: one a GPU, or one a core.',
  lower_bound=1,
)


def main(argv: list[str]) -> None:
  """Launches."""
  launch = launcher.begin(argv)
  slots = slots_lib.make(_MAX_PARALLEL.value)
  if launcher.is_dry_run():
    launcher.list_jobs(launch)
    try:
      pools.check_memory(launch, len(slots))
    except UserError as error:  # Whoever only looks may run it elsewhere.
      print(f'it would not start here: {error}')
    return
  pools.check_memory(launch, len(slots))
  launcher.say(launch)
  pool = pools.Pool(launch, slots)
  for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, pool.stop)
  over = pool.run()
  launcher.finish(launch, over)


if __name__ == '__main__':
  cli.run(main, define=launcher.define)
