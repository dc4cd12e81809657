r"""Judges learning curves of any program: was plasticity lost?

Every run was forked into a control arm and one with an intervention, and its
seed pairs them (docs/fork_your_own_agent.md says how to fork fairly):

  python -m plasticity_rl.verdict curves.csv --margin=10
      columns arm, seed, step, return; more columns are more metrics
  python -m plasticity_rl.verdict wandb_export.csv --margin=10 \
      --names='{arm}-s{seed}'
  python -m plasticity_rl.verdict logs/ --margin=10 --fork_step=100000
      a folder of monitor.csv, evaluations.npz, TensorBoard's event files or
      its CSV files, a folder or a file for each run: logs/control/seed_1/...
      or runs/ENVIRONMENT__ARM__SEED__TIME as CleanRL calls them
  python -m plasticity_rl.verdict runs/diagnosis

Writes verdict.json and report.html. Runs that were measured at different steps
are compared by their mean over time, on the lines that join their points.
"""

import pathlib

from absl import flags

from plasticity_rl import api
from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl.errors import UserError

_OUT = flags.DEFINE_string('out', 'verdict', 'Folder to write to.')
_MARGIN = flags.DEFINE_float(
  'margin',
  None,
  'Smallest gain that matters, in units of the metric; needed but for our own'
  ' runs.',
)
_METRIC = flags.DEFINE_string(
  'metric', None, 'What to compare; by default the return, if it is clear.'
)
_FORK_STEP = flags.DEFINE_integer(
  'fork_step',
  None,
  'Step of the fork, the last that is not compared; by default the first that'
  ' every run has reached.',
)
_HORIZON = flags.DEFINE_integer(
  'horizon',
  None,
  'Steps after the fork to compare; by default all that every run has.',
)
_CONTROL = flags.DEFINE_string(
  'control', 'control', 'Arm without an intervention.'
)
_INJECTION = flags.DEFINE_string(
  'injection',
  None,
  'Arm that the verdict is about; by default the only other one, or the one'
  ' whose name holds "inject".',
)
_TASK = flags.DEFINE_string('task', None, 'Task to compare, if there are more.')
_NAMES = flags.DEFINE_string(
  'names',
  None,
  "What runs are called, such as '{arm}_seed{seed}'; * is anything.",
)
_COLUMNS = flags.DEFINE_list(
  'columns',
  [],
  'Other names of columns, such as arm=algo,step=frames,return=score.',
)
_REBUILT = flags.DEFINE_list(
  'optimizer_rebuilt',
  [],
  'Arms whose optimizer began anew at the fork; said in the report.',
)


def main(argv: list[str]) -> None:
  """Judges the curves of the command line.

  Raises:
    UserError: flags and curves do not fit together, or a file is not valid.
  """
  out = paths.given('--out', _OUT.value)
  verdict = api.verdict_of_curves(
    argv[1:],
    out,
    margin=_MARGIN.value,
    control=_CONTROL.value,
    injection=_INJECTION.value,
    metric=_METRIC.value,
    task=_TASK.value,
    fork_step=_FORK_STEP.value,
    horizon=_HORIZON.value,
    names=_NAMES.value,
    columns=_pairs(_COLUMNS.value),
    optimizer_rebuilt=tuple(_REBUILT.value),
  )
  print(verdict.table())
  for note in verdict.notes:
    print(f'note: {note}')
  print(f'verdict: {verdict.line}')
  print(f'report: {pathlib.Path(out) / "report.html"}')


def _pairs(words: list[str]) -> dict[str, str]:
  """The words of --columns as a dict."""
  found = {}
  for word in words:
    name, equals, column = word.partition('=')
    if not (name and equals and column):
      raise UserError(
        f'--columns takes pairs such as step=frames, found {word!r}'
      )
    found[name.strip()] = column.strip()
  return found


if __name__ == '__main__':
  cli.run(main)
else:
  api.make_callable(__name__, api.verdict)
