"""Games of MinAtar, one after the other and round again, for one network.

The games share a form: observations have as many channels as the game with the
most, of which a game with fewer leaves the last ones empty, and all have
MinAtar's six actions, of which those that a game does not use do nothing.
Channels mean different things in different games, as in MinAtar itself.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import minatar
from plasticity_rl.types import Key


class State(NamedTuple):
  """The states of all games, and which of them is played, int32 `[]`."""

  games: tuple[base.State, ...]
  playing: jax.Array


def make(
  games: Sequence[str] = ('space_invaders', 'asterix', 'seaquest'),
  sticky_action_prob: float = 0.1,
) -> base.Environment:
  """A sequence of games; `switch` goes on to the next one.

  Args:
    games: the games of MinAtar, in their order; the first comes again after the
      last.
    sticky_action_prob: see `minatar`.

  Returns:
    The environment, which has a `switch`. Observations are boolean
    `[10, 10, C]`. Its range of returns is from the lowest to the highest of the
    games. Where environments are mapped over, all games are stepped, of which
    one counts.

  Raises:
    UserError: a game is not valid, or pgx is not installed.
  """
  envs = [
    minatar.make(game, sticky_action_prob, full_action_set=True)
    for game in games
  ]
  height, width, _ = envs[0].observation_shape
  channels = max(env.observation_shape[-1] for env in envs)

  def see(timestep: dm_env.TimeStep) -> dm_env.TimeStep:
    observation = timestep.observation
    missing = channels - observation.shape[-1]
    return timestep._replace(
      observation=jnp.pad(observation, [(0, 0), (0, 0), (0, missing)])
    )

  def play(
    state: State, move: Callable[[base.Environment, Any], Any]
  ) -> tuple[State, dm_env.TimeStep]:
    """Calls `move(env, state)` of the game that is played."""

    def of(i: int) -> Any:
      def branch() -> tuple[tuple[Any, ...], dm_env.TimeStep]:
        inner, timestep = move(envs[i], state.games[i])
        before, after = state.games[:i], state.games[i + 1 :]
        return (*before, inner, *after), see(timestep)

      return branch

    inner, timestep = jax.lax.switch(
      state.playing, [of(i) for i in range(len(envs))]
    )
    return State(inner, state.playing), timestep

  def init(key: Key) -> State:
    keys = jax.random.split(key, len(envs))
    inner = tuple(env.init(k) for env, k in zip(envs, keys, strict=True))
    return State(inner, jnp.array(0, jnp.int32))

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    return play(state, lambda env, inner: env.reset(key, inner))

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    return play(state, lambda env, inner: env.step(key, inner, action))

  def switch(key: Key, state: State) -> State:
    del key  # The order is fixed.
    return state._replace(playing=(state.playing + 1) % len(envs))

  ranges = [env.return_range for env in envs]
  return base.Environment(
    name='minatar_sequence',
    observation_shape=(height, width, channels),
    observation_dtype=jnp.bool_,
    actions=envs[0].actions,
    return_range=(min(low for low, _ in ranges), max(hi for _, hi in ranges)),
    range_frames=max(env.range_frames for env in envs),
    shortest_episode=min(env.shortest_episode for env in envs),
    init=init,
    reset=reset,
    step=step,
    switch=switch,
  )
