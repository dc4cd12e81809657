"""What the package does as a whole, as functions: train, diagnose, judge.

`plasticity_rl.train`, `diagnose` and `verdict` are commands as well. Once such
a module is imported, its name in the package is the module: hence the modules
can be called (`make_callable`), and `plasticity_rl.train(...)` is the same call
whatever was imported before.
"""

import dataclasses
import pathlib
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import ml_collections
import numpy as np

from plasticity_rl import paths
from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from plasticity_rl.aged import store
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

if TYPE_CHECKING:  # What computes is imported where it is needed.
  from plasticity_rl.analysis.verdict.verdict import Verdict

Config: TypeAlias = Mapping[str, Any] | ml_collections.ConfigDict


def train(
  config: Config, workdir: str | pathlib.Path, *, until: int | None = None
) -> pathlib.Path:
  """Trains an agent; the same call again resumes.

  It is the command `python -m plasticity_rl.train`.

  Args:
    config: what `default_config` gives, changed as needed.
    workdir: folder of the run, made if it is not there. It holds the config,
      `metrics.csv` and checkpoints.
    until: stop there and save, on the grid of `config.segment_steps`; None
      trains to `config.num_steps`.

  Returns:
    The path of `metrics.csv`.

  Raises:
    UserError: a config that does not fit together, a workdir of another
      config, or an `until` outside of the run.
    RunError: the run diverged, or was asked to stop by a signal.

  Example:
    >>> import tempfile
    >>> import plasticity_rl as pl
    >>> config = pl.default_config('supervised', 'random_labels')
    >>> config.num_steps, config.segment_steps = 4, 2
    >>> config.evaluation.every_steps = 2
    >>> config.diagnostics.every_steps = 2
    >>> config.diagnostics.names = ('weight_norm',)
    >>> config.environment.switch_every_steps = 4
    >>> config.environment.examples = 20
    >>> config.network.hidden, config.network.split = (8,), 1
    >>> config.log.progress = False
    >>> with tempfile.TemporaryDirectory() as folder:
    ...   metrics = pl.train(config, folder)
    ...   print(metrics.name, metrics.read_text()[:4])
    metrics.csv seed
  """
  return run_training(_resolved(config), paths.given('workdir', workdir), until)


@process.settled()
def run_training(
  settings: settings_lib.Settings,
  folder: pathlib.Path,
  until: int | None,
  *,
  until_is: str = 'until',
) -> pathlib.Path:
  """`train` with a config that was resolved.

  Args:
    settings: the config.
    folder: of the run.
    until: as in `train`.
    until_is: what the user calls it, for messages.
  """
  from plasticity_rl.distributed import hosts
  from plasticity_rl.run import run_folder
  from plasticity_rl.run import runner
  from plasticity_rl.training import experiment as experiment_lib

  hosts.agree_on({**run_folder.flat(settings), '--until': until})
  experiment = experiment_lib.build(settings)
  runner.check(experiment)
  end = _until(settings, until, until_is)
  run_folder.prepare(folder, settings)
  if end:
    runner.run(experiment, folder, num_steps=end)
  else:
    runner.run(experiment, folder)
  return folder / 'metrics.csv'


def diagnose(
  config: Config,
  workdir: str | pathlib.Path,
  *,
  source: str | pathlib.Path | None = None,
) -> 'Verdict':
  """Tells whether an agent is losing plasticity; the same call resumes.

  Trains a prefix, forks it into the arms of `config.fork`, and compares what
  came after (Nikishin et al., "Deep Reinforcement Learning with Plasticity
  Injection", 2023, use injection as such a test). It is the command
  `python -m plasticity_rl.diagnose`.

  Args:
    config: what `default_config` gives, changed as needed; `config.fork` says
      where to fork and into what.
    workdir: folder of the diagnosis, made if it is not there. The page to read
      is its `report.html`.
    source: a run folder to fork instead of training a prefix, or
      'checkpoint:NAME' (see `plasticity-rl checkpoints`); its config must agree
      with `config`.

  Returns:
    The verdict, of which `.statement` is a sentence.

  Raises:
    UserError: a config that does not fit together, or folders of another.
    RunError: a run diverged, or was asked to stop by a signal.

  Example:
    >>> import plasticity_rl as pl
    >>> config = pl.default_config()
    >>> config.fork.horizon = -1
    >>> try:
    ...   pl.diagnose(config, 'runs/diagnosis')
    ... except pl.UserError as error:
    ...   print(error)
    config.fork.horizon must be at least 1: -1
  """
  return run_diagnosis(
    _resolved(config),
    paths.given('workdir', workdir),
    None if source is None else store.source('source', source),
  )


