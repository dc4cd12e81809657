"""Commands called in this process, as a user would on the command line."""

import contextlib
import io
import os
import pathlib
import runpy
import sys
import warnings
from typing import NamedTuple
from unittest import mock

from absl import app
from absl import flags

from plasticity_rl import cli

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Result(NamedTuple):
  """What the user sees."""

  code: int | None
  out: str
  err: str


def call(
  module: str, *arguments: object, package: str = 'plasticity_rl'
) -> Result:
  """Runs `python -m PACKAGE.MODULE ARGUMENTS` without a new process."""
  argv = [module, *map(str, arguments)]
  # `cli` is imported only once, so its flags must stay defined after a call.
  assert cli.__name__ in flags.FLAGS.flags_by_module_dict()
  before = set(flags.FLAGS)
  out, err, code = io.StringIO(), io.StringIO(), None

  def run(main, argv, flags_parser):  # app.run works once in a process.
    sys.exit(main(flags_parser(argv)))

  try:
    with (
      mock.patch.object(sys, 'argv', argv),
      mock.patch.dict(os.environ),  # What a command sets is its process's.
      mock.patch.object(app, 'run', run),
      contextlib.chdir(ROOT),
      contextlib.redirect_stdout(out),
      contextlib.redirect_stderr(err),
      warnings.catch_warnings(),
    ):
      # ml_collections loads config files by a deprecated function.
      warnings.filterwarnings('ignore', 'the load_module', DeprecationWarning)
      warnings.filterwarnings(
        'ignore', '.*found in sys.modules', RuntimeWarning
      )
      runpy.run_module(f'{package}.{module}', run_name='__main__')
  except SystemExit as error:
    code = error.code or 0
  finally:
    for name in set(flags.FLAGS) - before:
      delattr(flags.FLAGS, name)
    flags.FLAGS.unparse_flags()
  return Result(code, out.getvalue(), err.getvalue())
