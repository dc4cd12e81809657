"""A diagnosis: trains a prefix, and arms that fork from its end."""

import csv
import dataclasses
import pathlib
from typing import Any

from plasticity_rl import diagnosis_folder
from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import metrics
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.run.preemption import PreemptionHandler
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training.experiment import Experiment

MARGIN_FRACTION = 0.1
SINGLE_SEED_REPLICATES = 10
# Sections that an arm may change, as far as the state at the fork still fits.
CHANGEABLE = ('agent', 'optimizer', 'regularizer', 'replay')


@dataclasses.dataclass(frozen=True)
class DiagnosisPlan:
  """A diagnosis that was checked and can be run.

  Attributes:
    experiment: of the prefix; its settings are resolved.
    arm_experiments: the experiment of each arm, by label. Most arms share one;
      an arm whose intervention is repeated, or which has other settings, has a
      separate one. A single seed is replicated in all of them.
    source: run folder to fork; None if a prefix is trained.
    step: the step of the fork.
    horizon: steps of each arm.
    arms: the intervention of each arm, including the control.
  """

  experiment: Experiment
  arm_experiments: dict[str, Experiment]
  source: pathlib.Path | None
  step: int
  horizon: int
  arms: tuple[expressions.Expression, ...]


def plan(
  settings: settings_lib.Settings, source: pathlib.Path | None = None
) -> DiagnosisPlan:
  """Resolves and checks a diagnosis; computes nothing.

  Args:
    settings: of the prefix; `fork` describes the fork.
    source: run folder to fork; None to train a prefix.

  Returns:
    The plan.

  Raises:
    UserError: the settings, an arm or the source are not valid.
  """
  schedule = schedule_lib.schedule(settings)
  settings, step = _resolve_fork(settings, schedule, source)
  horizon = schedule_lib.on_grid(
    settings.fork.horizon, schedule.segment, 'fork.horizon'
  )
  experiment = experiment_lib.build(settings)
  if source is not None:  # Refuses a missing, damaged or foreign checkpoint.
    Checkpoints(source).check(step, experiment)
  low, high = experiment.trainer.return_range
  if not settings.fork.margin:
    settings = with_fork(settings, margin=MARGIN_FRACTION * (high - low))
  experiment = experiment.replace(settings=settings)
  runner.check(experiment)
  arms = _check_arms(settings, experiment)
  experiment_lib.check_metric(
    experiment, settings.fork.metric, 'config.fork.metric'
  )
  check_horizon(step, horizon, schedule, settings.fork.metric)
  return DiagnosisPlan(
    experiment,
    _arm_experiments(experiment, arms, step + horizon),
    source,
    step,
    horizon,
    arms,
  )


def _arm_experiments(experiment, arms, end):
  """The experiment of each arm; refuses impossible triggers and settings."""
  settings = experiment.settings
  common = experiment
  if settings.fork.replicates:
    common = experiment_lib.build(
      dataclasses.replace(settings, num_seeds=settings.fork.replicates)
    )
  found = {}
  for arm in arms:
    own = _with_settings(common.settings, arm)
    if arm.triggers:
      own = dataclasses.replace(
        own,
        num_steps=max(settings.num_steps, end),
        interventions=(*own.interventions, f'{arm.label}={arm.scheduled}'),
      )
    found[arm.label] = common
    if own != common.settings:
      found[arm.label] = experiment_lib.build(own)
      runner.check(found[arm.label])
    if arm.settings and not found[arm.label].can_adopt(common):
      raise UserError(
        f'config.fork.arms: {arm.label!r}: the state at the fork does not fit '
        f'another {" and ".join(arm.settings)}'
      )
  return found


def _with_settings(
  settings: settings_lib.Settings, arm: expressions.Expression
) -> settings_lib.Settings:
  """The settings that an arm goes on with."""
  if not arm.settings:
    return settings
  config = settings_lib.to_dict(settings)
  known = [f'{s}.{key}' for s in CHANGEABLE for key in config[s]]
  for key, value in arm.settings.items():
    if key not in known:
      raise UserError(
        errors.nearest(f'setting of arm {arm.label!r}', key, known)
      )
    section, name = key.split('.')
    config[section][name] = value
  return settings_lib.resolve(config)


def run(plan: DiagnosisPlan, workdir: pathlib.Path) -> None:
  """Runs or resumes the prefix and every arm.

  Raises:
    UserError: a folder or checkpoint cannot be used.
    Interrupted: the process was asked to stop, and has saved.
    RunError: a run cannot continue.
  """
  settings = plan.experiment.settings
  prefix = prepare(workdir, settings)
  source = plan.source
  if source is None:
    source = prefix
  else:
    # Another process may train the source further and delete old checkpoints.
    Checkpoints(source).keep(plan.step)
    copy_history(source, prefix, plan.step)
  with PreemptionHandler() as preemption:
    # If the last checkpoint was damaged, it is made again from an earlier one.
    if source is prefix and Checkpoints(prefix).newest() != plan.step:
      runner.run(
        plan.experiment,
        prefix,
        num_steps=plan.step,
        name='prefix',
      )
    for arm in plan.arms:
      if preemption.requested:
        raise Interrupted(
          f'stopped before arm {arm.label!r}; the same command continues'
        )
      fork.run_arm(
        plan.arm_experiments[arm.label],
        source,
        plan.step,
        arm,
        workdir / diagnosis_folder.ARMS / arm.label,
        horizon=plan.horizon,
        replicates=settings.fork.replicates,
        source_experiment=plan.experiment,
      )


