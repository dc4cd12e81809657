"""Records a run: metrics, events, accounts and the progress bar."""

import contextlib
import math
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import RunError
from plasticity_rl.run import divergence
from plasticity_rl.run.accounts import Accounts
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.run.metrics import NullWriters
from plasticity_rl.run.metrics import Writers
from plasticity_rl.run.metrics import unmeasured
from plasticity_rl.run.progress import ProgressBar
from plasticity_rl.training.experiment import Experiment


class Recorder:
  """Writes the metrics of a step while the segment after it runs."""

  def __init__(
    self,
    experiment: Experiment,
    folder: pathlib.Path,
    accounts: Accounts,
    checkpoints: Checkpoints,
    *,
    start_step: int,
    end_step: int,
    segment_steps: int,
    is_resumed: bool,
    name: str,
  ):
    """Opens the files, and drops entries after the step of the checkpoint.

    Args:
      experiment: the experiment.
      folder: of the run.
      accounts: of the run.
      checkpoints: of the run, for error messages.
      start_step: the step at which this process starts.
      end_step: the last step of the run.
      segment_steps: steps of one segment.
      is_resumed: whether it starts from a checkpoint in this folder.
      name: on the progress bar.

    Raises:
      UserError: TensorBoard, Weights & Biases or Trackio is not installed.
      RunError: a file cannot be written.
    """
    self._experiment = experiment
    self._accounts = accounts
    self._start_step = start_step
    self._end_step = end_step
    self._segment_steps = segment_steps
    self._name = name
    self._checkpoints = checkpoints
    self._last_loss = math.nan
    self._pending: tuple[int, dict[str, Any], Any] | None = None
    self._writers = NullWriters()
    if hosts.is_first():
      self._writers = Writers(
        folder,
        experiment.settings.log,
        start_step if is_resumed else -1,
        experiment.settings.seed,
        experiment.trainer.frames_per_step,
      )

  @contextlib.contextmanager
  def running(self) -> Iterator[None]:
    """Counts time and shows progress; closes the files at the end."""
    self._bar = ProgressBar(
      self._end_step,
      self._start_step,
      self._name,
      enabled=self._experiment.settings.log.progress and hosts.is_first(),
    )
    try:
      with self._accounts.running(), self._bar:
        yield
    finally:
      self._writers.close()

  def put(
    self, step: int, metrics: Mapping[str, Any], has_finite_weights: Any = True
  ) -> None:
    """Keeps the metrics of a step until `flush` writes them."""
    self._pending = (step, dict(metrics), has_finite_weights)

  def flush(self) -> None:
    """Writes the metrics of the last `put`, unless they are written already.

    Raises:
      RunError: the loss or the return of an evaluation is NaN or infinite, or a
        file cannot be written.
    """
    if self._pending is None:
      return
    step, metrics, has_finite_weights = self._pending
    self._pending = None
    metrics = self._experiment.partition.metrics(metrics)
    # Without a segment, as at a fork, no steps were made.
    steps = self._segment_steps if 'bad_step' in metrics else 0
    before = self._accounts.updates
    updates = self._accounts.add_segment(steps, metrics)
    bad_steps = metrics.pop('bad_step', np.array([-1]))
    seconds = self._accounts.update_seconds()
    missing = unmeasured(metrics, updates > before)
    self._writers.write(step, updates, seconds, metrics, missing)
    self._bar.update(step, metrics)
    if (bad_steps >= 0).any():
      raise RunError(
        divergence.loss_message(
          bad_steps,
          self._experiment.settings,
          self._checkpoints,
          last_loss=self._last_loss,
          start_step=self._start_step,
        )
      )
    returns = metrics.get('eval/return', np.zeros(1))
    if not np.isfinite(returns).all():
      facts = self._experiment.settings, self._checkpoints
      raise RunError(
        divergence.evaluation_message(step, returns, *facts)
        if has_finite_weights
        else divergence.weights_message(step, *facts)
      )
    loss = metrics.get('train/loss', np.array([math.nan]))
    if not np.isnan(loss).all():
      self._last_loss = float(np.nanmean(loss))

  def event(self, step: int, **facts: Any) -> None:
    """Writes a line to events.jsonl at once.

    Raises:
      RunError: the file cannot be written.
    """
    self._writers.event(step, **facts)

  def add_priming(self, updates: int, done: int, total: int) -> None:
    """Counts and shows updates of heavy priming.

    Args:
      updates: new updates since the last call.
      done: updates of priming made so far.
      total: updates of priming in the whole run.
    """
    self._accounts.add_priming(updates)
    self._bar.show_priming(done, total)
