"""Diagnoses whether an agent loses plasticity; the same command resumes.

Forks a run into arms that differ by one intervention, trains the arms, and
compares them:

  python -m plasticity_rl.diagnose --config=configs/continual_catch.py \
      --workdir=runs/diagnosis
  python -m plasticity_rl.diagnose --from=runs/catch --step=24000 \
      --workdir=runs/diagnosis --config.fork.horizon=3000
  python -m plasticity_rl.diagnose --from=checkpoint:catch_12 \
      --workdir=runs/diagnosis

With --proxies it forks at many steps instead, and correlates each diagnostic
with the gain from an injection:

  python -m plasticity_rl.diagnose --proxies --workdir=runs/proxies \
      --config=configs/continual_catch.py:proxies
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import ml_collections
from absl import flags
from ml_collections import config_flags

from plasticity_rl import api
from plasticity_rl import cli
from plasticity_rl import paths
from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from plasticity_rl.aged import store
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder

_FROM = flags.DEFINE_string(
  'from',
  None,
  'Run folder to fork, instead of training a prefix; or checkpoint:NAME, see '
  '`plasticity-rl checkpoints`.',
)
_STEP = flags.DEFINE_integer(
  'step', None, 'Checkpoint to fork from (with --from; default: the newest).'
)
_PROXIES = flags.DEFINE_bool(
  'proxies',
  False,
  'Fork at each of config.fork.proxy_steps, and report which '
  'diagnostics correlate with the gain from an injection.',
)
_WORKDIR = flags.DEFINE_string('workdir', None, 'Folder of the diagnosis.')
flags.declare_key_flag('compilation_cache')
flags.declare_key_flag('cpu_devices')


def define(argv: Sequence[str]) -> None:
  """Defines --config: a config file, or with --from the config of that run.

  Raises:
    UserError: --from is not a run, or an override names an unknown key.
  """
  source = None
  for i, word in enumerate(argv):
    name, equals, value = word.lstrip('-').partition('=')
    if word.startswith('-') and name == 'from':
      source = value if equals else ''.join(argv[i + 1 : i + 2])
  if source is None:
    config_flags.DEFINE_config_file(
      'config',
      None,
      'Config file, or name of one installed, with an optional `:variant`.',
    )
    return
  settings = settings_lib.resolve(
    run_folder.read_config(store.source('--from', source))
  )
  config = ml_collections.ConfigDict(settings_lib.to_dict(settings))
  cli.check_overrides(config, argv)  # Defining the flag applies them.
  config_flags.DEFINE_config_dict('config', config)


def main(argv: list[str]) -> None:
  """Checks everything, then trains, forks, compares and reports.

  Raises:
    UserError: flags or the config are not valid.
    RunError: a run cannot continue.
  """
  cli.refuse_positionals(argv)
  config = cli.require('config', flags.FLAGS.config)
  workdir = paths.given('--workdir', cli.require('workdir', _WORKDIR.value))
  settings = settings_lib.resolve(config)
  if _STEP.value is not None:
    if _FROM.value is None:
      raise UserError(
        '--step goes with --from; otherwise set --config.fork.step'
      )
    if _STEP.value < 0:
      raise UserError(f'--step must not be negative: {_STEP.value}')
    if _PROXIES.value:
      raise UserError(
        '--step is for one fork: with --proxies set --config.fork.proxy_steps'
      )
    settings = _with_fork(settings, step=_STEP.value)
  cli.give_threads(settings)
  source = store.source('--from', _FROM.value) if _FROM.value else None
  if _PROXIES.value:
    _proxies(settings, source, workdir)
  else:
    _diagnosis(settings, source, workdir)


def _diagnosis(
  settings: settings_lib.Settings,
  source: pathlib.Path | None,
  workdir: pathlib.Path,
) -> None:
  verdict = api.run_diagnosis(settings, workdir, source)
  print(verdict.table())
  print(f'verdict: {verdict.line}')
  print(f'report: {workdir / "report.html"}')


@process.settled()
def _proxies(
  settings: settings_lib.Settings,
  source: pathlib.Path | None,
  workdir: pathlib.Path,
) -> None:
  from plasticity_rl.forks import proxies

  plan = proxies.plan(settings, source)
  proxies.run(plan, workdir)

  from plasticity_rl.analysis import report

  found = report.proxies(workdir)
  print(found.table())
  print(found.statement)
  print(f'proxies: {workdir / "proxies.csv"}')
  print(f'report: {workdir / "proxies.html"}')


def _with_fork(
  settings: settings_lib.Settings, **changes: Any
) -> settings_lib.Settings:
  return dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, **changes)
  )


if __name__ == '__main__':
  cli.run(main, define=define)
else:
  api.make_callable(__name__, api.diagnose)
