"""Forks a run into arms that start from the same state."""

import json
import pathlib
from typing import Any

import numpy as np

from plasticity_rl.interventions.expression import Expression
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training.experiment import Experiment
from plasticity_rl.types import structure

FORK = 'fork.json'


def run_arm(
  experiment: Experiment,
  source: pathlib.Path,
  step: int,
  expression: Expression,
  folder: pathlib.Path,
  *,
  horizon: int,
  replicates: int = 0,
  source_experiment: Experiment | None = None,
  name: str = '',
  look: bool = True,
) -> None:
  """Runs or resumes one arm of a fork.

  Args:
    experiment: of the arm; with `replicates`, it has that number of seeds.
    source: run folder of the shared prefix.
    step: the step of the checkpoint to start from.
    expression: the arm's intervention.
    folder: run folder of the arm.
    horizon: steps of the arm after the fork.
    replicates: copies of the source's single seed; 0 for none.
    source_experiment: of the source, if it differs from `experiment`.
    name: on the progress bar; 'arm LABEL' by default.
    look: whether to evaluate and measure at the fork, before any training.

  Raises:
    UserError: the folder or the checkpoint cannot be used.
    Interrupted: the process was asked to stop, and has saved.
    RunError: the run cannot continue.
  """
  source_experiment = source_experiment or experiment
  run_folder.prepare(folder, experiment.settings)

  def start():
    before, meta = Checkpoints(source).restore(step, source_experiment)
    if replicates:
      before = experiment.replicate(before, replicates)
    before = experiment.attach(experiment.adopt(before))
    # An arm with a trigger starts like the control: its intervention is one of
    # the experiment's interventions.
    after = before
    if not expression.triggers:
      after = experiment.intervene(expression)(before)
    history = list(meta['history'])
    if structure(before) != structure(after):
      history.append(
        {'step': step, 'expression': f'{expression.label}={expression.text}'}
      )
    _describe(
      folder,
      source,
      step,
      horizon,
      expression,
      experiment.compare(before, after),
    )
    return runner.Start(
      after,
      step,
      tuple(history),
      is_fork=look,
      primed=meta['primed'],
      triggers=meta['watches'],
    )

  runner.run(
    experiment,
    folder,
    start=start,
    num_steps=step + horizon,
    name=name or f'arm {expression.label}',
  )


def _describe(folder, source, step, horizon, expression, jumps) -> None:
  facts: dict[str, Any] = {
    'source': source.name,
    'step': step,
    'horizon': horizon,
    'arm': expression.label,
    'intervention': expression.source,
    'at_fork': {k: np.asarray(v).tolist() for k, v in jumps.items()},
  }
  run_folder.write_atomically(folder / FORK, json.dumps(facts, indent=2))
