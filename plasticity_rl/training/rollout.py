"""The data source of reinforcement learning on the device."""

from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments import episode_cut
from plasticity_rl.environments.base import Environment
from plasticity_rl.errors import UserError
from plasticity_rl.interventions.acting import Acting
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training import device_statistics
from plasticity_rl.training.data_source import DataSource
from plasticity_rl.training.data_source import Metrics
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition


class EnvState(NamedTuple):
  """The state of E environments, `[E, ...]`.

  Attributes:
    state: the states of the environments.
    observation: the current observations.
    episode_return: undiscounted returns of the current episodes.
    statistics: of observations and returns (see `device_statistics`), as far as
      they are normalised.
  """

  state: Any
  observation: jax.Array
  episode_return: jax.Array
  statistics: dict[str, Any]


class EnvironmentSource(DataSource):
  """The agent acts in `num_envs` environments; a row is one step of each.

  If devices share batches and divide the number of environments, environments
  and replay are sharded over devices. Otherwise all devices step the same
  environments, and each takes its part of every sampled batch.
  """

  def __init__(
    self,
    agent: Agent,
    environment: Environment,
    settings: settings_lib.Settings,
    shard: Shard = UNSHARDED,
  ):
    """Stores the arguments; `init` makes the environments.

    Args:
      agent: the agent.
      environment: the environment, with pure functions.
      settings: settings of the run.
      shard: this device's part of each batch.
    """
    self._agent, self._environment = agent, environment
    self._settings, self._shard = settings, shard
    self._total_envs = settings.environment.num_envs
    self._switch_every = settings.environment.switch_every_steps
    self.is_sharded = (
      shard.axis is not None and self._total_envs % shard.count == 0
    )
    # This device's part of the environments.
    self._env_shard = shard if self.is_sharded else UNSHARDED
    self._num_envs = self._total_envs // self._env_shard.count
    shape, task = environment.observation_shape, settings.environment
    if task.normalize_observations and len(shape) != 1:
      raise UserError(
        'config.environment.normalize_observations is for vectors, but '
        f'observations have the shape {shape}'
      )
    replay = settings.replay
    self.ring = DeviceRing(
      num_rows=replay.capacity // self._total_envs,
      batch_size=replay.batch_size // self._env_shard.count,
      n_step=replay.n_step,
      discount=replay.discount,
      observation=jax.ShapeDtypeStruct(
        environment.observation_shape, environment.observation_dtype
      ),
      shortest_episode=environment.shortest_episode,
      rows_per_task=self._switch_every // self._total_envs,
    )
    self.steps_per_row = self._total_envs
    self.frames_per_step = environment.frames_per_step
    self.return_range = episode_cut.return_range(
      environment.return_range,
      environment.range_frames,
      settings.evaluation.max_steps * environment.frames_per_step,
    )
    self.transition_bytes = self.ring.transition_bytes(self._no_action())

  def on(self, shard: Shard) -> Self:
    """See `DataSource`."""
    return type(self)(self._agent, self._environment, self._settings, shard)

  def init(self, key: Key) -> tuple[EnvState, Any]:
    """See `DataSource`. All environments of a seed have the same task."""
    task_key, reset_key = jax.random.split(key)
    state = jax.vmap(
      self._environment.init, in_axes=None, axis_size=self._num_envs
    )(task_key)
    task = self._settings.environment
    statistics = device_statistics.init(
      self._num_envs,
      self._environment.observation_shape,
      observations=task.normalize_observations,
      returns=bool(task.scale_rewards),
    )
    env = self._begin(reset_key, state, statistics)
    return env, self.ring.init(self._no_action())

  def collect(
    self, key: Key, nets: Any, env: EnvState, replay: Any, counters: Counters
  ) -> tuple[EnvState, Any, Metrics]:
    """See `DataSource`. Metrics: 'episodes' that ended, and 'return_sum'."""
    switch_key, act_key, step_key, reset_key = jax.random.split(key, 4)
    act_key, step_key, reset_key = map(
      self._env_shard.key, (act_key, step_key, reset_key)
    )
    step, switch_every = counters.step, self._switch_every
    exploring_since = step
    if switch_every:
      new_task = (step > 0) & (step % switch_every == 0)
      env = jax.lax.cond(
        new_task, lambda: self._switch(switch_key, env), lambda: env
      )
      if getattr(self._settings.agent, 'epsilon_restart_on_switch', False):
        exploring_since = step % switch_every
    seen = device_statistics.normalize(env.statistics, env.observation)
    action = act(self._agent, act_key, nets, seen, exploring_since)
    state, timestep = jax.vmap(self._environment.step)(
      jax.random.split(step_key, self._num_envs), env.state, action
    )
    ended = timestep.last()
    # A switch of the task truncates the episode, so the discount of its last
    # step is still that of the environment.
    cut = ended
    if switch_every:
      cut = ended | ((step + self._total_envs) % switch_every == 0)
    episode_return = env.episode_return + timestep.reward
    row = Row(
      env.observation,
      action,
      timestep.reward,
      timestep.discount,
      timestep.observation,
      cut,
    )
    replay = self.ring.add(replay, counters, row)
    statistics = env.statistics
    env = jax.tree.map(
      lambda a, b: jnp.where(
        cut.reshape(self._num_envs, *[1] * (a.ndim - 1)), a, b
      ),
      self._begin(reset_key, state, {}),
      EnvState(state, timestep.observation, episode_return, {}),
    )
    env = env._replace(
      statistics=device_statistics.update(
        statistics,
        env.observation,
        timestep.reward,
        cut,
        self._settings.replay.discount,
        self._env_shard,
      )
    )
    metrics = {
      'episodes': ended.sum().astype(jnp.float32),
      'return_sum': jnp.where(ended, episode_return, 0).sum(),
    }
    return env, replay, self._env_shard.sum(metrics)

  def advance(self, counters: Counters) -> Counters:
    """See `DataSource`. A switch of the task may empty the replay."""
    cleared, switch_every = counters.cleared, self._switch_every
    if switch_every and self._settings.replay.clear_on_switch:
      new_task = (counters.step > 0) & (counters.step % switch_every == 0)
      cleared = jnp.where(new_task, counters.stored, cleared)
    return counters._replace(
      step=counters.step + self._total_envs,
      stored=counters.stored + 1,
      cleared=cleared,
    )

  def ready(self, counters: Counters) -> jax.Array:
    """See `DataSource`."""
    stored = self.ring.num_stored(counters) * self._total_envs
    return stored >= self._settings.replay.min_size

  def sample(
    self,
    key: Key,
    env: EnvState,
    replay: Any,
    counters: Counters,
    batch_size: int | None = None,
  ) -> Transition:
    """See `DataSource`. The replay holds observations as they are."""
    if self.is_sharded:
      batch = self.ring.sample(
        self._env_shard.key(key), replay, counters, batch_size
      )
    else:
      batch = self.ring.sample(key, replay, counters, batch_size, self._shard)
    s_tm1, s_t = (
      device_statistics.normalize(env.statistics, x)
      for x in (batch.s_tm1, batch.s_t)
    )
    most = self._settings.environment.scale_rewards
    r_t = device_statistics.scale(env.statistics, batch.r_t, most)
    return batch._replace(s_tm1=s_tm1, s_t=s_t, r_t=r_t)

  def evaluate(self, key: Key, nets: Any, env: EnvState) -> Metrics:
    """See `DataSource`. Episodes are truncated at `max_steps`."""
    environment, config = self._environment, self._settings.evaluation
    reset_key, play_key = jax.random.split(key)
    task = jax.tree.map(lambda x: x[0], env.state)
    state, timestep = jax.vmap(environment.reset, in_axes=(0, None))(
      jax.random.split(reset_key, config.episodes), task
    )

    def unfinished(carry):
      t, *_, playing = carry
      return (t < config.max_steps) & playing.any()

    def play(carry):
      t, state, observation, returns, steps, playing = carry
      act_key, step_key = jax.random.split(jax.random.fold_in(play_key, t))
      seen = device_statistics.normalize(env.statistics, observation)
      action = self._agent.act_greedily(act_key, nets, seen)
      state, timestep = jax.vmap(environment.step)(
        jax.random.split(step_key, config.episodes), state, action
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
        jnp.zeros(config.episodes),
        jnp.zeros(config.episodes, jnp.int32),
        jnp.ones(config.episodes, bool),
      ),
    )
    return {
      'eval/return': returns.mean(),
      'eval/steps': steps.sum().astype(jnp.float32),
    }

  def _no_action(self):
    """Placeholders of the actions of all environments."""
    actions = self._environment.actions
    return jnp.zeros((self._num_envs, *actions.shape), actions.dtype)

  def _begin(self, key, state, statistics):
    """Starts a new episode in every environment."""
    state, timestep = jax.vmap(self._environment.reset)(
      jax.random.split(key, self._num_envs), state
    )
    return EnvState(
      state, timestep.observation, jnp.zeros(self._num_envs), statistics
    )

  def _switch(self, key, env):
    """Switches to the next task, which is the same on all devices."""
    task_key, reset_key = jax.random.split(key)
    state = jax.vmap(self._environment.switch, in_axes=(None, 0))(
      task_key, env.state
    )
    return self._begin(self._env_shard.key(reset_key), state, env.statistics)


def act(
  agent: Agent,
  key: Key,
  nets: Any,
  observations: jax.Array,
  step: jax.Array,
) -> jax.Array:
  """Actions in training, chosen by `nets` or as an `Acting` describes."""
  if not isinstance(nets, Acting):
    return agent.act(key, nets, observations, step)
  return jax.lax.cond(
    nets.use_old,
    lambda: agent.act(key, nets.old, observations, step),
    lambda: agent.act(key, nets.nets, observations, step),
  )
