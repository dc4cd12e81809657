"""Shows the progress of a study, or of a talk, in the terminal.

python -m launch.status DIR             a live table; Ctrl-C closes it
python -m launch.status DIR --once      the same, once
"""

import time

from absl import flags

from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl.errors import UserError

from . import folder as folder_lib
from . import progress
from . import status_table

_ONCE = flags.DEFINE_bool('once', False, 'Show the table once, and exit.')
_EVERY = flags.DEFINE_float(
  'every', 2.0, 'Seconds between updates of the table.', lower_bound=0.1
)


def main(argv: list[str]) -> None:
  """Shows the table.

  Raises:
    UserError: the folder is missing or is not a study.
  """
  if len(argv) != 2:
    raise UserError('give the folder of one study: python -m launch.status DIR')
  folder = paths.given('the folder', argv[1])
  jobs = progress.read(folder)
  from rich import console as consoles
  from rich import live as lives

  console = consoles.Console()
  if _ONCE.value or not console.is_terminal:
    console.print(status_table.table(folder, jobs))
    return
  try:
    with lives.Live(status_table.table(folder, jobs), console=console) as live:
      while any(
        job.state in (folder_lib.RUNNING, folder_lib.WAITING) for job in jobs
      ):
        time.sleep(_EVERY.value)
        jobs = progress.read(folder)
        live.update(status_table.table(folder, jobs))
  except KeyboardInterrupt:
    pass


if __name__ == '__main__':
  cli.run(main)
