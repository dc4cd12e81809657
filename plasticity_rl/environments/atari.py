"""Atari games in envpool's threads, with the protocol of DQN.

  Mnih et al., "Human-level control through deep reinforcement learning", 2015;
  as DQN Zoo has it: https://github.com/google-deepmind/dqn_zoo.

An action is repeated for 4 frames. The pixelwise maximum of the last two frames
is made gray and scaled to 84x84; an observation is a stack of 4 of these
images. Episodes begin with 1 to 30 no-ops, end when the game is over, and are
truncated after 108,000 frames.

Two differences from DQN Zoo: images are scaled down by area averaging (DQN Zoo:
PIL's bilinear filter, which also averages), and at the start of an episode the
stack is filled with the first image (DQN Zoo: with zeros).
"""

import os
from typing import Any

import numpy as np

from plasticity_rl.environments import episode_cut
from plasticity_rl.environments.atari_games import SCORED_FRAMES
from plasticity_rl.environments.atari_games import SCORES
from plasticity_rl.environments.host import Step
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import MissingDependencyError
from plasticity_rl.errors import install_command

_SIZE = 84
_NO_LIMIT = 10**9
# The emulator takes 31 bits, and draws its own seed if given none or zero.
_MAX_SEED = 2**31 - 1


class Atari:
  """`HostEnvironments` of one game. The emulator's state cannot be copied.

  Raises:
    MissingDependencyError: envpool or the game's ROM is not installed.
    NotImplementedError: `get_state` or `set_state` is called.
  """

  can_copy = False

  def __init__(
    self,
    game: str,
    num_envs: int,
    *,
    zero_discount_on_life_loss: bool,
    clip_rewards: bool,
    config: dict[str, Any],
  ):
    self._envpool = _import_envpool()
    self._id = ''.join(x.capitalize() for x in game.split('_')) + '-v5'
    if self._id not in self._envpool.list_all_envs():
      raise MissingDependencyError(
        f'envpool has no ROM of {game}: they come with its package '
        'envpool-assets, which can be installed again: '
        'pip install --force-reinstall envpool-assets'
      )
    self._config = config
    self._life_loss = zero_discount_on_life_loss
    self._clip = clip_rewards
    self._pool: Any = None
    self._lives = np.zeros(num_envs, np.int32)
    actions = self._envpool.make_spec(self._id, **config).action_space.n
    self.num_envs = num_envs
    self.spaces = Spaces(
      (_SIZE, _SIZE, config['stack_num']), np.uint8, Discrete(int(actions))
    )
    limit = config['frame_skip'] * config['max_episode_steps']
    self.return_range = episode_cut.return_range(
      SCORES[game], SCORED_FRAMES, limit
    )
    self.range_frames = min(SCORED_FRAMES, limit)
    self.frames_per_step = config['frame_skip']

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    self.close()
    # A pool is seeded once, when it is made.
    self._pool = self._envpool.make_gymnasium(
      self._id,
      num_envs=self.num_envs,
      env_seed=[int(seed) % _MAX_SEED + 1 for seed in seeds],
      num_threads=min(self.num_envs, os.cpu_count() or 1),
      **self._config,
    )
    frames, info = self._pool.reset()
    self._lives = info['lives'].copy()
    return _stack_last(frames)

  def step(self, actions: np.ndarray) -> Step:
    frames, score, _, truncated, info = self._pool.step(
      np.asarray(actions, np.int32)
    )
    over = info['terminated'] != 0
    zero = over
    if self._life_loss:
      zero = over | (info['lives'] < self._lives)
    self._lives = info['lives'].copy()
    last = over | truncated
    observation = following = _stack_last(frames)
    if last.any():
      following = observation.copy()
      # Resets only these; the others wait for the next action.
      frames, info = self._pool.reset(np.flatnonzero(last).astype(np.int32))
      ended = info['env_id']
      following[ended] = _stack_last(frames)
      self._lives[ended] = info['lives']
    return Step(
      observation,
      np.clip(score, -1, 1) if self._clip else score,
      np.where(zero, 0, 1).astype(np.float32),
      last,
      following,
      score,
    )

  def get_state(self) -> dict[str, np.ndarray]:
    raise NotImplementedError('an emulator of envpool cannot be copied')

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    raise NotImplementedError('an emulator of envpool cannot be copied')

  def close(self) -> None:
    if self._pool is not None:
      self._pool.close()
      self._pool = None


def _import_envpool() -> Any:
  try:
    import envpool
  except ModuleNotFoundError as error:
    if error.name != 'envpool':
      raise
    raise MissingDependencyError(
      'Atari needs envpool, which is not installed: ' + install_command('atari')
    ) from error
  return envpool


def _stack_last(frames: np.ndarray) -> np.ndarray:
  """From `[N, stack, H, W]` to a copy `[N, H, W, stack]`."""
  n, stack, height, width = frames.shape
  result = np.empty((n, height, width, stack), frames.dtype)
  for k in range(stack):  # Several times faster than a copy of a transpose.
    result[..., k] = frames[:, k]
  return result


def make(
  game: str,
  num_envs: int,
  *,
  evaluation: bool,
  sticky_action_prob: float,
  full_action_set: bool,
  max_noops: int,
  zero_discount_on_life_loss: bool,
  clip_rewards: bool,
  stack_frames: int,
  action_repeat: int,
  max_episode_steps: int,
) -> Atari:
  """Builds environments of one of the 57 games.

  Args:
    game: a key of `atari_games.SCORES`.
    num_envs: N.
    evaluation: if true, rewards are not clipped, and the discount stays 1 when
      a life is lost.
    sticky_action_prob: probability that a frame repeats the action of the
      previous frame.
    full_action_set: all 18 actions instead of only those that have an effect.
    max_noops: an episode begins with 1 to `max_noops` frames without action.
    zero_discount_on_life_loss: the discount is 0 when a life is lost, though
      the episode goes on.
    clip_rewards: to [-1, 1].
    stack_frames: images in a stack, newest last.
    action_repeat: frames for each decision.
    max_episode_steps: decisions after which an episode is truncated; 0 for no
      limit.

  Returns:
    The environments: uint8 `[N, 84, 84, stack_frames]`.

  Raises:
    MissingDependencyError: envpool or the game's ROM is not installed.
  """
  return Atari(
    game,
    num_envs,
    zero_discount_on_life_loss=zero_discount_on_life_loss and not evaluation,
    clip_rewards=clip_rewards and not evaluation,
    config={
      'repeat_action_probability': sticky_action_prob,
      'full_action_space': full_action_set,
      'noop_max': max_noops,
      'stack_num': stack_frames,
      'frame_skip': action_repeat,
      'max_episode_steps': max_episode_steps or _NO_LIMIT,
      'use_fire_reset': False,
      # Both are done here, where the game's own score and discount are kept.
      'reward_clip': False,
      'episodic_life': False,
      'zero_discount_on_life_loss': False,
      'use_inter_area_resize': True,
      'gray_scale': True,
      'img_height': _SIZE,
      'img_width': _SIZE,
    },
  )
