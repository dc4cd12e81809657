"""The command `plasticity-rl`; its subcommands are also run by `python -m`.

plasticity-rl train --config=continual_catch --workdir=runs/catch
"""

import runpy
import sys
from collections.abc import Sequence

from plasticity_rl import errors
from plasticity_rl import output

_COMMANDS = {
  'train': ('train', 'trains an agent'),
  'diagnose': ('diagnose', 'diagnoses whether an agent loses plasticity'),
  'report': ('report', 'reports on runs, diagnoses, studies and scores'),
  'verdict': ('verdict', 'judges learning curves of any program'),
  'watch': ('watch', 'films the agent of a run'),
  'checkpoints': ('checkpoints', 'lists and makes networks that have aged'),
  'doctor': ('doctor', 'shows what is installed, and what works'),
  'status': ('launch.status', 'shows how far a study is'),
}
_ENGINES = {
  'local': ('launch.local', 'runs a study on this machine'),
  'slurm': ('launch.slurm', 'runs a study on Slurm'),
  'xmanager': ('launch.xmanager', 'runs a study by XManager'),
  'tpu_pod': ('launch.tpu_pod', 'runs a study on a TPU pod'),
}
_HELP = ('--help', '-h', '-help', '--helpshort', 'help')


def _help() -> str:
  named = {
    **_COMMANDS,
    **{f'launch {name}': found for name, found in _ENGINES.items()},
  }
  lines = [f'  {name:<17}{purpose}' for name, (_, purpose) in named.items()]
  return '\n'.join(
    [
      'usage: plasticity-rl COMMAND [--flags]',
      '',
      *lines,
      '',
      'plasticity-rl COMMAND --help lists the flags of a command. --config is',
      'a file, or the name of an installed config.',
    ]
  )


def main(argv: Sequence[str] | None = None) -> int:
  """Runs the subcommand that the first words name."""
  words = list(sys.argv[1:] if argv is None else argv)
  what, modules = 'command', _COMMANDS
  choices = [*_COMMANDS, 'launch']
  if words[:1] == ['launch']:
    words, what, modules = words[1:], 'way to launch', _ENGINES
    choices = list(_ENGINES)
  if words[:1] and words[0] in _HELP:
    print(_help())
    return 0
  if not words:
    print(
      f'error: which {what}? valid: {", ".join(sorted(choices))}',
      file=sys.stderr,
    )
    return 2
  if words[0] not in choices:
    print(f'error: {errors.nearest(what, words[0], choices)}', file=sys.stderr)
    return 2
  module = modules[words[0]][0]
  sys.argv[1:] = words[1:]
  # As `python -m` does, so that both behave alike.
  runpy.run_module(
    f'plasticity_rl.{module}', run_name='__main__', alter_sys=True
  )
  return 0


if __name__ == '__main__':
  with output.lenient():
    sys.exit(main())
