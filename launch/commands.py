"""Command lines of runs; engines run them, and users can type them."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

PYTHON = 'python'


def words(overrides: Mapping[str, Any]) -> list[str]:
  """Overrides as flags, for example `--config.network.hidden=(64, 64)`."""
  return [f'--config.{k}={_value(v)}' for k, v in overrides.items()]


def train(
  source: str, workdir: str, overrides: Mapping[str, Any], *, until: int = 0
) -> list[str]:
  """Arguments of `python` that train a run, or its first `until` steps."""
  return [
    '-m',
    'plasticity_rl.train',
    f'--config={source}',
    f'--workdir={workdir}',
    *words(overrides),
    *([f'--until={until}'] if until else []),
  ]


def diagnose(
  source: str, workdir: str, overrides: Mapping[str, Any]
) -> list[str]:
  """Arguments of `python` that train the prefix and diagnose."""
  return [
    '-m',
    'plasticity_rl.diagnose',
    f'--config={source}',
    f'--workdir={workdir}',
    *words(overrides),
  ]


def diagnose_from(
  prefix: str, workdir: str, fork: Mapping[str, Any], step: int
) -> list[str]:
  """Arguments of `python` that diagnose from a trained prefix."""
  fork = {f'fork.{k}': v for k, v in fork.items() if k != 'step'}
  return [
    '-m',
    'plasticity_rl.diagnose',
    f'--from={prefix}',
    f'--step={step}',
    f'--workdir={workdir}',
    *words(fork),
  ]


def worker(workdir: str, name: str, *more: str) -> list[str]:
  """Arguments of `python` that do one job of a study."""
  return [
    '-m',
    f'{__package__}.worker',  # The package's name depends on how it is run.
    f'--workdir={workdir}',
    f'--job={name}',
    *more,
  ]


def host(
  arguments: Sequence[str], index: int, count: int, coordinator: str = ''
) -> list[str]:
  """Adds the arguments of one of several processes that train together.

  On a TPU pod, jax finds the other processes; elsewhere it needs `coordinator`,
  `ADDRESS:PORT` of the first process.
  """
  if count == 1:
    return list(arguments)
  if not coordinator:
    return [*arguments, '--distributed=auto']
  return [
    *arguments,
    f'--coordinator={coordinator}',
    f'--num_processes={count}',
    f'--process_id={index}',
  ]


def text(arguments: Sequence[str]) -> str:
  """The command as a user would type it."""
  return shlex.join([PYTHON, *arguments])


def _value(value):
  return value if isinstance(value, str) else repr(value)
