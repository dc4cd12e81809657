"""Small environments in JAX, with the interfaces of known packages.

Each walks along a line: an action adds a number to the place. The episode
terminates at `GOAL`, where the reward is 1, and is truncated after a number of
steps.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

GOAL = 3


class State(NamedTuple):
  place: Any
  time: Any


class Params(NamedTuple):
  max_steps_in_episode: int | None = 5
  stride: float = 1.0


class Discrete:
  def __init__(self, n):
    self.n = n


class Box:
  def __init__(self, low, high, shape, dtype=jnp.float32):
    self.low, self.high, self.shape, self.dtype = low, high, shape, dtype


class Line:
  """As of gymnax before 1.0: `done` is also true where the limit is reached."""

  default_params = Params()
  actions = Discrete(2)

  def action_space(self, params):
    return self.actions

  def observation_space(self, params):
    return Box(-10, 10, (2,))

  def observe(self, state):
    return jnp.stack([state.place, jnp.float32(state.time)])

  def reset(self, key, params):
    # As many do: a number of Python, whose type is weak.
    state = State(jax.random.uniform(key, maxval=0.01), 0)
    return self.observe(state), state

  def step_env(self, key, state, action, params):
    state = State(state.place + params.stride * action, state.time + 1)
    return (
      self.observe(state),
      state,
      self.is_at_goal(state) * 1.0,
      self.ends(state, params),
      {},
    )

  def is_at_goal(self, state):
    return state.place >= GOAL

  def ends(self, state, params):
    late = state.time >= params.max_steps_in_episode
    return self.is_at_goal(state) | late

  @functools.partial(jax.jit, static_argnums=0)
  def step(self, key, state, action, params):
    found = self.step_env(key, state, action, params)
    done, first = found[-2], self.reset(key, params)
    observation, state = jax.tree.map(
      lambda a, b: jnp.where(done, a, b), first, found[:2]
    )
    return observation, state, *found[2:]


class NewLine(Line):
  """As of gymnax 1.0: the limit is told by `is_truncated`."""

  def ends(self, state, params):
    return self.is_at_goal(state)

  def is_truncated(self, state, params):
    return state.time >= params.max_steps_in_episode


class SixLine(Line):
  """Six values."""

  def step_env(self, key, state, action, params):
    observation, state, reward, _, info = super().step_env(
      key, state, action, params
    )
    late = state.time >= params.max_steps_in_episode
    return observation, state, reward, self.is_at_goal(state), late, info


class EndlessLine(Line):
  """As foragax: there is a limit, of None, and a `done` of Python."""

  default_params = Params(None)

  def ends(self, state, params):
    return False


class CraftaxParams(NamedTuple):
  max_timesteps: int = 5
  stride: float = 1.0


class CraftaxLine(Line):
  """Another name of the limit; `reset` and spaces without parameters."""

  default_params = CraftaxParams()

  def action_space(self):
    return self.actions

  def reset(self, key):
    return super().reset(key, self.default_params)

  def ends(self, state, params):
    return self.is_at_goal(state) | (state.time >= params.max_timesteps)


class JaxtariLine:
  """Steps without keys and parameters; the end of an episode is its own."""

  def __init__(self):
    self._line = Line()

  def action_space(self):
    return Discrete(2)

  def reset(self, key):
    return self._line.reset(key, Params())

  def step(self, state, action):
    return self._line.step_env(None, state, action, Params())


class OctaxLine:
  """The state first, and frames `[T, W, H]`."""

  __module__ = 'octax.env'
  num_actions = 2

  def frames(self, state):
    return jnp.zeros((4, 64, 32), bool).at[1, 2, 3].set(state.time > 0)

  def reset(self, rng):
    state = State(jnp.float32(0), jnp.int32(0))
    return state, self.frames(state), {'score': 0.0}

  def step(self, state, action):
    state = State(state.place + action, state.time + 1)
    return (
      state,
      self.frames(state),
      1.0,
      state.place >= GOAL,
      state.time >= 5,
      {},
    )


class BoxLine(Line):
  """Continuous actions, from 0 to 2."""

  actions = Box(0.0, 2.0, (1,))

  def step_env(self, key, state, action, params):
    return super().step_env(key, state, action.reshape(()), params)


class PictureLine(BoxLine):
  """Pictures `[H, W, C]` of the place (a column) and the time (a row)."""

  def observation_space(self, params):
    return Box(0, 255, (12, 12, 2), jnp.uint8)

  def observe(self, state):
    column = jnp.clip(3 * state.place, 0, 11).astype(jnp.int32)
    picture = jnp.zeros((12, 12, 2), jnp.uint8)
    return picture.at[:, column, 0].set(255).at[state.time, :, 1].set(255)


class Wrapper:
  """As gymnax's: what it lacks is the inner environment's."""

  def __init__(self):
    self._env = Line()

  def __getattr__(self, name):
    return getattr(self._env, name)

  def step(self, key, state, action, params):
    return self._env.step(key, state, action, params)


class TellingWrapper(Wrapper):
  """As of gymnax 1.0: it tells the last observation."""

  def step(self, key, state, action, params):
    last = self._env.step_env(key, state, action, params)
    found = self._env.step(key, state, action, params)
    late = last[1].time >= params.max_steps_in_episode
    at_goal = self._env.is_at_goal(last[1])
    return (*found[:3], at_goal, late, {'final_observation': last[0]})


def with_params(*changed):
  """As `gymnax.make`: an environment and its parameters."""
  return Line(), Params(*changed)


class BraxState(NamedTuple):
  place: jax.Array
  obs: Any
  reward: jax.Array
  done: jax.Array
  info: dict


class BraxLine:
  """As of brax, without a limit; the state is another pytree inside."""

  action_size = 1

  def reset(self, rng):
    place = jax.random.uniform(rng, maxval=0.01)
    zero = jnp.float32(0)
    return BraxState(place, place[None], zero, zero, {'empty': jnp.zeros(0)})

  def step(self, state, action):
    place = state.place + action[0]
    done = (place >= GOAL).astype(jnp.float32)
    return state._replace(place=place, obs=place[None], reward=done, done=done)


class LimitedBraxLine(BraxLine):
  """With a limit of 5 steps, as brax's EpisodeWrapper; it changes the info."""

  def reset(self, rng):
    state = super().reset(rng)
    state.info.update(steps=jnp.float32(0), truncation=jnp.float32(0))
    return state

  def step(self, state, action):
    after = super().step(state, action)
    steps = after.info['steps'] + 1
    late = steps >= 5
    after.info.update(steps=steps)
    after.info['truncation'] = jnp.where(late, 1 - after.done, 0)
    return after._replace(done=jnp.where(late, 1.0, after.done))