@process.settled()
def run_diagnosis(
  settings: settings_lib.Settings,
  workdir: pathlib.Path,
  source: pathlib.Path | None,
) -> 'Verdict':
  """`diagnose` with a config that was resolved."""
  from plasticity_rl.forks import diagnosis

  plan = diagnosis.plan(settings, source)
  diagnosis.run(plan, workdir)

  from plasticity_rl.analysis import report

  return report.diagnosis(workdir)


def verdict(
  control: Any,
  treated: Any,
  *,
  margin: float,
  metric: str = 'score',
  replicates: bool = False,
) -> 'Verdict':
  """Judges by two arms of seeds whether plasticity was lost.

  Both arms go on from the same checkpoints, one a seed; in the treated arm a
  plasticity injection came first. Seeds are compared in pairs: an interval of
  the mean difference, by a studentised bootstrap and a two-sided sign-flip
  test.

  - 'losing plasticity': the interval lies above zero and p < 0.05.
  - 'injection hurts': the interval lies below zero and p < 0.05.
  - 'no evidence of plasticity loss': a gain above the margin is excluded; with
    3 to 5 seeds at 99 %.
  - 'undecided': else, and always so of one or two seeds, and of arms that are
    the same. Below 6 seeds p cannot be under 0.05.

  For symmetric differences each of the first three is wrong in at most 2.5 % of
  studies; `docs/verdict.md` says more, also of skewed ones.

  Nikishin et al., "Deep Reinforcement Learning with Plasticity Injection",
  2023; the rules are those of `diagnose`.

  Args:
    control: scores after the fork, `[seeds]`, or `[seeds, time]`, which is
      averaged over time. Higher is better.
    treated: the same with the injection, of the same shape and order of seeds.
    margin: the smallest gain that matters, in units of the scores.
    metric: what the scores are, for the text.
    replicates: whether the "seeds" are one network continued several times.

  Returns:
    A `Verdict`: `.verdict`, `.effect`, `.low`, `.high`, `.p`, `.seeds_needed`
    to `.seeds_needed_high`, `.reason`, `.notes`, and `.statement`, a sentence.

  Raises:
    UserError: arms of different shapes, empty or not finite ones, or a margin
      that is not positive.

  Example:
    >>> import plasticity_rl as pl
    >>> control = [1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.3]
    >>> treated = [1.5, 1.8, 1.3, 1.7, 1.4, 1.5, 1.9]
    >>> found = pl.verdict(control, treated, margin=0.1)
    >>> found.verdict
    'losing plasticity'
    >>> round(found.p, 3)
    0.016
  """
  from plasticity_rl.analysis.verdict import rules

  arms = {}
  for name, scores in (('control', control), ('treated', treated)):
    try:
      arms[name] = np.asarray(scores, float)
    except (TypeError, ValueError):
      raise UserError(f'{name}: expected an array of numbers') from None
    if arms[name].ndim not in (1, 2) or not arms[name].size:
      raise UserError(
        f'{name}: expected scores [seeds] or [seeds, time], found shape'
        f' {arms[name].shape}'
      )
  if arms['control'].shape != arms['treated'].shape:
    raise UserError(
      'control and treated are of different shapes:'
      f' {arms["control"].shape} and {arms["treated"].shape}'
    )
  means = {k: v.reshape(len(v), -1).mean(1) for k, v in arms.items()}
  return rules.assess(
    means['control'],
    {'injection': means['treated']},
    margin=margin,
    metric=metric,
    replicates=replicates,
  )


