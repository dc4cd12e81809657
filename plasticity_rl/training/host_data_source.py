"""The data of a run on the host: environments and replays.

Environments are mutable objects. The state of a run holds a copy of their
state, as arrays, and `restore_environments` brings them to that state; nothing
is copied if they are in that state already. Environments whose state cannot be
copied start new episodes at every step at which a checkpoint is due. They do so
in every run, so a resumed or forked run is equal to one that continues.

H hosts that share every batch (`parallel='data'`) have E / H environments each,
and a replay of the data of these environments. Each host samples its part of a
batch from its replay.
"""

import pathlib
from collections.abc import Sequence
from typing import Any

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
from plasticity_rl.training.host_env_state import HostEnvState
from plasticity_rl.types import name_tag


@jax.tree_util.register_static
class HostReplays:
  """The replays of all seeds.

  They are not arrays of the state: a checkpoint saves them in files.

  Attributes:
    by_seed: the replay of each seed.
  """

  def __init__(self, by_seed: Sequence[host_ring.HostRing]):
    self.by_seed = tuple(by_seed)


def generator(key: np.ndarray, name: str, number: int) -> np.random.Generator:
  """A NumPy generator for one purpose and step, from a key `[2]`."""
  return np.random.Generator(
    np.random.Philox(
      np.random.SeedSequence([*map(int, key), int(name_tag(name)), number])
    )
  )


def environments_per_host(
  settings: settings_lib.Settings, layout: parallel.Layout
) -> int:
  """Number of environments of a seed on this host.

  Raises:
    UserError: the hosts cannot share the environments.
  """
  env, sharers = settings.environment, layout.sharers
  if env.num_envs % sharers:
    raise UserError(
      f'config.environment.num_envs ({env.num_envs}) is not a multiple of '
      f'the {sharers} hosts, each of which steps its own: take '
      f'{-(-env.num_envs // sharers) * sharers}, or '
      'config.parallel="seeds" with as many seeds as devices'
    )
  for name in ('normalize_observations', 'scale_rewards'):
    if sharers > 1 and getattr(env, name):
      raise UserError(
        f'config.environment.{name}: hosts that share batches '
        '(config.parallel is "data") would each have other statistics: take '
        '"seeds"'
      )
  return env.num_envs // sharers


