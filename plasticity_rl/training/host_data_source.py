"""The data of a run on the host, as values: environments and replays.

Environments are objects that change. A run's state holds what they are, as
arrays, and they are only a cache of it: where they are what the state says
already, nothing is copied. Those that cannot be copied are begun anew at every
step where a checkpoint is due, in every run, so that resuming and forking are
the same as going on.

Hosts that share every batch (`parallel='data'`) have E / H environments each,
and a replay of what these saw, of which each draws its share of a batch.
"""

import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.replay import host_ring
from plasticity_rl.replay import host_spec
from plasticity_rl.replay import memory
from plasticity_rl.replay.stacking import FrameBatch
from plasticity_rl.training import running_statistics
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.types import name_tag


class HostEnvState(NamedTuple):
  """Environments in play, as values; `[S, E, ...]` each, in numpy.

  Attributes:
    simulators: all that they are; nothing where they cannot be copied.
    observation: what the agent sees.
    episode_return: undiscounted and unclipped, so far.
    statistics: of observations, by seed; nothing where they are not
      normalised.
  """

  simulators: dict[str, np.ndarray]
  observation: np.ndarray
  episode_return: np.ndarray
  statistics: dict[str, np.ndarray]


@jax.tree_util.register_static
class HostReplays:
  """The replay of each seed. No array: a checkpoint holds its files."""

  def __init__(self, of_seed: Sequence[host_ring.HostRing]):
    self.of_seed = tuple(of_seed)


def generator(key: np.ndarray, name: str, number: int) -> np.random.Generator:
  """The host's randomness for one purpose and step, from a key `[2]`."""
  return np.random.Generator(
    np.random.Philox(
      np.random.SeedSequence([*map(int, key), int(name_tag(name)), number])
    )
  )


def environments_per_host(
  settings: settings_lib.Settings, layout: parallel.Layout
) -> int:
  """Environments of a seed on this host; refuses what cannot be shared."""
  env, sharers = settings.environment, layout.sharers
  if env.num_envs % sharers:
    raise UserError(
      f'config.environment.num_envs ({env.num_envs}) is not a multiple of '
      f'the {sharers} hosts, each of which steps its own: take '
      f'{-(-env.num_envs // sharers) * sharers}, or '
      'config.parallel="seeds" with as many seeds as devices'
    )
  if sharers > 1 and env.normalize_observations:
    raise UserError(
      'config.environment.normalize_observations: hosts that share batches '
      '(config.parallel is "data") would each have other statistics: take '
      '"seeds"'
    )
  return env.num_envs // sharers