def verdict_of_curves(
  curves: str | pathlib.Path | Sequence[str | pathlib.Path],
  out: str | pathlib.Path,
  **asked: Any,
) -> 'Verdict':
  r"""Judges learning curves of any program: was plasticity lost?

  Every run was forked into a control arm and one with an intervention; its seed
  pairs them. The rules are those of `verdict`; it is the command
  `plasticity-rl verdict`.

  Read as they are: CSV files with the columns arm, seed, step and return (one
  row a point; other columns are other metrics, and task may be one); exports of
  Weights & Biases and of TensorBoard, and TensorBoard's event files, which
  CleanRL writes; Stable-Baselines3's `monitor.csv` and `evaluations.npz`; run
  folders and diagnoses of this framework; folders of all these. Where a file
  holds one run, its path tells arm and seed.

  The score of a run is its mean over the steps after the fork, up to the
  horizon. Where runs were measured at different steps, it is the mean over
  time of the lines that join the points, `1/h int_f^(f+h) y(t) dt`.

  Args:
    curves: a file or folder, or several.
    out: folder for `verdict.json` and `report.html`, made if it is not there.
    **asked: `margin` (the smallest gain that matters, in units of the metric;
      needed but for our own runs), `control` ('control'), `injection` (the arm
      that the verdict is about, if several are), `metric`, `task`, `fork_step`
      (by default the first step that every run has reached), `horizon` (by
      default all that every run has), `names` (a pattern of run names such as
      '{arm}_seed{seed}', where * is anything), `columns` (such as
      `{'arm': 'algo', 'step': 'frames'}`) and `optimizer_rebuilt` (arms whose
      optimizer began anew).

  Returns:
    A `Verdict`, whose `.notes` say what would make the comparison unfair.

  Raises:
    UserError: in one line, what is wrong with which run and what to do; nothing
      is written then.

  Example:
    >>> import pathlib, tempfile
    >>> import plasticity_rl as pl
    >>> lines = ['arm,seed,step,return']
    >>> for seed in range(7):
    ...   for step in (0, 100, 200):
    ...     lines.append(f'control,{seed},{step},{1 + seed / 10}')
    ...     gain = (0.5 + seed / 50) * (step > 0)
    ...     lines.append(f'injection,{seed},{step},{1 + seed / 10 + gain}')
    >>> with tempfile.TemporaryDirectory() as folder:
    ...   path = pathlib.Path(folder, 'curves.csv')
    ...   _ = path.write_text('\n'.join(lines))
    ...   found = pl.verdict_of_curves(path, folder, margin=0.1)
    >>> found.verdict, round(found.effect, 2)
    ('losing plasticity', 0.56)
  """
  from plasticity_rl.analysis import report
  from plasticity_rl.analysis.curves import question

  if isinstance(curves, str | pathlib.Path):
    curves = [curves]
  known = [field.name for field in dataclasses.fields(question.Question)]
  for name in asked:
    if name not in known:
      raise UserError(nearest('argument', name, known))
  return report.curves(
    curves, paths.given('out', out), question.Question(**asked)
  )


def make_callable(module: str, function: Callable[..., Any]) -> None:
  """Makes a call of an imported module a call of `function`."""

  class CallableModule(types.ModuleType):
    """A command's module, which its package's name may stand for."""

    __call__ = staticmethod(function)

  sys.modules[module].__class__ = CallableModule


def _resolved(config: Config) -> settings_lib.Settings:
  if not isinstance(config, (Mapping, ml_collections.ConfigDict)):
    raise UserError(
      'config: expected what default_config gives, found'
      f' {type(config).__name__}'
    )
  return settings_lib.resolve(config)


def _until(
  settings: settings_lib.Settings, until: int | None, name: str
) -> int | None:
  """A step on the grid; None for the end."""
  if until is None:
    return None
  if not 0 < until <= settings.num_steps:
    raise UserError(
      f'{name} must be 1 to num_steps ({settings.num_steps}): {until}'
    )
  from plasticity_rl.training import schedule as schedule_lib

  return schedule_lib.on_grid(until, settings.segment_steps, name)