def prepare(
  workdir: pathlib.Path, settings: settings_lib.Settings
) -> pathlib.Path:
  """Creates the prefix's folder, or checks that it belongs to this config.

  Raises:
    UserError: the folder holds other files or a run of another config.
  """
  prefix = workdir / diagnosis_folder.PREFIX
  if workdir.is_dir() and any(workdir.iterdir()) and not prefix.exists():
    raise UserError(
      f'{workdir} is neither empty nor a diagnosis: choose another --workdir'
    )
  run_folder.prepare(prefix, settings)
  return prefix


def _resolve_fork(settings, schedule, source):
  """Resolves the step of the fork and the replicates of a single seed."""
  step = settings.fork.step
  if settings.num_seeds == 1 and not settings.fork.replicates:
    settings = with_fork(settings, replicates=SINGLE_SEED_REPLICATES)
  if settings.num_seeds > 1 and settings.fork.replicates:
    raise UserError(
      'config.fork.replicates continues a single seed, but num_seeds is '
      f'{settings.num_seeds}'
    )
  if source is None:
    step = (
      schedule.num_steps
      if step < 0
      else schedule_lib.on_grid(step, schedule.segment, 'fork.step')
    )
    if not 0 < step <= schedule.num_steps:
      raise UserError(
        f'config.fork.step must be 1 to num_steps ({schedule.num_steps}), '
        f'or -1 for the end: {settings.fork.step}'
      )
    return with_fork(settings, step=step), step
  check_source(settings, source)
  if step < 0:
    step = Checkpoints(source).newest()
    if step is None:
      raise UserError(f'there is no checkpoint in {source}')
  return with_fork(settings, step=step), step


def check_source(settings: settings_lib.Settings, source: pathlib.Path) -> None:
  """Checks that settings differ from those of a run only in fork and log.

  Raises:
    UserError: they differ in more, or the folder is not a run.
  """
  theirs = settings_lib.resolve(run_folder.read_config(source))
  same = {'fork': settings.fork, 'log': settings.log}
  if dataclasses.replace(theirs, **same) != settings:
    raise UserError(
      'with --from only config.fork.* and config.log.* can be changed: '
      f'{source} was trained with other settings'
    )


def with_fork(
  settings: settings_lib.Settings, **changes: Any
) -> settings_lib.Settings:
  """Replaces values in the section `fork` of settings."""
  return dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, **changes)
  )


def _check_arms(settings, experiment):
  arms = tuple(expressions.parse(text) for text in settings.fork.arms)
  labels = [arm.label for arm in arms]
  for arm in arms:
    if 'at_steps' in arm.triggers:
      raise UserError(
        f'config.fork.arms: {arm.label!r} happens at the fork, or again and '
        'again by every_steps, every_updates or when: it takes no at_steps'
      )
    if arm.label == 'control' and arm.settings:
      raise UserError(
        'config.fork.arms: others are compared with the arm control, which '
        f'takes no settings: label it, as in "other={arm.source}"'
      )
    if arm.label.startswith('.'):  # It names the folder of the arm.
      raise UserError(
        f'config.fork.arms: a label must not begin with a dot: {arm.label!r}'
      )
    if labels.count(arm.label) > 1:
      raise UserError(
        f'config.fork.arms: {arm.label!r} is there twice; label one: '
        f'"other={arm.text}"'
      )
    experiment.intervene(arm)  # Refuses what does not fit the agent.
  if 'control' not in labels:
    raise UserError(
      "config.fork.arms needs 'control' to compare with; there are: "
      + ', '.join(labels)
    )
  if len(labels) < 2:
    raise UserError('config.fork.arms needs an arm besides the control')
  return arms


def check_horizon(
  step: int,
  horizon: int,
  schedule: schedule_lib.EventSchedule,
  metric: str,
) -> None:
  """Refuses a fork whose arms would be neither evaluated nor compared.

  Raises:
    UserError: there is no evaluation, or no value of the metric, within the
      horizon.
  """
  needed = {'evaluation': schedule.evaluate}
  if metric.startswith('plasticity/'):
    needed['diagnostics'] = schedule.measure
  for section, period in needed.items():
    if (step + horizon) // period == step // period:
      what = 'evaluation' if section == 'evaluation' else metric
      raise UserError(
        f'config.fork.horizon ({horizon}) holds no {what}: '
        f'{section}.every_steps is {period}'
      )


def copy_history(source: pathlib.Path, prefix: pathlib.Path, step: int) -> None:
  """Copies the metrics of another run up to the fork, for the report."""
  path = source / metrics.CSV
  if not path.exists():
    return
  with path.open(newline='') as file:
    reader = csv.DictReader(file)
    # The last line may be incomplete, if the run was killed or still runs.
    rows = [row for row in reader if metrics.is_whole(row, step)]
    columns = reader.fieldnames or []
  lines = [','.join(columns)]
  lines += [','.join(row[c] for c in columns) for row in rows]
  run_folder.write_atomically(prefix / metrics.CSV, '\n'.join(lines) + '\n')
