"""Training in environments that run on the host.

A row is a step of every environment, then the updates that are due, all of
them in one compiled call. The state is a value between segments, as it is on
the device; see `host_data`.
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
from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.interventions import acting
from plasticity_rl.learner import learner
from plasticity_rl.networks.convolution import in_loop
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.training import device_trainer
from plasticity_rl.training import rollout
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.host_data_source import HostDataSource
from plasticity_rl.training.host_data_source import HostReplays
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition
from plasticity_rl.types import name_tag

# Updates in a compiled call while priming.
_PRIMING_CALL = 50
_NO_STEP = 2**31 - 1


class _Counts:
  """The counters, while a segment runs."""

  def __init__(self, state: TrainState):
    self.step, self.updates, self.stored, self.cleared = map(
      int, state.counters
    )

  def put(self, state: TrainState) -> TrainState:
    """The state with these counters."""
    return state._replace(
      counters=state.counters._replace(
        **{
          name: jnp.array(value, jnp.int32)
          for name, value in vars(self).items()
        }
      )
    )


class Learners(NamedTuple):
  """An agent, by what of a batch its updates see, and how they are spread."""

  whole: Agent
  shared: Agent
  layout: parallel.Layout = parallel.ONE


class HostTrainer:
  """The functions of a `trainer_lib.Trainer`."""

  def __init__(
    self,
    settings: settings_lib.Settings,
    learners: Learners,
    environments: Callable[..., HostEnvironments],
    data: HostDataSource,
    hooks: device_trainer.Hooks,
  ):
    """Compiles nothing yet.

    Args:
      settings: of the run.
      learners: what acts and what learns.
      environments: `(num_envs, evaluation=True) -> environments` to evaluate
        in, made when they are first needed.
      data: environments and replays to learn from.
      hooks: interventions inside the loop.
    """
    self._settings = settings
    agent, shared, layout = learners
    self._agent, self._layout = agent, layout
    self._environments = environments
    self._data = data
    self._evaluation: HostEnvironments | None = None
    stack = data.replay.stack
    num_groups = len(layout.local) if layout.mode == 'seeds' else 1
    over_seeds = functools.partial(
      _over_seeds, settings.num_seeds // num_groups
    )

    def act(key, step, nets, own, observation):
      key, _ = jax.random.split(jax.random.fold_in(key, step))
      if layout.sharers > 1:
        key = jax.random.fold_in(key, layout.host)
      return rollout.act(
        agent, key, acting.acting(nets, own, step), observation, step
      )

    def act_greedily(key, t, nets, observation):
      return agent.act_greedily(jax.random.fold_in(key, t), nets, observation)

    def learn(count, nets, own, sums, keys, numbers, batches):
      step, updates = numbers  # In one array, which is put on devices once.
      _, key = jax.random.split(jax.random.fold_in(keys.run, step))

      def sample(key, i):
        del key  # It was drawn on the host.
        one = jax.tree.map(lambda x: x[i], batches)
        return stacking.stacked(one, stack)

      nets, own, metrics = learner.learn(
        key,
        shared,
        nets,
        own,
        sample,
        updates,
        count,
        hooks,
        keys.event,
        layout.shard,
      )
      bad = ~jnp.isfinite(metrics['loss']) & (sums['bad_step'] < 0)
      return (
        nets,
        own,
        {
          **{name: sums[name] + value for name, value in metrics.items()},
          'bad_step': jnp.where(bad, step, sums['bad_step']),
        },
      )

    def compiled(function, *axes, **options):
      return layout.jit(
        over_seeds(function, axes), seeds=parallel.Axes(axes, 0), **options
      )

    learning = (0, 0, 0, 0, None, 0)
    self._act = compiled(act, 0, None, 0, 0, 0)
    self._act_greedily = compiled(act_greedily, 0, None, 0, 0)
    self._learn = layout.jit(
      lambda count, *args: over_seeds(
        functools.partial(learn, count), learning
      )(*args),
      static=(0,),
      donate=(1, 2, 3),
      seeds=parallel.Axes(learning, 0),
      # A batch is the third axis, after seeds and updates: `_shared_out`.
      data=parallel.Axes((*[None] * 5, 2), None),
    )
    self._stacked = layout.jit(
      jax.vmap(lambda batch: stacking.stacked(batch, stack)),
      seeds=parallel.Axes((0,), 0),
    )
    seeds = np.arange(
      settings.seed, settings.seed + settings.num_seeds, dtype=np.int32
    )
    self._init = functools.partial(
      device_trainer.init, seeds, agent, lambda key: ((), ())
    )

  # --- The state ---

  def init(self) -> TrainState:
    """Networks and keys as on the device, environments begun."""
    state = self._settled(jax.jit(self._init)())
    return state._replace(
      replay=self._data.new_rings(),
      env=self._data.begin(np.asarray(state.keys.run)),
    )

  def shapes(self) -> TrainState:
    """Shapes of what `init` makes; the replay has none."""
    state = jax.eval_shape(self._init)
    env = self._data.begin(np.zeros(state.keys.run.shape, np.uint32))
    self._data.forget()
    return state._replace(
      env=self._data.of_all(
        jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), env)
      )
    )

  def load(self, state: TrainState, folder: pathlib.Path) -> TrainState:
    """From a checkpoint's arrays and its folder of data.

    Hosts that share batches have environments of their own each: their replays
    fit no other number of hosts, on which the replay begins empty.
    """
    on_device = self._settled(jax.tree.map(jnp.asarray, state._replace(env=())))
    rings = self._data.load(folder)
    if rings is None:  # To be filled again, as far as updates can see.
      rings, counters = self._data.new_rings(), on_device.counters
      on_device = on_device._replace(
        counters=counters._replace(cleared=jnp.copy(counters.stored))
      )
    return on_device._replace(env=self._data.own(state.env), replay=rings)

  def _settled(self, state):
    """As after a segment: there `_Counts` leaves counters anywhere."""
    settled = self._layout.place_state(state, trainer_lib.AXES)
    return settled._replace(counters=state.counters)

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """The data of one seed so many times."""
    (ring,) = state.replay.of_seed
    env = jax.tree.map(lambda x: np.repeat(x, count, axis=0), state.env)
    rings = HostReplays([ring.copy() for _ in range(count)])
    return state._replace(env=env, replay=rings)

  # --- Time ---

  def segment(
    self, state: TrainState, schedule: learner.UpdateSchedule
  ) -> tuple[TrainState, trainer_lib.Metrics]:
    """As `device_trainer.segment`; the replays are changed in place."""
    data, config = self._data, self._settings.environment
    counts, keys = _Counts(state), np.asarray(state.keys.run)
    env = data.settle(state.env, state.replay, keys, counts.step)
    returns = env.episode_return.copy()
    nets, own, sums = state.nets, state.interventions, self._no_sums()
    learning_keys = self._layout.replicate(state.keys)
    acting = nets, own  # Where it acts, on one device.
    updated = 0
    ended, return_sum = np.zeros((2, data.num_seeds))

    def draw():
      return data.draw(
        state.replay,
        env,
        keys,
        'sample',
        step,
        num_batches=schedule.updates,
      )

    def learn(batches):
      nonlocal nets, own, sums, updated, acting
      nets, own, sums = self._learn(
        schedule.updates,
        nets,
        own,
        sums,
        learning_keys,
        np.array([step, counts.updates], np.int32),
        self._shared_out(batches),
      )
      acting = self._layout.to_first_device((nets, own))
      counts.updates += schedule.updates
      updated += 1

    for _ in range(self._settings.segment_steps // data.num_envs):
      step = counts.step
      due = schedule.due(step // data.num_envs)
      # Overlapping: an update that runs while environments step learns from
      # what was stored before, and is acted upon one step later.
      overlaps = config.overlap and due and self._is_ready(counts)
      batches = draw() if overlaps else None
      actions = np.asarray(
        self._act(
          state.keys.run,
          np.int32(step),
          *acting,
          data.seen(env.statistics, env.observation),
        )
      )
      if overlaps:
        learn(batches)
      result = data.environments.step(data.flat(actions))
      result = result._make(map(data.by_seed, result))
      for seed, ring in enumerate(state.replay.of_seed):
        ring.add(
          Row(
            *(
              x[seed]
              for x in (
                env.observation,
                actions,
                result.reward,
                result.discount,
                result.observation,
                result.last,
              )
            )
          )
        )
      returns += result.score
      ended += result.last.sum(1)
      return_sum += np.where(result.last, returns, 0).sum(1)
      returns[result.last] = 0
      env = env._replace(
        observation=result.next_observation,
        statistics=data.count(env.statistics, result.observation),
      )
      counts.step += data.num_envs
      counts.stored += 1
      if due and not config.overlap and self._is_ready(counts):
        learn(draw())

    # Here and not before, so that the host runs ahead of the device.
    sums = {name: np.asarray(value) for name, value in sums.items()}
    bad_step = sums.pop('bad_step')
    if self._layout.sharers > 1:
      ended, return_sum = np.sum(
        hosts.all_gather_object(
          'episodes', [ended.tolist(), return_sum.tolist()]
        ),
        axis=0,
      )
    metrics = {'train/return': return_sum, 'train/episodes': ended}
    with np.errstate(invalid='ignore'):  # None ended, or none was made.
      metrics['train/return'] = return_sum / ended
      for name, value in sums.items():
        metrics[f'train/{name}'] = value / np.float32(updated)
    nets, own = acting
    return counts.put(
      state._replace(
        nets=nets,
        interventions=own,
        env=data.now(env.observation, returns, env.statistics),
      )
    ), {
      **metrics,
      'bad_step': bad_step,
      'updates': np.full(data.num_seeds, counts.updates),
    }

  def prime(self, state: TrainState) -> TrainState:
    """As `device_trainer.prime`."""
    counts, keys = _Counts(state), np.asarray(state.keys.run)
    nets, own = state.nets, state.interventions
    # Folded by update, under a step that there is not.
    roots = jax.vmap(jax.random.fold_in, (0, None))(state.keys.run, _NO_STEP)
    left = min(
      self._settings.replay.priming_updates, settings_lib.PRIMING_CHUNK
    )
    while left:
      count = min(left, _PRIMING_CALL)
      batches = self._data.draw(
        state.replay,
        state.env,
        keys,
        'prime',
        counts.updates,
        num_batches=count,
      )
      nets, own, _ = self._learn(
        count,
        nets,
        own,
        self._no_sums(),
        state.keys._replace(run=roots),
        np.array([counts.updates] * 2, np.int32),
        self._shared_out(batches),
      )
      counts.updates += count
      left -= count
    nets, own = self._layout.to_first_device((nets, own))
    return counts.put(state._replace(nets=nets, interventions=own))

  def evaluate(self, keys: jax.Array, state: TrainState) -> trainer_lib.Metrics:
    """Episodes from the same seeds each time, played greedily."""
    data, config = self._data, self._settings.evaluation
    if self._evaluation is None:
      self._evaluation = self._environments(
        data.num_seeds * config.episodes, evaluation=True
      )
    first = self._settings.seed
    observation = self._evaluation.begin(
      np.concatenate(
        [
          np.random.default_rng(
            [int(name_tag('evaluate')), first + seed]
          ).integers(2**32, size=config.episodes, dtype=np.uint32)
          for seed in range(data.num_seeds)
        ]
      )
    )
    returns, steps = np.zeros((2, data.num_seeds, config.episodes))
    playing = np.ones(returns.shape, bool)
    for t in range(config.max_steps):
      actions = np.asarray(
        self._act_greedily(
          keys,
          np.int32(t),
          state.nets,
          data.seen(state.env.statistics, data.by_seed(observation)),
        )
      )
      result = self._evaluation.step(data.flat(actions))
      returns += np.where(playing, data.by_seed(result.score), 0)
      steps += playing
      playing &= ~data.by_seed(result.last)
      if not playing.any():
        break
      observation = result.next_observation
    return {'eval/return': returns.mean(1), 'eval/steps': steps.sum(1)}

  def sample(self, keys: jax.Array, state: TrainState) -> Transition:
    """A probe batch of each seed, `[S, P, ...]`."""
    size = self._settings.diagnostics.probe_size
    drawn = self._layout.gathered(
      self._data.draw(
        state.replay,
        state.env,
        np.asarray(keys),
        'probe',
        0,
        -(-size // self._layout.sharers),
      )
    )
    return self._stacked(jax.tree.map(lambda x: x[:, :size], drawn))

  def metrics(self) -> set[str]:
    """Names of what segments and evaluations report."""
    return {
      'train/return',
      'train/episodes',
      'bad_step',
      'updates',
      'eval/return',
      'eval/steps',
      *(f'train/{name}' for name in self._update_metrics),
    }

  def batch(self) -> Transition:
    """Shapes of the batch of an update, of one seed."""
    return _of_one_seed(
      jax.eval_shape(
        self._stacked, self._data.batch_shapes(self._settings.replay.batch_size)
      )
    )

  def _shared_out(self, batches):
    """`[S, U, B, ...]` to `[S, U, D, B / D, ...]`, for D devices."""
    if self._layout.mode != 'data':
      return batches
    count = len(self._layout.local)
    return jax.tree.map(
      lambda x: x.reshape(
        *x.shape[:2], count, x.shape[2] // count, *x.shape[3:]
      ),
      batches,
    )

  def _is_ready(self, counts):
    stored = (counts.stored - counts.cleared) * self._data.num_envs
    return stored >= self._settings.replay.min_size

  @functools.cached_property
  def _update_metrics(self):
    """Names of what an update reports."""
    key = jax.ShapeDtypeStruct((2,), 'uint32')
    nets = _of_one_seed(jax.eval_shape(self._init).nets)
    return tuple(
      jax.eval_shape(
        lambda *args: self._agent.update(*args, 0)[1], key, nets, self.batch()
      )
    )

  def _no_sums(self):
    """What the metrics of updates are added to."""
    count = self._data.num_seeds
    return {
      **{name: np.zeros(count, np.float32) for name in self._update_metrics},
      'bad_step': np.full(count, -1, np.int32),
    }


def _of_one_seed(shapes: Any) -> Any:
  return jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), shapes
  )


def _over_seeds(num_seeds, function, in_axes):
  """`vmap` over seeds; one alone is spared the batched products."""
  if num_seeds > 1:
    return jax.vmap(function, in_axes)

  def one(*args):
    args = [
      x if axis is None else jax.tree.map(lambda leaf: leaf[0], x)
      for x, axis in zip(args, in_axes, strict=True)
    ]
    with in_loop(False):
      results = function(*args)
    return jax.tree.map(lambda leaf: leaf[None], results)

  return one


def make(
  settings: settings_lib.Settings,
  learners: Learners,
  environments: Callable[..., HostEnvironments],
  training: HostEnvironments,
  schedule: learner.UpdateSchedule,
  later: learner.UpdateSchedule | None,
  hooks: device_trainer.Hooks,
) -> trainer_lib.Trainer:
  """The loop of these settings; see `HostTrainer` and `device_trainer.make`."""
  data = HostDataSource(settings, training, learners.layout)
  host = HostTrainer(settings, learners, environments, data, hooks)

  def segment_at(schedule):
    return lambda state: host.segment(state, schedule)

  return trainer_lib.Trainer(
    steps_per_row=data.num_envs,
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
    snapshots=lambda state: data.snapshots(state.replay),
    portable=lambda state: state,
    load=host.load,
    replicate=host.replicate,
    host_axes=trainer_lib.REPLICATED_AXES._replace(env=1),
  )
