"""Data sources: an agent in an environment; data sets are elsewhere.

A data source is what differs between reinforcement and supervised learning; all
that happens in time (updates, events, forks) is one code for both.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments.base import Environment
from plasticity_rl.interventions.acting import Acting
from plasticity_rl.replay import device_ring
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition

Metrics = dict[str, jax.Array]


class DataSource(NamedTuple):
  """Pure functions for one seed; counters are shared by all seeds.

  Attributes:
    init: `(key) -> (env, replay)`. The key is consumed.
    collect: `(key, nets, env, replay, counters) -> (env, replay, metrics)`,
      one row of data, by `nets` or what an `Acting` says. The key is consumed.
    advance: `(counters) -> counters`, what `collect` adds to them.
    ready: `(counters) -> bool []`, whether there are data enough to update.
    sample: `(key, env, replay, counters, batch_size) -> batch`; a batch size
      of None is that of updates. The key is consumed.
    evaluate: `(key, nets, env) -> metrics`, of separate episodes on the task
      of the moment: `eval/return` and `eval/steps`, the decisions that they
      took in all. The key is consumed.
    steps_per_row: steps that `collect` makes.
    return_range: lowest and highest return to expect.
    transition_bytes: memory of a transition in the replay.
    is_shared_out: whether each device has environments and a replay of its
      own, `[E / D, ...]` and `[R, E / D, ...]`, rather than the same as all.
  """

  init: Callable[..., tuple[Any, Any]]
  collect: Callable[..., tuple[Any, Any, Metrics]]
  advance: Callable[[Counters], Counters]
  ready: Callable[[Counters], jax.Array]
  sample: Callable[..., Transition]
  evaluate: Callable[..., Metrics]
  steps_per_row: int
  return_range: tuple[float, float]
  transition_bytes: int = 0
  is_shared_out: bool = False


class EnvState(NamedTuple):
  """E environments in play; `[E, ...]` each.

  Attributes:
    state: of the environments.
    observation: what the agent sees.
    episode_return: undiscounted, so far.
  """

  state: Any
  observation: jax.Array
  episode_return: jax.Array


def environment_source(
  agent: Agent,
  environment: Environment,
  settings: settings_lib.Settings,
  shard: Shard = UNSHARDED,
) -> DataSource:
  """The agent plays `num_envs` environments, one step of each a row.

  Where devices share batches, each plays its share of the environments and
  keeps what it sees, if their number divides; otherwise all devices play all
  environments alike, and each takes its share of what is drawn.
  """
  all_envs = settings.environment.num_envs
  is_shared_out = shard.axis is not None and all_envs % shard.count == 0
  # Who else has what is played here, and who has other parts of it.
  others = shard if is_shared_out else UNSHARDED
  num_envs = all_envs // others.count
  switch_every = settings.environment.switch_every_steps
  replay_settings = settings.replay
  ring = DeviceRing(
    num_rows=replay_settings.capacity // all_envs,
    batch_size=replay_settings.batch_size // others.count,
    n_step=replay_settings.n_step,
    discount=replay_settings.discount,
  )

  def begin(key, state):
    state, timestep = jax.vmap(environment.reset)(
      jax.random.split(key, num_envs), state
    )
    return EnvState(state, timestep.observation, jnp.zeros(num_envs))

  def init(key):
    task_key, reset_key = jax.random.split(key)
    # The environments of a seed share the task, hence the key.
    state = jax.vmap(environment.init, in_axes=None, axis_size=num_envs)(
      task_key
    )
    env = begin(reset_key, state)
    zeros = jnp.zeros(num_envs)
    row = Row(
      env.observation,
      zeros.astype(jnp.int32),
      zeros,
      zeros,
      env.observation,
      zeros.astype(bool),
    )
    return env, ring.init(row)

  def switch(key, env):
    task_key, reset_key = jax.random.split(key)
    reset_key = others.key(reset_key)  # The task is the same everywhere.
    state = jax.vmap(environment.switch, in_axes=(None, 0))(task_key, env.state)
    return begin(reset_key, state)

  def collect(key, nets, env, replay, counters):
    switch_key, act_key, step_key, reset_key = jax.random.split(key, 4)
    act_key, step_key, reset_key = map(
      others.key, (act_key, step_key, reset_key)
    )
    step = counters.step
    exploring_since = step
    if switch_every:
      new_task = (step > 0) & (step % switch_every == 0)
      env = jax.lax.cond(new_task, lambda: switch(switch_key, env), lambda: env)
      if settings.agent.epsilon_restart_on_switch:
        exploring_since = step % switch_every
    action = act(agent, act_key, nets, env.observation, exploring_since)
    state, timestep = jax.vmap(environment.step)(
      jax.random.split(step_key, num_envs), env.state, action
    )
    ended = timestep.last()
    # The last step before a switch is the last of its episode, truncated:
    # its discount stays what the environment said.
    cut = ended
    if switch_every:
      cut = ended | ((step + all_envs) % switch_every == 0)
    episode_return = env.episode_return + timestep.reward
    row = Row(
      env.observation,
      action,
      timestep.reward,
      timestep.discount,
      timestep.observation,
      cut,
    )
    replay = ring.add(replay, counters, row)
    fresh = begin(reset_key, state)
    env = jax.tree.map(
      lambda a, b: jnp.where(cut.reshape(num_envs, *[1] * (a.ndim - 1)), a, b),
      fresh,
      EnvState(state, timestep.observation, episode_return),
    )
    return (
      env,
      replay,
      others.sum(
        {
          'episodes': ended.sum().astype(jnp.float32),
          'return_sum': jnp.where(ended, episode_return, 0).sum(),
        }
      ),
    )

  def advance(counters):
    cleared = counters.cleared
    if switch_every and replay_settings.clear_on_switch:
      new_task = (counters.step > 0) & (counters.step % switch_every == 0)
      cleared = jnp.where(new_task, counters.stored, cleared)
    return counters._replace(
      step=counters.step + all_envs,
      stored=counters.stored + 1,
      cleared=cleared,
    )

  def ready(counters):
    return ring.num_stored(counters) * all_envs >= replay_settings.min_size

  def sample(key, env, replay, counters, batch_size=None):
    del env
    if is_shared_out:
      return ring.sample(others.key(key), replay, counters, batch_size)
    return ring.sample(key, replay, counters, batch_size, shard)

  def evaluate(key, nets, env):
    reset_key, play_key = jax.random.split(key)
    episodes = settings.evaluation.episodes
    task = jax.tree.map(lambda x: x[0], env.state)
    state, timestep = jax.vmap(environment.reset, in_axes=(0, None))(
      jax.random.split(reset_key, episodes), task
    )

    def unfinished(carry):
      t, *_, playing = carry
      return (t < settings.evaluation.max_steps) & playing.any()

    def play(carry):
      t, state, observation, returns, steps, playing = carry
      act_key, step_key = jax.random.split(jax.random.fold_in(play_key, t))
      action = agent.act_greedily(act_key, nets, observation)
      state, timestep = jax.vmap(environment.step)(
        jax.random.split(step_key, episodes), state, action
      )
      returns += jnp.where(playing, timestep.reward, 0)
      steps += playing
      playing &= ~timestep.last()
      return t + 1, state, timestep.observation, returns, steps, playing

    *_, returns, steps, _ = jax.lax.while_loop(
      unfinished,
      play,
      (
        0,
        state,
        timestep.observation,
        jnp.zeros(episodes),
        jnp.zeros(episodes, jnp.int32),
        jnp.ones(episodes, bool),
      ),
    )
    return {
      'eval/return': returns.mean(),
      'eval/steps': steps.sum().astype(jnp.float32),
    }

  return DataSource(
    init,
    collect,
    advance,
    ready,
    sample,
    evaluate,
    steps_per_row=all_envs,
    return_range=environment.return_range,
    transition_bytes=device_ring.transition_bytes(
      environment.observation_shape, environment.observation_dtype
    ),
    is_shared_out=is_shared_out,
  )


def act(
  agent: Agent,
  key: Key,
  nets: Any,
  observations: jax.Array,
  step: jax.Array,
) -> jax.Array:
  """Actions in training, by `nets` or what an `Acting` says."""
  if not isinstance(nets, Acting):
    return agent.act(key, nets, observations, step)
  return jax.lax.cond(
    nets.use_old,
    lambda: agent.act(key, nets.old, observations, step),
    lambda: agent.act(key, nets.nets, observations, step),
  )
