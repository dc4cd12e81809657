"""What a user asks of curves, looked at before any file is."""

import dataclasses
import math
from collections.abc import Mapping

from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

EPISODES = 'episode/return'  # Of `monitor.csv`.
EVALUATIONS = 'eval/mean_reward'  # Of `evaluations.npz`.
_USUAL = (
  'eval/return',
  EVALUATIONS,
  'charts/episodic_return',
  'rollout/ep_rew_mean',
  EPISODES,
)
COLUMNS = ('arm', 'seed', 'step', 'return', 'task')


@dataclasses.dataclass(frozen=True)
class Question:
  """How to read curves, and what to compare.

  Attributes:
    margin: the smallest gain that matters, in units of the metric; None takes
      that of our own runs.
    control: name of the arm without an intervention.
    injection: name of the arm that the verdict is about; None takes the only
      other arm, or the only one whose name holds "inject".
    metric: what to compare; None takes the only one, or a usual name.
    task: which task of a file of several.
    fork_step: the last step that is not compared; None takes that of our own
      runs, or else the first step that every run has reached.
    horizon: how many steps after it are compared; None takes all that every
      run has.
    names: pattern of run names, with `{arm}`, `{seed}` and `*`.
    columns: names of a file's columns for those of `COLUMNS`.
    optimizer_rebuilt: arms whose optimizer began anew at the fork.
  """

  margin: float | None = None
  control: str = 'control'
  injection: str | None = None
  metric: str | None = None
  task: str | None = None
  fork_step: int | None = None
  horizon: int | None = None
  names: str | None = None
  columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
  optimizer_rebuilt: tuple[str, ...] = ()

  def __post_init__(self):
    if self.margin is not None and not (
      math.isfinite(self.margin) and self.margin > 0
    ):
      raise UserError(f'margin must be a positive number, found {self.margin}')
    if self.fork_step is not None and self.fork_step < 0:
      raise UserError(f'fork_step must be at least 0, found {self.fork_step}')
    if self.horizon is not None and self.horizon < 1:
      raise UserError(f'horizon must be at least 1, found {self.horizon}')
    for name in self.columns:
      if name not in COLUMNS:
        raise UserError(nearest('column', name, COLUMNS))
    if self.injection == self.control:
      raise UserError(
        f'control and injection are the same arm, {self.control!r}'
      )

  @property
  def usual(self) -> tuple[str, ...]:
    """What is compared if no metric is given: the first that is there."""
    return self.column('return'), *_USUAL

  def column(self, name: str) -> str:
    """How a file calls one of `COLUMNS`."""
    return self.columns.get(name, name)
