"""Training in environments that run on the host.

A row is a step of every environment, then the updates that are due, all of
them in one compiled call. Between segments the state is a value as on the
device: environments are copied out of it and into it, and where they are what
the state says already, nothing is copied. Those that cannot be copied are begun
anew at every step where a checkpoint is due, in every run, so that resuming
and forking are the same as going on.
"""

import functools
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.experiment import device_loop
from plasticity_rl.experiment import events
from plasticity_rl.experiment import loop
from plasticity_rl.experiment import normalizer
from plasticity_rl.experiment import streams
from plasticity_rl.interventions import acting
from plasticity_rl.learner import learner
from plasticity_rl.replay import host_ring
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.replay.host_settings import HostReplay
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag

# Updates in a compiled call while priming.
_PRIMING_CALL = 50
_NO_STEP = 2**31 - 1


class Playing(NamedTuple):
  """Environments in play, as values; `[S, E, ...]` each, in numpy.

  Attributes:
    simulators: all that they are; nothing where they cannot be copied.
    observation: what the agent sees.
    episode_return: undiscounted and unclipped, so far.
    normalizer: statistics of observations, by seed; nothing where off.
  """

  simulators: dict[str, np.ndarray]
  observation: np.ndarray
  episode_return: np.ndarray
  normalizer: dict[str, np.ndarray]


@jax.tree_util.register_static
class Rings:
  """The replay of each seed. It is no array: a checkpoint holds its files."""

  def __init__(self, rings: list[host_ring.HostRing]):
    self.of_seed = rings


class _Counts:
  """The counters on the host, while a segment runs."""

  def __init__(self, state: TrainState):
    self.step, self.updates, self.stored, self.cleared = map(
        int, state.counters
    )

  def to_device(self, counters):
    return counters._make(
        jnp.array(x, jnp.int32)
        for x in (self.step, self.updates, self.stored, self.cleared)
    )


def replay_settings(
    settings: settings_lib.Settings, spaces: Spaces
) -> HostReplay:
  """What the replay of one seed is to be."""
  replay = settings.replay
  return HostReplay(
      capacity=replay.capacity, num_envs=settings.environment.num_envs,
      spaces=spaces, discount=replay.discount, n_step=replay.n_step,
      stack=settings.environment_options.get('stack_frames', 1),
      compress=replay.compress,
  )


