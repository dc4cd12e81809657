"""One metric of one run, checked while it is read."""

import dataclasses
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from plasticity_rl.errors import UserError


class Point(NamedTuple):
  """A value, and where it was found, such as 'line 7'."""

  where: str
  step: float
  value: float


@dataclasses.dataclass(frozen=True)
class Curve:
  """One metric of one run.

  Attributes:
    source: file, with the column where it has several, for messages.
    name: of the run, to find arm and seed in where they are not known.
    metric: what it is.
    steps: rising, `[T]`.
    values: `[T]`; may hold NaN.
    arm: of the run; None if its name has to tell.
    seed: of the run; None if its name has to tell.
    task: '' where there is one only.
  """

  source: str
  name: str
  metric: str
  steps: np.ndarray
  values: np.ndarray
  arm: str | None = None
  seed: int | None = None
  task: str = ''

  def between(self, after: float, until: float) -> 'Curve':
    """The points with after < step <= until."""
    keep = (self.steps > after) & (self.steps <= until)
    return dataclasses.replace(
      self, steps=self.steps[keep], values=self.values[keep]
    )

  def finite(self) -> 'Curve':
    """The points whose value is a number."""
    keep = np.isfinite(self.values)
    return dataclasses.replace(
      self, steps=self.steps[keep], values=self.values[keep]
    )

  @property
  def run(self) -> str:
    """Arm and seed, for messages."""
    return f'arm {self.arm!r}, seed {self.seed}'


def from_points(
  source: str,
  points: Iterable[Point],
  *,
  name: str,
  metric: str,
  arm: str | None = None,
  seed: int | None = None,
  task: str = '',
  several_at_once: bool = False,
) -> Curve:
  """A curve of points in the order in which a file has them.

  Args:
    source: see `Curve`.
    points: in order.
    name: see `Curve`.
    metric: see `Curve`.
    arm: see `Curve`.
    seed: see `Curve`.
    task: see `Curve`.
    several_at_once: whether a step may have several values, as where
      environments that are stepped together end their episodes: it then has
      their mean.

  Raises:
    UserError: a step that is no whole number, that is before the one above
      it, or that stands there twice.
  """
  steps: list[int] = []
  values: list[list[float]] = []
  for where, step, value in points:
    if not float(step).is_integer():
      raise UserError(
        f'{source}, {where}: a step must be a whole number, found {step}'
      )
    if steps and step < steps[-1]:
      raise UserError(
        f'{source}, {where}: steps run backwards, from {steps[-1]} to'
        f' {step:g}: is it two runs, or one that was resumed? Give each run'
        ' a seed of its own, sorted by step, and leave out what was repeated'
      )
    if steps and step == steps[-1]:
      if not several_at_once:
        raise UserError(
          f'{source}, {where}: step {step:g} stands there twice: is it two'
          ' runs in one column? Give each a seed or an arm of its own'
        )
      values[-1].append(value)
    else:
      steps.append(int(step))
      values.append([value])
  return Curve(
    source,
    name,
    metric,
    np.array(steps, np.int64),
    np.array([np.mean(v) for v in values], float),
    arm,
    seed,
    task,
  )