def replay_settings(
  settings: settings_lib.Settings, spaces: Spaces, sharers: int = 1
) -> host_spec.HostReplaySpec:
  """What the replay of one seed is to be; refused where memory is too small.

  Of `sharers` hosts each has a part.
  """
  replay = settings.replay
  found = host_spec.HostReplaySpec(
    capacity=replay.capacity // sharers,
    num_envs=settings.environment.num_envs // sharers,
    spaces=spaces,
    discount=replay.discount,
    n_step=replay.n_step,
    stack=settings.environment_options.get('stack_frames', 1),
    compress=replay.compress,
  )
  host_spec.check_fits(found, memory.of_host() // settings.num_seeds)
  return found


class HostDataSource:
  """Environments and replays of S seeds with E environments each.

  Attributes:
    num_seeds: S.
    num_envs: E, of all hosts that share the data.
    environments: this host's, S x E of one, in the order of seeds.
    replay: what the replay of one seed is.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    environments: HostEnvironments,
    layout: parallel.Layout = parallel.ONE,
  ):
    spaces = environments.spaces
    self.num_seeds = settings.num_seeds
    self.num_envs = settings.environment.num_envs
    self.environments = environments
    self._layout, sharers = layout, layout.sharers
    self.replay = replay_settings(settings, spaces, sharers)
    each = environments_per_host(settings, layout)
    first = layout.host * each if sharers > 1 else 0
    self._own_environments = slice(first, first + each)
    self._save_every = schedule_lib.schedule(settings).save
    self._batch_size = settings.replay.batch_size
    if sharers > 1:
      self._batch_size = (
        self._batch_size * len(layout.local) // len(layout.devices)
      )
    self._normalizes = settings.environment.normalize_observations
    if self._normalizes and len(spaces.observation_shape) != 1:
      raise UserError(
        'config.environment.normalize_observations is for vectors, but '
        f'observations have the shape {spaces.observation_shape}'
      )
    # The value that the environments are at.
    self._at: HostEnvState | None = None

  def by_seed(self, x: np.ndarray) -> np.ndarray:
    """`[N, ...]` to `[S, N / S, ...]`."""
    return x.reshape(self.num_seeds, -1, *x.shape[1:])

  def flat(self, x: np.ndarray) -> np.ndarray:
    """`[S, M, ...]` to `[S M, ...]`."""
    return x.reshape(-1, *x.shape[2:])

  # --- Environments as values ---

  def begin(self, run_keys: np.ndarray) -> HostEnvState:
    """Environments at the start of a run."""
    env = self._begin(run_keys, 0)
    if self._normalizes:
      env = env._replace(
        statistics=running_statistics.init(
          self.num_seeds, self.environments.spaces.observation_shape
        )
      )
    return self.snapshot(*env[1:])

  def snapshot(
    self,
    observation: np.ndarray,
    episode_return: np.ndarray,
    statistics: dict[str, np.ndarray],
  ) -> HostEnvState:
    """What the environments are, with what else belongs to it."""
    simulators = {}
    if self.environments.can_copy:
      simulators = {
        k: self.by_seed(v) for k, v in self.environments.get_state().items()
      }
    self._at = HostEnvState(simulators, observation, episode_return, statistics)
    return self._at

  def restore_environments(
    self,
    env: HostEnvState,
    replays: HostReplays,
    run_keys: np.ndarray,
    step: int,
  ) -> HostEnvState:
    """Brings the environments to where `env` says that they are at `step`."""
    is_there = env is self._at
    if self.environments.can_copy:
      if not is_there:
        self.environments.set_state(
          {k: self.flat(v) for k, v in env.simulators.items()}
        )
      return env
    if is_there and step % self._save_every:
      return env
    for replay in replays.of_seed:
      replay.end_episodes()
    return self._begin(run_keys, step)._replace(statistics=env.statistics)

  def forget(self) -> None:
    """The environments are nowhere that anybody refers to."""
    self._at = None

  def _begin(self, run_keys, step):
    """New episodes everywhere, by seed and step."""
    seeds = np.concatenate(
      [
        generator(key, 'environments', step).integers(
          2**32, size=self.num_envs, dtype=np.uint32
        )[self._own_environments]
        for key in run_keys
      ]
    )
    observation = self.by_seed(self.environments.begin(seeds))
    zeros = np.zeros(observation.shape[:2], np.float32)
    return HostEnvState({}, observation, zeros, {})

  # --- Observations ---

  def count(
    self, statistics: dict[str, np.ndarray], observations: np.ndarray
  ) -> dict[str, np.ndarray]:
    """Statistics with observations `[S, E, ...]`, where they are wanted."""
    if not self._normalizes:
      return statistics
    return running_statistics.update(statistics, observations)

  def normalize(
    self, statistics: dict[str, np.ndarray], observations: np.ndarray
  ) -> np.ndarray:
    """Observations `[S, ...]` as networks see them."""
    if not self._normalizes:
      return observations
    return running_statistics.normalize(statistics, observations)

  # --- Replays ---

  def empty_replays(self) -> HostReplays:
    """Empty replays."""
    return HostReplays(
      [host_ring.HostRing(self.replay) for _ in range(self.num_seeds)]
    )

  def load(self, folder: pathlib.Path) -> HostReplays | None:
    """Replays that `snapshots` wrote; None if other hosts shared them."""
    folders = [folder / self._name(seed) for seed in range(self.num_seeds)]
    if not all(one.exists() for one in folders):
      return None
    return HostReplays([host_ring.load(one, self.replay) for one in folders])

  def snapshots(self, replays: HostReplays) -> dict[str, host_ring.HostRing]:
    """Copies by name, which share what they hold with the originals."""
    return {
      self._name(seed): replay.copy()
      for seed, replay in enumerate(replays.of_seed)
    }

  def _name(self, seed):
    """The name of a replay among those of all seeds and hosts."""
    name = f'replay_{self._layout.first_seed(self.num_seeds) + seed}'
    sharers = self._layout.sharers
    return f'{name}_{self._layout.host}_of_{sharers}' if sharers > 1 else name

  # --- What hosts that share the data have of all environments ---

  def shapes_on_all_hosts(self, env: Any) -> Any:
    """Shapes of all environments `[S, E, ...]`, of this host's."""
    if self._layout.sharers == 1:
      return env
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        (x.shape[0], self.num_envs, *x.shape[2:]), x.dtype
      ),
      env,
    )

  def on_this_host(self, env: HostEnvState) -> HostEnvState:
    """This host's environments, of all."""
    if self._layout.sharers == 1:
      return env
    return jax.tree.map(lambda x: x[:, self._own_environments], env)

  def draw(
    self,
    replays: HostReplays,
    env: HostEnvState,
    keys: np.ndarray,
    name: str,
    number: int,
    batch_size: int | None = None,
    num_batches: int | None = None,
  ) -> FrameBatch:
    """Batches of each seed, `[S, (U,) B, ...]`.

    Args:
      replays: the replays.
      env: whose statistics normalise observations.
      keys: `[S, 2]`, of which the randomness is made.
      name: of its purpose.
      number: of the step.
      batch_size: B, by default this host's share of that of updates.
      num_batches: U; None for no such axis.
    """
    shapes = self.batch_shapes(batch_size, num_batches)
    if not replays.of_seed[0].num_stored:  # On the device too, they are zeros.
      return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    if self._layout.sharers > 1:
      name = f'{name} on host {self._layout.host}'
    drawn = [
      replay.sample_frames(
        generator(key, name, number),
        batch_size or self._batch_size,
        num_batches,
      )
      for replay, key in zip(replays.of_seed, keys, strict=True)
    ]
    batch = FrameBatch._make(map(_joined, zip(*drawn, strict=True)))
    return batch._replace(frames=self.normalize(env.statistics, batch.frames))

  def batch_shapes(
    self, batch_size: int | None = None, num_batches: int | None = None
  ) -> FrameBatch:
    """Shapes and dtypes of what `draw` returns."""
    many = () if num_batches is None else (num_batches,)
    leading = (self.num_seeds, *many, batch_size or self._batch_size)
    dtype = self.environments.spaces.observation_dtype
    if self._normalizes:
      dtype = np.float32
    stack = self.replay.stack
    frames = stack + 1 if self.replay.n_step == 1 else 2 * stack
    shape, action = self.replay.action
    return FrameBatch(
      jax.ShapeDtypeStruct((*leading, frames, *self.replay.frame_shape), dtype),
      jax.ShapeDtypeStruct((*leading, *shape), action),
      *(jax.ShapeDtypeStruct(leading, np.float32) for _ in range(2)),
    )


def _joined(arrays):
  """`[S, ...]`; of one seed, without a copy."""
  return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