class ResettingBraxLine(BraxLine):
  def reset(self, rng):
    state = super().reset(rng)
    state.info['first_obs'] = state.obs
    return state


def odd(what):
  """A line of which one thing is wrong."""
  return _ODD[what]()


class _NoStep:
  reset = Line.reset


class _NoActions:
  reset, step = JaxtariLine.reset, JaxtariLine.step


class _Unwritten(Line):
  def step_env(self, key, state, action, params):
    raise NotImplementedError


class _Growing(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return (jnp.concatenate([found[0], found[0]]), *found[1:])


class _Dict(Line):
  def observe(self, state):
    return {'place': state.place, 'time': jnp.zeros(3)}


class _Structure(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return found[0], {'place': found[1].place}, *found[2:]


class _Type(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return found[0], found[1]._replace(time=1.5), *found[2:]


class _Typed(Line):
  def reset(self, key, params):
    observation, _ = super().reset(key, params)
    return observation, {'key': jax.random.key(0)}


class _Four(Line):
  def step_env(self, key, state, action, params):
    return super().step_env(key, state, action, params)[:4]


class _Rewards(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return (*found[:2], jnp.zeros(2), *found[3:])


class _NoReward(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return (*found[:2], None, *found[3:])


class _NoDone(Line):
  def step_env(self, key, state, action, params):
    found = super().step_env(key, state, action, params)
    return (*found[:3], None, found[4])


class _Branching(Line):
  def ends(self, state, params):
    return True if state.time >= 5 else False


class _Multi(Line):
  class MultiDiscrete:
    nvec = (2, 3)

  actions = MultiDiscrete()


class _Unbounded(Line):
  actions = Box(-jnp.inf, jnp.inf, (1,))


class _ResetAlone(Line):
  def reset(self, key, params):
    return super().reset(key, params)[0]


class _NotAState(BraxLine):
  def step(self, state, action):
    return state.obs, state


class _DictBrax(BraxLine):
  def reset(self, rng):
    state = super().reset(rng)
    return state._replace(obs={'state': state.obs})


_ODD = {
  'no step': _NoStep,
  'no actions': _NoActions,
  'unwritten': _Unwritten,
  'growing': _Growing,
  'dict': _Dict,
  'structure': _Structure,
  'type': _Type,
  'typed key': _Typed,
  'four values': _Four,
  'two rewards': _Rewards,
  'no reward': _NoReward,
  'no done': _NoDone,
  'branching': _Branching,
  'multi': _Multi,
  'unbounded': _Unbounded,
  'reset alone': _ResetAlone,
  'no brax state': _NotAState,
  'brax dict': _DictBrax,
}