class HostLoop:
  """The functions of a `loop.Loop`, and the environments that they step.

  The environments are a cache: what a segment starts from is in the state.
  """

  def __init__(
      self,
      settings: settings_lib.Settings,
      agent: Agent,
      environments: Callable[..., HostEnvironments],
      training: HostEnvironments,
      hooks: device_loop.Hooks,
  ):
    """Compiles nothing yet.

    Args:
      settings: of the run.
      agent: what learns.
      environments: `(num_envs, evaluation=True) -> environments` to evaluate
        in, made when they are first needed.
      training: those of all seeds.
      hooks: interventions inside the loop.
    """
    self._settings = settings
    self._agent = agent
    self._environments = environments
    self._training = training
    self._evaluation: HostEnvironments | None = None
    self._num_envs = settings.environment.num_envs
    self._seeds = range(settings.num_seeds)
    self._replay = replay_settings(settings, training.spaces)
    self._save_every = events.schedule(settings).save
    self._normalizes = settings.environment.normalize_observations
    # The value that the environments are at.
    self._at: Playing | None = None

    def act(keys, step, nets, own, observation):
      key, _ = jax.random.split(jax.random.fold_in(keys, step))
      return streams.act(
          agent, key, acting.acting(nets, own, step), observation, step
      )

    def act_greedily(key, t, nets, observation):
      return agent.act_greedily(
          jax.random.fold_in(key, t), nets, observation
      )

    def learn(nets, own, sums, keys, step, updates, batches, count):
      _, key = jax.random.split(jax.random.fold_in(keys.run, step))
      nets, own, metrics = learner.learn(
          key, agent, nets, own, lambda _, i: stacking.stacked(
              jax.tree.map(lambda x: x[i], batches), self._replay.stack
          ), updates, count, hooks, keys.event,
      )
      bad = ~jnp.isfinite(metrics['loss']) & (sums['bad_step'] < 0)
      new = {k: sums[k] + v for k, v in metrics.items()}
      new['bad_step'] = jnp.where(bad, step, sums['bad_step'])
      return nets, own, new

    over = functools.partial(_over_seeds, settings.num_seeds)
    self._act = jax.jit(over(act, (0, None, 0, 0, 0)))
    self._act_greedily = jax.jit(over(act_greedily, (0, None, 0, 0)))

    @functools.partial(jax.jit, static_argnums=7, donate_argnums=(0, 1, 2))
    def learn_all(nets, own, sums, keys, step, updates, batches, count):
      return over(
          functools.partial(learn, count=count), (0, 0, 0, 0, None, None, 0)
      )(nets, own, sums, keys, step, updates, batches)

    self._learn = learn_all

    @functools.partial(jax.jit, static_argnums=1)
    def stack(batches, k):
      return jax.vmap(lambda b: stacking.stacked(b, k))(batches)

    self._stack = stack

  # --- The state as a value ---

  def init(self) -> TrainState:
    """Networks and keys as on the device, environments begun."""
    state = self._init_light()
    rings = Rings([host_ring.HostRing(self._replay) for _ in self._seeds])
    run_keys = np.asarray(state.keys.run)
    env = self._begin(run_keys, 0)
    if self._training.can_copy:
      env = env._replace(simulators=self._simulators())
    if self._normalizes:
      env = env._replace(normalizer=normalizer.init(
          len(self._seeds), self._training.spaces.observation_shape
      ))
    self._at = env
    return state._replace(replay=rings, env=env)

  def shapes(self) -> TrainState:
    """Shapes of what `init` makes; the replay has none."""
    state = jax.eval_shape(self._init_light.__wrapped__)
    env = self.init().env
    self._at = None
    return state._replace(env=jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), env
    ), replay=())

  @functools.cached_property
  def _init_light(self):
    first, count = self._settings.seed, self._settings.num_seeds
    return jax.jit(lambda: device_loop.init(
        first + jnp.arange(count, dtype=jnp.int32), self._agent,
        lambda key: ((), ()),
    ))

  def load(self, state: TrainState, folder: pathlib.Path) -> TrainState:
    """From a checkpoint's arrays and its folder of data."""
    data = TrainState(*(
        value if name == 'env' else jax.tree.map(jnp.asarray, value)
        for name, value in state._asdict().items()
    ))
    return data._replace(replay=Rings([
        host_ring.load(folder / _seed_name(seed), self._replay)
        for seed in self._seeds
    ]))

  def snapshots(self, state: TrainState) -> dict[str, loop.Snapshot]:
    """Copies of the rings, which share what they hold with them."""
    return {
        _seed_name(seed): ring.copy()
        for seed, ring in enumerate(state.replay.of_seed)
    }

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """The data of one seed so many times."""
    (ring,) = state.replay.of_seed
    env = jax.tree.map(lambda x: np.repeat(x, count, axis=0), state.env)
    return state._replace(
        env=env, replay=Rings([ring.copy() for _ in range(count)])
    )

  def _simulators(self):
    return jax.tree.map(self._by_seed, self._training.get_state())

  def _by_seed(self, x):
    return x.reshape(len(self._seeds), self._num_envs, *x.shape[1:])

  def _flat(self, x):
    return x.reshape(-1, *x.shape[2:])

  def _begin(self, run_keys, step):
    """New episodes everywhere, by seed and step."""
    seeds = np.concatenate([
        _rng(key, 'environments', step).integers(
            2**32, size=self._num_envs, dtype=np.uint32
        ) for key in run_keys
    ])
    observation = self._by_seed(self._training.begin(seeds))
    zeros = np.zeros(observation.shape[:2], np.float32)
    return Playing({}, observation, zeros, {})

  def _settle(self, state, run_keys, step):
    """Brings the environments to where the state says that they are."""
    env = state.env
    if self._training.can_copy:
      if env is not self._at:
        self._training.set_state(jax.tree.map(self._flat, env.simulators))
      return env
    if env is not self._at or step % self._save_every == 0:
      for ring in state.replay.of_seed:
        ring.end_episodes()
      begun = self._begin(run_keys, step)
      env = begun._replace(normalizer=env.normalizer)
    return env

  # --- Time ---

  def segment(
      self, state: TrainState, schedule: learner.Schedule
  ) -> tuple[TrainState, loop.Metrics]:
    """As `device_loop.segment`; the replay is changed in place."""
    settings = self._settings
    counts, rings = _Counts(state), state.replay.of_seed
    run_keys = np.asarray(state.keys.run)
    env = self._settle(state, run_keys, counts.step)
    observation, returns = env.observation, env.episode_return.copy()
    statistics = dict(env.normalizer)
    nets, own = state.nets, state.interventions
    sums = self._no_sums()
    updated = 0
    ended, return_sum = np.zeros((2, len(self._seeds)))

    def learn():
      nonlocal nets, own, sums, updated
      nets, own, sums = self._learn(
          nets, own, sums, state.keys, np.int32(step), np.int32(counts.updates),
          batches, schedule.updates,
      )
      counts.updates += schedule.updates
      updated += 1

    def draw():
      return self._draw(
          rings, [_rng(key, 'sample', step) for key in run_keys],
          settings.replay.batch_size, schedule.updates, statistics,
      )

    for _ in range(settings.segment_steps // self._num_envs):
      step = counts.step
      due = schedule.due(step // self._num_envs)
      # Overlapping, an update that runs while the environments step is of what
      # was stored before: one step of lag.
      overlaps = settings.environment.overlap and due and self._ready(counts)
      if overlaps:
        batches = draw()
      actions = np.asarray(self._act(
          state.keys.run, np.int32(step), nets, own,
          self._normalized(observation, statistics),
      ))
      if overlaps:
        learn()
      result = self._training.step(self._flat(actions))
      after, following, reward, discount, last, score = map(self._by_seed, (
          result.observation, result.next_observation, result.reward,
          result.discount, result.last, result.score,
      ))
      for seed, ring in enumerate(rings):
        ring.add(Row(
            observation[seed], actions[seed], reward[seed], discount[seed],
            after[seed], last[seed],
        ))
      if self._normalizes:
        statistics = normalizer.update(statistics, after)
      returns += score
      ended += last.sum(1)
      return_sum += np.where(last, returns, 0).sum(1)
      returns[last] = 0
      observation = following
      counts.step += self._num_envs
      counts.stored += 1
      if not settings.environment.overlap and due and self._ready(counts):
        batches = draw()
        learn()

    sums = jax.device_get(sums)
    env = Playing({}, observation, returns, statistics)
    if self._training.can_copy:
      env = env._replace(simulators=self._simulators())
    self._at = env
    state = state._replace(
        nets=nets, env=env, interventions=own,
        counters=counts.to_device(state.counters),
    )
    bad_step = sums.pop('bad_step')
    with np.errstate(invalid='ignore'):
      metrics = {
          'train/return': return_sum / ended,
          'train/episodes': ended,
          **{f'train/{k}': v / np.float32(updated) for k, v in sums.items()},
      }
    return state, {
        **metrics, 'bad_step': bad_step,
        'updates': np.full(len(self._seeds), counts.updates),
    }

  def prime(self, state: TrainState) -> TrainState:
    """As `device_loop.prime`."""
    settings, counts = self._settings, _Counts(state)
    left = min(settings.replay.priming_updates, settings_lib.PRIMING_CHUNK)
    run_keys = np.asarray(state.keys.run)
    nets, own = state.nets, state.interventions
    # Folded by update, under a step that there is not.
    roots = jax.vmap(jax.random.fold_in, (0, None))(state.keys.run, _NO_STEP)
    keys = state.keys._replace(run=roots)
    while left:
      count = min(left, _PRIMING_CALL)
      batches = self._draw(
          state.replay.of_seed,
          [_rng(key, 'prime', counts.updates) for key in run_keys],
          settings.replay.batch_size, count, state.env.normalizer,
      )
      nets, own, _ = self._learn(
          nets, own, self._no_sums(), keys, np.int32(counts.updates),
          np.int32(counts.updates), batches, count,
      )
      counts.updates += count
      left -= count
    return state._replace(
        nets=nets, interventions=own,
        counters=counts.to_device(state.counters),
    )

  def evaluate(self, keys: jax.Array, state: TrainState) -> loop.Metrics:
    """Episodes from the same seeds each time, played greedily."""
    settings, config = self._settings, self._settings.evaluation
    count = config.episodes
    if self._evaluation is None:
      self._evaluation = self._environments(
          len(self._seeds) * count, evaluation=True
      )
    seeds = np.concatenate([
        np.random.default_rng([settings.seed + s, name_tag('evaluate')])
        .integers(2**32, size=count, dtype=np.uint32) for s in self._seeds
    ])
    shape = (len(self._seeds), count)
    observation = self._evaluation.begin(seeds)
    returns, steps = np.zeros(shape), np.zeros(shape)
    playing = np.ones(shape, bool)
    for t in range(config.max_steps):
      actions = np.asarray(self._act_greedily(
          keys, np.int32(t), state.nets, self._normalized(
              observation.reshape(*shape, *observation.shape[1:]),
              state.env.normalizer,
          ),
      ))
      result = self._evaluation.step(self._flat(actions))
      returns += np.where(playing, result.score.reshape(shape), 0)
      steps += playing
      playing &= ~result.last.reshape(shape)
      if not playing.any():
        break
      observation = result.next_observation
    return {'eval/return': returns.mean(1), 'eval/steps': steps.sum(1)}

  def sample(self, keys: jax.Array, state: TrainState) -> Any:
    """A probe batch of each seed, `[S, P, ...]`."""
    batches = self._draw(
        state.replay.of_seed,
        [_rng(key, 'probe', 0) for key in np.asarray(keys)],
        self._settings.diagnostics.probe_size, None, state.env.normalizer,
    )
    return self._stack(batches, self._replay.stack)

  def metrics(self) -> set[str]:
    """Names of what segments and evaluations report."""
    return {
        'train/return', 'train/episodes', 'bad_step', 'updates',
        'eval/return', 'eval/steps',
        *(f'train/{name}' for name in self._update_metrics),
    }

  def batch(self) -> Any:
    """Shapes of the batch of an update, of one seed."""
    batches = self._batch_shapes(None)
    stacked = jax.eval_shape(
        lambda b: self._stack(b, self._replay.stack), batches
    )
    return jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), stacked
    )

  # --- Data ---

  def _ready(self, counts):
    stored = (counts.stored - counts.cleared) * self._num_envs
    return stored >= self._settings.replay.min_size

  def _draw(self, rings, rngs, batch_size, num_batches, statistics):
    """Frames of batches, `[S, (U,) B, ...]`."""
    if not rings[0].num_stored:  # As on the device, where a ring is zeros.
      return jax.tree.map(
          lambda x: np.zeros(x.shape, x.dtype),
          self._batch_shapes(num_batches, batch_size),
      )
    drawn = [
        ring.sample_frames(rng, batch_size, num_batches)
        for ring, rng in zip(rings, rngs, strict=True)
    ]
    batch = drawn[0]._make(map(_stacked_seeds, zip(*drawn, strict=True)))
    if self._normalizes:
      batch = batch._replace(
          frames=normalizer.normalize(statistics, batch.frames)
      )
    return batch

  def _batch_shapes(self, num_batches, batch_size=None):
    batch_size = batch_size or self._settings.replay.batch_size
    many = () if num_batches is None else (num_batches,)
    leading = (len(self._seeds), *many, batch_size)
    dtype = self._training.spaces.observation_dtype
    if self._normalizes:
      dtype = np.float32
    shape, action = self._replay.action
    stack = self._replay.stack
    frames = stack + 1 if self._replay.n_step == 1 else 2 * stack
    return stacking.FrameBatch(
        jax.ShapeDtypeStruct(
            (*leading, frames, *self._replay.frame_shape), dtype
        ),
        jax.ShapeDtypeStruct((*leading, *shape), action),
        *(jax.ShapeDtypeStruct(leading, np.float32) for _ in range(2)),
    )

  def _normalized(self, observation, statistics):
    if not self._normalizes:
      return observation
    return normalizer.normalize(statistics, observation)

  @functools.cached_property
  def _update_metrics(self):
    """Names of what an update reports."""
    state = jax.eval_shape(self._init_light.__wrapped__)
    key = jax.ShapeDtypeStruct((2,), 'uint32')
    nets = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), state.nets
    )
    return tuple(jax.eval_shape(
        lambda key, nets, batch: self._agent.update(key, nets, batch, 0)[1],
        key, nets, self.batch(),
    ))

  def _no_sums(self):
    """What the metrics of updates are added to."""
    count = len(self._seeds)
    return {
        **{name: jnp.zeros(count) for name in self._update_metrics},
        'bad_step': jnp.full(count, -1, jnp.int32),
    }


