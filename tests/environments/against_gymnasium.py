"""Plays an environment and Gymnasium's side by side."""

import contextlib

import gymnasium
import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.environments import base
from plasticity_rl.environments import registry
from plasticity_rl.environments.spaces import Continuous

TOLERANCE = 1e-5
KEY = jax.random.PRNGKey(0)


def compare(
  name, gymnasium_name, state, *, episodes=3, every_step=True, policy=None
):
  """Plays episodes with random actions and compares every step.

  The two are the same, within `TOLERANCE`, in observations, rewards,
  terminations and truncations.

  Args:
    name: of the environment here, with its own time limit.
    gymnasium_name: of Gymnasium's, with its own.
    state: `(numbers) -> state` of the environment here.
    episodes: number of episodes.
    every_step: start every step here from Gymnasium's state, in float32.
      Otherwise only the episode starts from there, in float64: rounding errors
      of float32 would grow in chaotic motion.
    policy: `(observation, random action) -> action`; random if None.

  Returns:
    The pairs `(terminated, truncated)` of the ends of episodes.
  """
  theirs = gymnasium.make(gymnasium_name)
  theirs.action_space.seed(0)
  scale = 1.0
  exact = contextlib.nullcontext() if every_step else jax.enable_x64(True)
  ends = []
  with exact:
    dtype = np.float32 if every_step else np.float64
    ours = registry.make(name)
    if isinstance(ours.actions, Continuous):
      scale = theirs.action_space.high
      assert ours.actions.size == theirs.action_space.shape[0]
    step = jax.jit(ours.step)

    def taken():
      return state(*(jnp.asarray(x, dtype) for x in theirs.unwrapped.state))

    for episode in range(episodes):
      observation, _ = theirs.reset(seed=episode)
      limited, _ = ours.reset(KEY, ours.init(KEY))
      limited = limited._replace(inner=taken())
      for _ in range(2000):
        if every_step:
          limited = limited._replace(inner=taken())
        action = theirs.action_space.sample()
        if policy is not None:
          action = policy(observation, action)
        limited, timestep = step(KEY, limited, jnp.asarray(action / scale))
        observation, reward, terminated, truncated, _ = theirs.step(action)
        np.testing.assert_allclose(
          timestep.observation, observation, rtol=TOLERANCE, atol=TOLERANCE
        )
        np.testing.assert_allclose(
          timestep.reward, reward, rtol=TOLERANCE, atol=TOLERANCE
        )
        assert timestep.discount == (0 if terminated else 1)
        over = terminated or truncated
        assert timestep.step_type == (base.LAST if over else base.MID)
        if over:
          ends.append((terminated, truncated))
          break
      else:
        raise AssertionError('an episode did not end')
  return ends


def starts(name, count=2000):
  """First observations of episodes, `[count, ...]`."""
  env = registry.make(name)
  keys = jax.random.split(KEY, count)
  play = jax.vmap(lambda key: env.reset(key, env.init(key))[1].observation)
  return np.asarray(play(keys))
