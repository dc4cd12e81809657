"""A ring buffer of transitions in the host's memory; keeps every frame once.

It is the counterpart of `device_ring` for environments on the host. A row holds
one step of E environments: actions, rewards, and the slots of k + 1 frames,
namely the k frames of `s_tm1` and the newest frame of `s_t`. Within an episode
the next row uses the same slots for the frames that the two rows share. So a
stack is always exactly what the agent saw, also at the start of an episode,
whatever the environment fills the first stack with.
"""

import copy
import json
import pathlib

import numpy as np

from plasticity_rl.errors import UserError
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.replay.frames import FrameStore
from plasticity_rl.replay.host_spec import HostReplaySpec
from plasticity_rl.replay.stacking import FrameBatch
from plasticity_rl.types import Transition

_META = 'replay.json'


class HostRing:
  """The last `capacity` transitions of E environments.

  Every transition has a permanent *id*: its row, counted from the first row
  that was ever added, times E, plus its environment. A sampler may use it, for
  instance to store priorities; `ids` are those that can be sampled now.
  """

  def __init__(self, settings: HostReplaySpec):
    """An empty ring."""
    self.settings = settings
    rows, envs = settings.num_rows, settings.num_envs
    shape, dtype = settings.action
    # Indexed by row, modulo the number of rows. Zeros take no memory until
    # they are written.
    self._columns = {
      'a_tm1': np.zeros((rows, envs, *shape), dtype),
      'r_t': np.zeros((rows, envs), np.float32),
      'discount_t': np.zeros((rows, envs), np.float32),
      'last': np.zeros((rows, envs), bool),
      # Slots of the k + 1 frames, relative to a base: int32 halves the bytes.
      'base': np.zeros((rows,), np.int64),
      'slots': np.zeros((rows, envs, settings.stack + 1), np.int32),
    }
    self._frames = FrameStore(
      settings.frame_shape,
      settings.spaces.observation_dtype,
      chunk_frames=settings.chunk_frames,
      # Frames of one environment are similar and compress well together.
      num_streams=envs if settings.compress else 1,
      compress=settings.compress,
    )
    self._stored, self._cleared = 0, 0
    # Whether the next row of an environment begins an episode, and if not, the
    # observation that it begins with.
    self._begins = np.ones([envs], bool)
    shape = settings.spaces.observation_shape
    self._newest = np.zeros((envs, *shape), settings.spaces.observation_dtype)

  @property
  def ids(self) -> range:
    """Ids of the transitions that can be sampled.

    Those are followed by enough rows for `n_step` rewards.
    """
    envs = self.settings.num_envs
    first = self._first_row * envs
    end = (self._stored - self.settings.n_step + 1) * envs
    return range(first, max(first, end))

  @property
  def num_stored(self) -> int:
    """Transitions that can be sampled."""
    return len(self.ids)

  @property
  def nbytes(self) -> int:
    """Memory in use, with the columns as if the ring were full."""
    return (
      self._frames.nbytes
      + self._newest.nbytes
      + sum(x.nbytes for x in self._columns.values())
    )

  @property
  def _first_row(self):
    return max(self._cleared, self._stored - self.settings.num_rows)

  def add(self, row: Row) -> None:
    """Writes a step of every environment, `[E, ...]`, over the oldest one.

    Raises:
      UserError: arrays do not fit the spaces, or observations do not follow one
        another as stacks of frames do.
    """
    row = self.settings.checked(row)
    _check_follows(row, self._newest, self._begins)
    stack, place = self.settings.stack, self._stored % self.settings.num_rows
    envs = np.arange(self.settings.num_envs)
    previous = (self._stored - 1) % self.settings.num_rows
    slots = np.empty((len(envs), stack + 1), np.int64)
    if not self._begins.all():
      slots[:, :-1] = self._slots(previous)[:, 1:]
    before = stacking.split(row.s_tm1, stack)
    for env in np.flatnonzero(self._begins):
      slots[env, :-1] = self._first_stack(env, before[:, env])
    newest = stacking.split(row.s_t, stack)[-1]
    if self.settings.compress:
      for env in envs:
        slots[env, -1:] = self._frames.append(env, newest[env, None])
    else:
      slots[:, -1] = self._frames.append(0, newest)
    columns = self._columns
    columns['base'][place] = base = slots.min()
    columns['slots'][place] = slots - base
    for name in ('a_tm1', 'r_t', 'discount_t', 'last'):
      columns[name][place] = getattr(row, name)
    self._stored += 1
    self._begins[:] = row.last
    self._newest[:] = row.s_t
    # No later row has frames before the oldest row's first ones.
    self._frames.drop(
      int(columns['base'][self._first_row % self.settings.num_rows])
    )

  def end_episodes(self) -> None:
    """Truncates all episodes, because the environments were started again.

    Stored transitions keep their discounts, no transition crosses the cut, and
    the next rows are the first of their episodes.
    """
    if self._stored > self._cleared:
      self._columns['last'][(self._stored - 1) % self.settings.num_rows] = True
    self._begins[:] = True

  def clear(self) -> None:
    """Deletes all transitions. Episodes may go on."""
    self._cleared = self._stored
    self._frames.clear()
    self._begins[:] = True

  def sample(
    self,
    rng: np.random.Generator,
    batch_size: int,
    num_batches: int | None = None,
  ) -> Transition:
    """Uniform n-step transitions, with replacement.

    The equation is that of `DeviceRing.sample`. For a jitted learner,
    `sample_frames` is faster and gives the same transitions.

    Args:
      rng: the draws depend only on its state and on `ids`.
      batch_size: B.
      num_batches: U, for U updates; leading axes are then `[U, B]`.

    Returns:
      New contiguous arrays, `[B, ...]`.

    Raises:
      ValueError: no transition can be sampled yet.
    """
    ids = uniform(rng, self.ids, _shape(batch_size, num_batches))
    flat = self._batch(ids.reshape(-1))
    transition = stacking.stacked_on_host(flat, self.settings.stack)
    return Transition(*_with_leading(ids.shape, transition))

  def sample_frames(
    self,
    rng: np.random.Generator,
    batch_size: int,
    num_batches: int | None = None,
  ) -> FrameBatch:
    """As `sample`, but `stacking.stacked` makes the stacks inside jit.

    Raises:
      ValueError: no transition can be sampled yet.
    """
    return self.batch(uniform(rng, self.ids, _shape(batch_size, num_batches)))

  def batch(self, ids: np.ndarray) -> FrameBatch:
    """The transitions of these ids, `[...]`, which must be in `self.ids`."""
    return FrameBatch(*_with_leading(ids.shape, self._batch(ids.reshape(-1))))

  def _batch(self, ids):
    """For ids `[N]`."""
    settings, columns = self.settings, self._columns
    row, env = np.divmod(ids, settings.num_envs)
    places = row % settings.num_rows
    r_t = np.zeros(ids.shape, np.float32)
    discount_t = np.ones(ids.shape, np.float32)
    alive = np.ones(ids.shape, bool)
    final = places
    for k in range(settings.n_step):
      at = (row + k) % settings.num_rows, env
      r_t += np.where(alive, discount_t * columns['r_t'][at], 0)
      discount_t *= np.where(
        alive, settings.discount * columns['discount_t'][at], 1
      )
      final = np.where(alive, at[0], final)
      alive &= ~columns['last'][at]
    slots = self._slots(places, env)
    if settings.n_step > 1:
      slots = np.concatenate(
        [slots[:, :-1], self._slots(final, env)[:, 1:]], axis=1
      )
    frames = self._frames.gather(slots.reshape(-1))
    return FrameBatch(
      frames.reshape(*slots.shape, *frames.shape[1:]),
      columns['a_tm1'][places, env],
      r_t,
      discount_t,
    )

  def copy(self) -> 'HostRing':
    """An independent ring that shares the frames stored so far.

    A copy takes memory for the columns (about 40 bytes a transition) and for
    unfinished chunks (2 MB, or 8 frames for each environment). It also serves
    as a snapshot that another thread saves while this ring goes on.
    """
    other = copy.copy(self)
    other._columns = {k: v.copy() for k, v in self._columns.items()}
    other._frames = self._frames.copy()
    other._begins, other._newest = self._begins.copy(), self._newest.copy()
    return other

  def save(self, folder: pathlib.Path) -> None:
    """Writes everything into a folder, and creates it if necessary."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _META).write_text(
      json.dumps(
        {
          'settings': self.settings.describe(),
          'stored': self._stored,
          'cleared': self._cleared,
        }
      )
    )
    places = self._places()
    for name, column in self._columns.items():
      np.save(folder / f'{name}.npy', column[places])
    np.save(folder / 'begins.npy', self._begins)
    np.save(folder / 'newest.npy', self._newest)
    self._frames.save(folder)

  def _places(self):
    """Positions of the rows in the columns, oldest first."""
    return np.arange(self._first_row, self._stored) % self.settings.num_rows

  def _slots(self, *at):
    """Slots of the k + 1 frames of the rows (and environments) `at`."""
    slots = self._columns['slots'][at]
    base = self._columns['base'][at[0]]
    return slots + np.expand_dims(base, tuple(range(base.ndim, slots.ndim)))

  def _first_stack(self, env, frames):
    """Stores an episode's first stack `[k, ...]`; returns slots `[k]`.

    Most environments fill it with one frame, which is then kept once.
    """
    new = stacking.is_new(frames)
    stream = int(env) if self.settings.compress else 0
    slots = self._frames.append(stream, frames[new])
    return slots[np.cumsum(new) - 1]


def uniform(
  rng: np.random.Generator, ids: range, shape: tuple[int, ...]
) -> np.ndarray:
  """Draws ids uniformly, with replacement. Other samplers may replace it.

  Raises:
    ValueError: there are no ids.
  """
  if not ids:
    raise ValueError('the replay has no transition that can be sampled')
  return rng.integers(ids.start, ids.stop, shape)


def load(folder: pathlib.Path, settings: HostReplaySpec) -> HostRing:
  """Loads a saved ring; it continues exactly as the original would.

  Raises:
    UserError: there is no saved ring, it has other settings, or its frames are
      incomplete.
  """
  path = folder / _META
  if not path.exists():
    raise UserError(f'there is no saved replay in {folder}')
  meta = json.loads(path.read_text())
  here, there = settings.describe(), meta['settings']
  differ = [
    f'{name} is {there.get(name)} there and {here.get(name)} here'
    for name in sorted({*here, *there})
    if here.get(name) != there.get(name)
  ]
  if differ:
    raise UserError(
      f'the replay in {folder} is of other settings: {"; ".join(differ)}'
    )
  ring = HostRing(settings)
  ring._stored, ring._cleared = meta['stored'], meta['cleared']
  places = ring._places()
  for name, column in ring._columns.items():
    column[places] = np.load(folder / f'{name}.npy')
  ring._begins[:] = np.load(folder / 'begins.npy')
  ring._newest[:] = np.load(folder / 'newest.npy')
  ring._frames.load(folder)
  return ring


def _check_follows(row, newest, begins):
  """Checks that a row goes on where the one before it ended."""
  goes_on = ~begins
  if row.s_tm1[goes_on].tobytes() != newest[goes_on].tobytes():
    raise UserError(
      'replay: an observation before an action is not the one after the '
      'action before it, though no episode ended between them'
    )


def _shape(batch_size, num_batches):
  return (batch_size,) if num_batches is None else (num_batches, batch_size)


def _with_leading(shape, arrays):
  """Reshapes arrays `[N, ...]` to `[*shape, ...]`."""
  return (x.reshape(*shape, *x.shape[1:]) for x in arrays)