def replay_settings(
  settings: settings_lib.Settings, spaces: Spaces, sharers: int = 1
) -> host_spec.HostReplaySpec:
  """The settings of the replay of one seed on this host.

  Args:
    settings: settings of the run.
    spaces: spaces of the environments.
    sharers: number of hosts among which each seed's replay is divided.

  Raises:
    UserError: the replays do not fit into memory, or a setting does not fit the
      environments.
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


def flat(x: np.ndarray) -> np.ndarray:
  """Reshapes `[S, M, ...]` to `[S M, ...]`."""
  return x.reshape(-1, *x.shape[2:])


class HostDataSource:
  """Environments and replays of S seeds with E environments each.

  Attributes:
    num_seeds: S.
    num_envs: E, summed over all hosts that share the data.
    environments: the environments of this host for all seeds, seed by seed.
    replay: settings of the replay of one seed.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    environments: HostEnvironments,
    save_every: int,
    layout: parallel.Layout = parallel.ONE,
  ):
    """Makes no replay yet.

    Args:
      settings: settings of the run.
      environments: the environments of this host.
      save_every: period of checkpoints, in steps.
      layout: the layout of seeds and batches over devices.

    Raises:
      UserError: the settings do not fit the environments, the hosts or the
        memory.
    """
    spaces = environments.spaces
    self.num_seeds = settings.num_seeds
    self.num_envs = settings.environment.num_envs
    self.environments = environments
    self._layout, sharers = layout, layout.sharers
    self.replay = replay_settings(settings, spaces, sharers)
    each = environments_per_host(settings, layout)
    first = layout.host * each if sharers > 1 else 0
    self._local_environments = slice(first, first + each)
    self._save_every = save_every
    self._batch_size = settings.replay.batch_size
    if sharers > 1:
      self._batch_size = (
        self._batch_size * len(layout.local) // len(layout.devices)
      )
    self._scale_rewards = settings.environment.scale_rewards
    self._normalizes = settings.environment.normalize_observations
    if self._normalizes and len(spaces.observation_shape) != 1:
      raise UserError(
        'config.environment.normalize_observations is for vectors, but '
        f'observations have the shape {spaces.observation_shape}'
      )
    # The state that the environments are in, if any state holds it.
    self._current: HostEnvState | None = None

  def by_seed(self, x: np.ndarray) -> np.ndarray:
    """Reshapes `[N, ...]` to `[S, N / S, ...]`."""
    return x.reshape(self.num_seeds, -1, *x.shape[1:])

  # --- States of environments ---

  def begin(self, run_keys: np.ndarray) -> HostEnvState:
    """Starts the environments of a run and returns their state."""
    env = self._begin(run_keys, 0)
    statistics = {}
    if self._normalizes:
      statistics |= running_statistics.init(
        self.num_seeds, self.environments.spaces.observation_shape
      )
    if self._scale_rewards:
      statistics |= running_statistics.init_returns(
        self.num_seeds, self.num_envs
      )
    env = env._replace(statistics=statistics)
    return self.snapshot(*env[1:])

  def snapshot(
    self,
    observation: np.ndarray,
    episode_return: np.ndarray,
    statistics: dict[str, np.ndarray],
  ) -> HostEnvState:
    """Returns the state of the environments, with the given fields."""
    simulators = {}
    if self.environments.can_copy:
      simulators = {
        k: self.by_seed(v) for k, v in self.environments.get_state().items()
      }
    self._current = HostEnvState(
      simulators, observation, episode_return, statistics
    )
    return self._current

  def restore_environments(
    self,
    env: HostEnvState,
    replays: HostReplays,
    run_keys: np.ndarray,
    step: int,
  ) -> HostEnvState:
    """Brings the environments to the state `env` of step `step`.

    Environments that cannot be copied start new episodes instead, if `env` is
    not their current state or if a checkpoint is due at `step`.

    Args:
      env: the state.
      replays: the replays, in which interrupted episodes end.
      run_keys: keys of the new episodes, `[S, 2]`.
      step: the step of the state.

    Returns:
      The state of the environments.
    """
    is_current = env is self._current
    if self.environments.can_copy:
      if not is_current:
        self.environments.set_state(
          {k: flat(v) for k, v in env.simulators.items()}
        )
      return env
    if is_current and step % self._save_every:
      return env
    for replay in replays.by_seed:
      replay.end_episodes()
    return self._begin(run_keys, step)._replace(
      statistics=running_statistics.begin_episodes(env.statistics)
    )

  def invalidate(self) -> None:
    """Marks the environments as being in no known state."""
    self._current = None

  def _begin(self, run_keys, step):
    """Starts new episodes, with random seeds from run keys and step."""
    seeds = np.concatenate(
      [
        generator(key, 'environments', step).integers(
          2**32, size=self.num_envs, dtype=np.uint32
        )[self._local_environments]
        for key in run_keys
      ]
    )
    observation = self.by_seed(self.environments.begin(seeds))
    zeros = np.zeros(observation.shape[:2], np.float32)
    return HostEnvState({}, observation, zeros, {})

  # --- Replays ---

  def empty_replays(self) -> HostReplays:
    """Makes empty replays."""
    return HostReplays(
      [host_ring.HostRing(self.replay) for _ in range(self.num_seeds)]
    )

  def load(self, folder: pathlib.Path) -> HostReplays | None:
    """Loads the replays that `snapshots` returned and a checkpoint saved.

    Returns:
      The replays, or None if another number of hosts saved them.

    Raises:
      UserError: they were saved with other settings.
    """
    folders = [folder / self._name(seed) for seed in range(self.num_seeds)]
    if not all(one.exists() for one in folders):
      return None
    return HostReplays([host_ring.load(one, self.replay) for one in folders])

  def snapshots(self, replays: HostReplays) -> dict[str, host_ring.HostRing]:
    """Copies of the replays, by name. They share memory with the originals."""
    return {
      self._name(seed): replay.copy()
      for seed, replay in enumerate(replays.by_seed)
    }

  def _name(self, seed):
    """The name of a replay, unique among all seeds and hosts."""
    name = f'replay_{self._layout.first_seed(self.num_seeds) + seed}'
    sharers = self._layout.sharers
    return f'{name}_{self._layout.host}_of_{sharers}' if sharers > 1 else name

  # --- Environments of several hosts ---

  def global_shapes(self, env: Any) -> Any:
    """Shapes for all hosts, `[S, E, ...]`, from those of this host."""
    if self._layout.sharers == 1:
      return env
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(
        (x.shape[0], self.num_envs, *x.shape[2:]), x.dtype
      ),
      env,
    )

  def local_environments(self, env: HostEnvState) -> HostEnvState:
    """Selects the environments of this host from those of all hosts."""
    if self._layout.sharers == 1:
      return env
    return jax.tree.map(lambda x: x[:, self._local_environments], env)

  def sample(
    self,
    replays: HostReplays,
    env: HostEnvState,
    keys: np.ndarray,
    name: str,
    number: int,
    batch_size: int | None = None,
    num_batches: int | None = None,
  ) -> FrameBatch:
    """Samples batches for each seed, `[S, (U,) B, ...]`.

    Args:
      replays: the replays.
      env: the state whose statistics normalise observations.
      keys: keys of the randomness, `[S, 2]`.
      name: the purpose of the batches, part of the randomness.
      number: the step or update, part of the randomness.
      batch_size: B; by default this host's part of the batch of an update.
      num_batches: U; None for no such axis.
    """
    shapes = self.batch_shapes(batch_size, num_batches)
    if not replays.by_seed[0].num_stored:  # Zeros, as on the device.
      return jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    if self._layout.sharers > 1:
      name = f'{name} on host {self._layout.host}'
    drawn = [
      replay.sample_frames(
        generator(key, name, number),
        batch_size or self._batch_size,
        num_batches,
      )
      for replay, key in zip(replays.by_seed, keys, strict=True)
    ]
    batch = FrameBatch._make(map(_joined, zip(*drawn, strict=True)))
    frames = running_statistics.normalize(env.statistics, batch.frames)
    r_t = running_statistics.scale(
      env.statistics, batch.r_t, self._scale_rewards
    )
    return batch._replace(frames=frames, r_t=r_t)

  def batch_shapes(
    self, batch_size: int | None = None, num_batches: int | None = None
  ) -> FrameBatch:
    """Shapes and dtypes of what `sample` returns."""
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
  """Stacks arrays to `[S, ...]`, without a copy if there is one seed."""
  return arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
