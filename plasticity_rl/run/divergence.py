"""Messages about what ends a run: NaN losses or weights, environments."""

import math

import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.run.checkpoint import Checkpoints


def loss_message(
  bad_steps: np.ndarray,
  settings: settings_lib.Settings,
  checkpoints: Checkpoints,
  *,
  last_loss: float,
  start_step: int,
) -> str:
  """The message for a diverged loss: the step, the seeds, the likely cause.

  Args:
    bad_steps: for each seed the first step with such a loss, or -1.
    settings: of the run.
    checkpoints: of the run; the message names the last one.
    last_loss: the mean loss of the previous segment; NaN if there is none.
    start_step: the step at which this process started.

  Returns:
    The message.
  """
  seeds = np.flatnonzero(bad_steps >= 0)
  first = int(bad_steps[seeds].min())
  optimizer = settings.optimizer
  if math.isnan(last_loss):
    cause = (
      'this was the first segment with updates'
      + (f' after step {start_step}' if start_step else '')
      + ': check the observations, the rewards and '
      'optimizer.learning_rate '
      f'({optimizer.learning_rate:g})'
    )
  else:
    cause = (
      f'the mean loss of the previous segment was {last_loss:.3g}: '
      'most likely optimizer.learning_rate '
      f'({optimizer.learning_rate:g}) is too high'
      + (
        ''
        if optimizer.max_gradient_norm
        else ', or set optimizer.max_gradient_norm'
      )
    )
  return (
    f'the loss became NaN or infinite at step {first} (seed '
    f'{settings.seed + int(seeds[0])}, {len(seeds)} of '
    f'{len(bad_steps)} seeds); {cause}; last good checkpoint: '
    f'{_last(checkpoints)}'
  )


def weights_message(
  step: int, settings: settings_lib.Settings, checkpoints: Checkpoints
) -> str:
  """The message for diverged weights, with the likely cause."""
  return (
    f'the weights became NaN or infinite before step {step}: most '
    'likely optimizer.learning_rate '
    f'({settings.optimizer.learning_rate:g}) is too '
    f'high; last good checkpoint: {_last(checkpoints)}'
  )


def environment_message(
  error: Exception, step: int, checkpoints: Checkpoints
) -> str:
  """The message for an environment that failed in the middle of a run."""
  return f'{error}; after step {step}; last checkpoint: {_last(checkpoints)}'


def evaluation_message(
  step: int,
  returns: np.ndarray,
  settings: settings_lib.Settings,
  checkpoints: Checkpoints,
) -> str:
  """The message for an evaluation that gave no number.

  Args:
    step: of the evaluation.
    returns: `[S]`, of which some are not finite.
    settings: of the run.
    checkpoints: of the run; the message names the last one.
  """
  seeds = np.flatnonzero(~np.isfinite(returns))
  return (
    f'the return of the evaluation at step {step} is {returns[seeds[0]]} (seed '
    f'{settings.seed + int(seeds[0])}, {len(seeds)} of {len(returns)} seeds), '
    'although the loss is finite: check the rewards of '
    f'{settings.environment.name!r}; the same command goes on from the last '
    f'good checkpoint: {_last(checkpoints)}'
  )


def _last(checkpoints):
  """The last checkpoint, once it is on disk."""
  checkpoints.wait()
  steps = checkpoints.steps()
  return f'step {steps[-1]}' if steps else 'none'
