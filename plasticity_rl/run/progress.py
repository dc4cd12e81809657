"""The progress bar of a run."""

from collections.abc import Mapping

import numpy as np
import tqdm


class ProgressBar:
  """Steps done, and the last return; a context that closes the bar."""

  def __init__(self, total: int, step: int, name: str, *, enabled: bool):
    """Shows the bar.

    Args:
      total: the last step of the run.
      step: the step it starts at.
      name: of the run.
      enabled: whether to show anything.
    """
    self._bar = tqdm.tqdm(
      total=total,
      initial=step,
      desc=name,
      unit=' steps',
      unit_scale=True,
      dynamic_ncols=True,
      mininterval=0.5,
      disable=not enabled,
    )

  def __enter__(self) -> 'ProgressBar':
    self._bar.__enter__()
    return self

  def __exit__(self, *error) -> None:
    self._bar.__exit__(*error)

  def update(self, step: int, metrics: Mapping[str, np.ndarray]) -> None:
    """Moves to a step; shows the mean return over seeds, if it is known."""
    self._bar.update(step - self._bar.n)
    returns = metrics.get('eval/return', metrics.get('train/return'))
    if returns is not None and not np.isnan(returns).all():
      self._bar.set_postfix_str(f'return {np.nanmean(returns):.2f}')

  def show_priming(self, done: int, total: int) -> None:
    """Shows how many updates of heavy priming are done."""
    self._bar.set_postfix_str(f'priming {done}/{total}')
