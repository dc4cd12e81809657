"""Tests proxies of lost plasticity: forks a run at many steps into two arms.

Each fork continues the same prefix from a different step, once unchanged and
once with an injection. A good proxy predicts the gain from the injection. The
prefix measures all diagnostics at each fork; if an existing run is forked, the
control arm measures them.
"""

import dataclasses
import pathlib

from absl import logging

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.forks import fork
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.run.preemption import PreemptionHandler
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training.experiment import Experiment

FORKS = 'forks'
CONTROL, INJECTION = 'control', 'injection'
DEFAULT_FORKS = 10
FEWEST_FORKS = 2  # With one fork, nothing changes over time.
FEWEST_SEEDS = 3  # Fewer cannot be ranked.


@dataclasses.dataclass(frozen=True)
class ProxyPlan:
  """Forks that were checked and can be run.

  Attributes:
    experiment: of the prefix; its settings are resolved.
    source: run folder to fork; None for a prefix to be trained.
    steps: the steps of the forks, ascending.
    horizon: steps of each arm.
    arms: the control and the injection.
  """

  experiment: Experiment
  source: pathlib.Path | None
  steps: tuple[int, ...]
  horizon: int
  arms: tuple[expressions.Expression, ...]


def plan(
  settings: settings_lib.Settings, source: pathlib.Path | None = None
) -> ProxyPlan:
  """Resolves and checks the forks; computes nothing.

  Args:
    settings: uses `fork.proxy_steps`, `fork.horizon`, `fork.metric` and the
      injection in `fork.arms`. Other arms are not run; a warning names them.
    source: a run with checkpoints, which are the possible forks.

  Returns:
    The plan.

  Raises:
    UserError: fewer than 2 forks or 3 seeds; steps outside the run, or without
      a checkpoint; no injection, no diagnostics; an unknown metric.
  """
  schedule = schedule_lib.schedule(settings)
  if settings.num_seeds < FEWEST_SEEDS:
    raise UserError(
      f'--proxies ranks seeds and needs at least {FEWEST_SEEDS}: num_seeds '
      f'is {settings.num_seeds}'
    )
  if settings.fork.replicates:
    raise UserError(
      'config.fork.replicates continues a single seed: it does not go with '
      '--proxies'
    )
  if not settings.diagnostics.names:
    raise UserError('config.diagnostics.names is empty: there is no proxy')
  if source is not None:
    diagnosis.check_source(settings, source)
  steps = _steps(settings.fork.proxy_steps, schedule, source)
  horizon = schedule_lib.on_grid(
    settings.fork.horizon, schedule.segment, 'fork.horizon'
  )
  arms = _arms(settings.fork.arms)
  settings = diagnosis.with_fork(settings, proxy_steps=steps)
  experiment = experiment_lib.build(settings)
  for step in steps:
    diagnosis.check_horizon(step, horizon, schedule, settings.fork.metric)
    if source is not None:
      Checkpoints(source).check(step, experiment)
  for arm in arms:
    experiment.intervene(arm)  # Refuses what does not fit the agent.
  experiment_lib.check_metric(
    experiment, settings.fork.metric, 'config.fork.metric'
  )
  return ProxyPlan(experiment, source, steps, horizon, arms)


def _steps(asked, schedule, source):
  """The steps of the forks, on the grid and in order."""
  what = 'config.fork.proxy_steps'
  for step in asked:
    if type(step) is not int or not 0 < step <= schedule.num_steps:
      raise UserError(
        f'{what} must hold whole numbers from 1 to num_steps '
        f'({schedule.num_steps}): {step!r}'
      )
  if source is not None:
    steps = set(asked or Checkpoints(source).steps()) - {0}
    found = f'{len(steps)} checkpoint{"s" * (len(steps) != 1)} of {source}'
  elif asked:
    steps = {
      schedule_lib.on_grid(step, schedule.segment, 'fork.proxy_steps')
      for step in asked
    }
    found = f'{len(steps)} of {what}'
  else:
    segments = schedule.num_steps // schedule.segment
    steps = {
      -(-segments * (i + 1) // DEFAULT_FORKS) * schedule.segment
      for i in range(DEFAULT_FORKS)
    }
    found = f'{len(steps)} in {segments} segments'
  if len(steps) < FEWEST_FORKS:
    raise UserError(
      f'--proxies needs at least {FEWEST_FORKS} forks at different steps; '
      f'there would be {found}'
    )
  return tuple(sorted(steps))


def _arms(texts):
  """The control and the injection; a warning names all other arms."""
  arms = [expressions.parse(text) for text in texts]
  found = [arm for arm in arms if arm.name == 'injection']
  if not found:
    raise UserError(
      'config.fork.arms needs an injection for --proxies; there are: '
      + ', '.join(arm.label for arm in arms)
    )
  injection = next((a for a in found if a.label == INJECTION), found[0])
  if injection.triggers or injection.settings:
    given = ', '.join((*injection.triggers, *injection.settings))
    raise UserError(
      f'config.fork.arms: with --proxies {injection.label!r} happens at the '
      f'fork: it takes no {given}'
    )
  others = [a.label for a in arms if a is not injection and a.label != CONTROL]
  if others:
    logging.warning(
      '--proxies compares %s with the control; arms that it leaves out: %s',
      injection.label,
      ', '.join(others),
    )
  control = expressions.parse(CONTROL)
  return control, dataclasses.replace(injection, label=INJECTION)


def run(plan: ProxyPlan, workdir: pathlib.Path) -> None:
  """Runs or resumes the prefix and every fork.

  Raises:
    UserError: a folder or checkpoint cannot be used.
    Interrupted: the process was asked to stop, and has saved.
    RunError: a run cannot continue.
  """
  settings = plan.experiment.settings
  prefix = diagnosis.prepare(workdir, settings)
  with PreemptionHandler() as preemption:
    source = plan.source
    if source is None:
      source = prefix
      runner.run(
        plan.experiment,
        prefix,
        num_steps=plan.steps[-1],
        keep_steps=plan.steps,
        name='prefix',
      )
    else:
      # Another process may train the source further and delete checkpoints.
      for step in plan.steps:
        Checkpoints(source).keep(step)
      diagnosis.copy_history(source, prefix, plan.steps[-1])
    # All forks share compiled functions. One checkpoint for each is enough,
    # since an arm can be started again from its fork.
    arm_experiment = plan.experiment.replace(
      settings=dataclasses.replace(
        settings, checkpoint=dataclasses.replace(settings.checkpoint, keep=1)
      )
    )
    for i, step in enumerate(plan.steps):
      for arm in plan.arms:
        if preemption.requested:
          raise Interrupted(
            f'stopped before the {arm.label} of step {step}; the same '
            'command continues'
          )
        fork.run_arm(
          arm_experiment,
          source,
          step,
          arm,
          workdir / FORKS / str(step) / arm.label,
          horizon=plan.horizon,
          name=f'fork {i + 1}/{len(plan.steps)} {arm.label}',
          look=plan.source is not None and arm.label == CONTROL,
        )
