"""Tasks on the host, one after the other and round again, for one agent."""

import math
from collections.abc import Sequence

import numpy as np

from plasticity_rl.environments.host import Step
from plasticity_rl.environments.vector import SyncVectorEnv
from plasticity_rl.errors import UserError


class TaskSequence:
  """`HostEnvironments` that play one task at a time.

  A switch truncates the episodes: their last step keeps its discount, and the
  next observation is the first one of the next task.
  """

  def __init__(
    self,
    names: Sequence[str],
    tasks: Sequence[SyncVectorEnv],
    switch_every: int,
    *,
    evaluation: bool,
  ):
    """Uses the environments from now on; nothing else may step them.

    Args:
      names: of the tasks, for messages.
      tasks: N environments of each task, of the same spaces.
      switch_every: steps of each environment in a task, at least 1.
      evaluation: whether the task stays that with which `begin` began.

    Raises:
      UserError: the tasks have different spaces.
    """
    first = tasks[0]
    for name, task in zip(names, tasks, strict=True):
      if task.spaces != first.spaces:
        raise UserError(
          'the tasks of a sequence must have observations and actions of the '
          f'same sizes: {names[0]} has {_sizes(first)}, but {name} has '
          f'{_sizes(task)}'
        )
    self._tasks, self._switch_every = list(tasks), switch_every
    self._evaluation = evaluation
    self._steps = 0  # Of each environment, since the first task began.
    self._playing = 0
    self.spaces, self.num_envs = first.spaces, first.num_envs
    ranges = [task.return_range for task in tasks]
    self.return_range = min(r[0] for r in ranges), max(r[1] for r in ranges)
    self.range_frames = max(task.range_frames for task in tasks)
    self.frames_per_step = first.frames_per_step
    self.can_copy = all(task.can_copy for task in tasks)

  def begin(self, seeds: np.ndarray, steps: int = 0) -> np.ndarray:
    """See `HostEnvironments`; begins as after some steps of the sequence.

    Args:
      seeds: uint32 `[N]`.
      steps: steps of each environment. After the last step of a task it is
        still that task which is evaluated.
    """
    self._steps = steps
    done = max(steps - 1, 0) if self._evaluation else steps
    self._playing = done // self._switch_every % len(self._tasks)
    observations = [task.begin(seeds) for task in self._tasks]
    return observations[self._playing]

  def step(self, actions: np.ndarray) -> Step:
    result = self._tasks[self._playing].step(actions)
    self._steps += 1
    if self._evaluation or self._steps % self._switch_every:
      return result
    self._playing = (self._playing + 1) % len(self._tasks)
    return result._replace(
      last=np.ones_like(result.last),
      next_observation=self._tasks[self._playing].restart(),
    )

  def get_state(self) -> dict[str, np.ndarray]:
    state = {
      'sequence_steps': np.full(self.num_envs, self._steps, np.int64),
      'sequence_playing': np.full(self.num_envs, self._playing, np.int64),
    }
    for i, task in enumerate(self._tasks):
      state |= {f'task_{i}_{k}': v for k, v in task.get_state().items()}
    return state

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._steps = int(state['sequence_steps'][0])
    self._playing = int(state['sequence_playing'][0])
    for i, task in enumerate(self._tasks):
      prefix = f'task_{i}_'
      task.set_state(
        {
          key.removeprefix(prefix): value
          for key, value in state.items()
          if key.startswith(prefix)
        }
      )

  def close(self) -> None:
    for task in self._tasks:
      task.close()


def _sizes(task):
  spaces = task.spaces
  width = math.prod(spaces.actions.shape)
  return f'{list(spaces.observation_shape)} and {width}'