def _rng(key: np.ndarray, name: str, number: int) -> np.random.Generator:
  """The host's randomness of one purpose and step, from a key `[2]`."""
  return np.random.Generator(np.random.Philox(np.random.SeedSequence(
      [*map(int, key), int(name_tag(name)), number]
  )))


def _seed_name(seed):
  return f'replay_{seed}'


def _stacked_seeds(arrays):
  """`[S, ...]`; of one seed, without a copy."""
  return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)


def _over_seeds(num_seeds, function, in_axes):
  """`vmap` over seeds; one alone is spared the batched products."""
  if num_seeds > 1:
    return jax.vmap(function, in_axes)

  def one(*args):
    args = [
        x if axis is None else jax.tree.map(lambda leaf: leaf[0], x)
        for x, axis in zip(args, in_axes, strict=True)
    ]
    return jax.tree.map(lambda leaf: leaf[None], function(*args))

  return one


def make(
    settings: settings_lib.Settings, agent: Agent,
    environments: Callable[..., HostEnvironments], training: HostEnvironments,
    schedule: learner.Schedule, later: learner.Schedule | None,
    hooks: device_loop.Hooks,
) -> loop.Loop:
  """The loop of these settings; see `HostLoop` and `device_loop.make`."""
  host = HostLoop(settings, agent, environments, training, hooks)

  def segment_at(schedule):
    return lambda state: host.segment(state, schedule)

  return loop.Loop(
      steps_per_row=settings.environment.num_envs,
      frames_per_step=training.frames_per_step,
      return_range=training.return_range,
      batch=host.batch(),
      metrics=host.metrics,
      init=host.init,
      shapes=host.shapes,
      segment=segment_at(schedule),
      segment_later=segment_at(later) if later else None,
      prime=host.prime,
      evaluate=host.evaluate,
      sample=host.sample,
      snapshots=host.snapshots,
      load=host.load,
      replicate=host.replicate,
  )
