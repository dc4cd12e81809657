"""The DeepMind Control Suite from state, with exact copies.

  Tassa et al., "DeepMind Control Suite", 2018.

A copy holds MuJoCo's whole integration state (positions and velocities are not
enough: the solver starts from its last solution), the model's arrays that a
task may change (such as the position of a target), the task's random state, and
the number of steps since the reset.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from plasticity_rl.environments import rendering
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.environments.task_sequence import TaskSequence
from plasticity_rl.environments.vector import Outcome
from plasticity_rl.environments.vector import SyncVectorEnv

# Rewards are in [0, 1]; episodes of all listed tasks have 1000 steps.
EPISODE_STEPS = 1000
RETURN_RANGE = (0.0, 1000.0)  # A step of the suite gives at most 1.

# Arrays of a model that are shape, not state, and large.
_NEVER_CHANGED = ('mesh', 'tex_', 'skin', 'flex', 'bvh', 'oct')


class StateEnv:
  """One task; the observation is one float32 vector of all its arrays.

  Raises:
    MissingDependencyError: dm_control is not installed.
    UserError: MUJOCO_GL names a renderer that does not work here.
  """

  can_copy = True

  def __init__(self, domain: str, task: str):
    suite = rendering.load_suite()
    import mujoco

    self._mujoco = mujoco
    self._kind = mujoco.mjtState.mjSTATE_INTEGRATION
    self.env = suite.load(domain, task)
    self.physics = self.env.physics
    self._model, self._data = self.physics.model.ptr, self.physics.data.ptr
    names = (n for n in dir(self._model) if not n.startswith('_'))
    self._fields = [
      n
      for n in names
      if not n.startswith(_NEVER_CHANGED) and _is_float(self._model, n)
    ]
    self._begun = False
    actions = self.env.action_spec()
    low, high = actions.minimum, actions.maximum
    self._middle, self._half = (low + high) / 2, (high - low) / 2
    self.num_actions = actions.shape[0]
    self._observation: Any = None

  def begin(self, seed: int) -> None:
    self.env.task.random.seed(seed)
    self.reset()

  def reset(self) -> None:
    self._observation = self.env.reset().observation
    self._begun = True

  def advance(self, action: np.ndarray) -> Outcome:
    control = self._middle + self._half * np.clip(action, -1, 1)
    timestep = self.env.step(control)
    self._observation = timestep.observation
    return Outcome(timestep.reward, timestep.discount, timestep.last())

  def observe(self) -> np.ndarray:
    parts = [np.ravel(value) for value in self._observation.values()]
    return np.concatenate(parts).astype(np.float32)

  def get_state(self) -> dict[str, np.ndarray]:
    size = self._mujoco.mj_stateSize(self._model, self._kind)
    physics = np.empty(size, np.float64)
    self._mujoco.mj_getState(self._model, self._data, physics, self._kind)
    _, key, place, has_gauss, gauss = self.env.task.random.get_state()
    return {
      'physics': physics,
      'model': self._get_model(),
      'random_key': key.copy(),
      'random_place': np.array([place, has_gauss], np.int64),
      'random_gauss': np.array(gauss, np.float64),
      # dm_control has no public name for it.
      'episode_steps': np.array(self.env._step_count, np.int64),
    }

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    if not self._begun:  # Some tasks measure the model on their first reset.
      self.reset()
    self._set_model(state['model'])
    self._mujoco.mj_setState(
      self._model, self._data, state['physics'], self._kind
    )
    # dm_control leaves these results after a step and starts the next step
    # from them.
    self._mujoco.mj_step1(self._model, self._data)
    place, has_gauss = state['random_place']
    self.env.task.random.set_state(
      (
        'MT19937',
        state['random_key'],
        int(place),
        int(has_gauss),
        float(state['random_gauss']),
      )
    )
    self.env._step_count = int(state['episode_steps'])
    self.env._reset_next_step = False

  def close(self) -> None:
    self.physics.free()  # `env.close` does nothing.

  def _get_model(self) -> np.ndarray:
    arrays = (getattr(self._model, name) for name in self._fields)
    return np.concatenate([_bytes(array) for array in arrays])

  def _set_model(self, saved: np.ndarray) -> None:
    at = 0
    for name in self._fields:
      array = getattr(self._model, name)
      raw = saved[at : at + array.nbytes]
      array[...] = raw.view(array.dtype).reshape(array.shape)
      at += array.nbytes


def _is_float(model: Any, name: str) -> bool:
  value = getattr(model, name)
  return (
    isinstance(value, np.ndarray)
    and value.dtype.kind == 'f'
    and value.flags.writeable
  )


def _bytes(array: np.ndarray) -> np.ndarray:
  return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def make(
  domain: str,
  task: str,
  num_envs: int,
  *,
  action_repeat: int,
  max_episode_steps: int,
) -> SyncVectorEnv:
  """Builds environments of one task, observed from state.

  Args:
    domain: such as 'cheetah'.
    task: such as 'run'.
    num_envs: N.
    action_repeat: steps of the suite for each decision.
    max_episode_steps: decisions after which an episode is truncated, unless the
      suite's limit of 1000 steps ended it earlier; 0 for no limit.

  Returns:
    The environments. Observations are float32 vectors; actions in [-1, 1] are
    scaled to the task's bounds. The suite's limit truncates; if a task
    terminates, the discount is 0.

  Raises:
    MissingDependencyError: dm_control is not installed.
    UserError: MUJOCO_GL names a renderer that does not work here.
  """
  envs = [StateEnv(domain, task) for _ in range(num_envs)]
  envs[0].reset()
  spaces = Spaces(
    envs[0].observe().shape, np.float32, Continuous(envs[0].num_actions)
  )
  return SyncVectorEnv(
    envs,
    spaces,
    return_range=RETURN_RANGE,
    range_frames=EPISODE_STEPS,
    action_repeat=action_repeat,
    max_episode_steps=max_episode_steps,
  )


def make_sequence(
  tasks: Sequence[tuple[str, str]],
  num_envs: int,
  *,
  evaluation: bool,
  switch_every_steps: int,
  action_repeat: int,
  max_episode_steps: int,
) -> TaskSequence:
  """Builds environments of several tasks of one body, played in turn.

  Args:
    tasks: domains and tasks, in their order.
    num_envs: N.
    evaluation: see `TaskSequence`.
    switch_every_steps: decisions of each environment in a task.
    action_repeat: see `make`.
    max_episode_steps: see `make`.

  Returns:
    The environments.

  Raises:
    MissingDependencyError: dm_control is not installed.
    UserError: the tasks observe different things, or MUJOCO_GL names a renderer
      that does not work here.
  """
  return TaskSequence(
    [f'{domain}_{task}' for domain, task in tasks],
    [
      make(
        *task,
        num_envs,
        action_repeat=action_repeat,
        max_episode_steps=max_episode_steps,
      )
      for task in tasks
    ],
    switch_every_steps,
    evaluation=evaluation,
  )
