"""Reads command lines as the commands do, and computes nothing.

  python -m tests.docs.command_lines < commands.json

Each line of stdin is a list of words, those after `python -m`. Flags are
parsed, configs are loaded and resolved, studies are built; what is refused is
printed with the words. A run that would be trained leaves its config, so that
a later line can fork it.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import runpy
import sys
import traceback

from absl import app
from absl import flags
from ml_collections import config_flags

from launch import launcher
from launch import study
from plasticity_rl import settings
from plasticity_rl.analysis.study import claims  # noqa: F401  Once for all.
from plasticity_rl.analysis.study import talk as talks
from plasticity_rl.diagnostics import registry  # noqa: F401  Once for all.
from plasticity_rl.run import run_folder


def _read(main, argv, flags_parser):
  """In place of `app.run`: parses, and looks at the config."""
  del main
  flags_parser(argv)
  if 'config' in flags.FLAGS and flags.FLAGS.config is not None:
    _read_config()
  sys.exit(0)


def _read_config():
  if 'dry_run' in flags.FLAGS:  # An engine.
    source = config_flags.get_config_filename(flags.FLAGS['config'])
    if talks.is_talk(source):
      talk = talks.read(source, flags.FLAGS.config)
      for name in talk.chosen:
        study.config_of(talk.parts[name])
    else:
      launcher.study_of_flags()
    return
  resolved = settings.resolve(flags.FLAGS.config)
  folder = pathlib.Path(flags.FLAGS.workdir)
  if not folder.is_absolute() and not (folder / run_folder.CONFIG).exists():
    run_folder.prepare(folder, resolved)


def _parsed(parser, *args):
  _PARSE_ARGS(parser, *args)
  sys.exit(0)


def run(words):
  """One command, in a process of its own."""
  app.run = _read
  argparse.ArgumentParser.parse_args = _parsed
  module, *arguments = words
  if importlib.util.find_spec(module) is None:
    sys.exit(f'there is no module {module}')
  sys.argv = [module, *arguments]
  runpy.run_module(module, run_name='__main__', alter_sys=True)


def _run_and_leave(words):
  """Leaves at once: what Python does at its end takes longer than the rest."""
  code = 1
  try:
    run(words)
    code = 0
  except SystemExit as end:
    code = end.code if isinstance(end.code, int) else bool(end.code)
    if isinstance(end.code, str):
      print(end.code)
  except BaseException:
    traceback.print_exc()
  sys.stdout.flush()
  os._exit(code)


if __name__ == '__main__':
  _PARSE_ARGS = argparse.ArgumentParser.parse_args
  failed = 0
  for line in sys.stdin:
    sys.stdout.flush()
    child = os.fork()
    if not child:
      os.dup2(1, 2)
      _run_and_leave(json.loads(line))
    if os.waitpid(child, 0)[1]:
      failed += 1
      print(f'refused: {line}')
  sys.exit(bool(failed))
