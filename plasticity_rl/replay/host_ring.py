"""A ring of transitions in the host's memory, which keeps every frame once.

The twin of `device_ring`, for environments that run on the host. A row holds
one step of E environments. Beside actions and rewards it keeps the places of
the k + 1 frames of its step: those of `s_tm1`, then the newest one of `s_t`.
In an episode, the newest frame of `s_t` is a frame of the next row, to which
it lends its place; so stacks are what the agent saw, at an episode's borders
too, whatever the environment fills the first of them with.
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

  A transition's *id* is a number that stays its own: the row, counted from
  the first that was ever added, times E, plus the environment. So a sampler
  may keep something (a priority) by id; `ids` says which can be sampled now.
  """

  def __init__(self, settings: HostReplaySpec):
    """An empty ring."""
    self.settings = settings
    rows, envs = settings.num_rows, settings.num_envs
    shape, dtype = settings.action
    # By row, modulo their number. Zeros take no memory until written.
    self._columns = {
      'a_tm1': np.zeros((rows, envs, *shape), dtype),
      'r_t': np.zeros((rows, envs), np.float32),
      'discount_t': np.zeros((rows, envs), np.float32),
      'last': np.zeros((rows, envs), bool),
      # Slots of a row's k + 1 frames, from a base to save half of the bytes.
      'base': np.zeros((rows,), np.int64),
      'slots': np.zeros((rows, envs, settings.stack + 1), np.int32),
    }
    self._frames = FrameStore(
      settings.frame_shape,
      settings.spaces.observation_dtype,
      chunk_frames=settings.chunk_frames,
      # Frames of one environment are alike, and so compressed together.
      num_streams=envs if settings.compress else 1,
      compress=settings.compress,
    )
    self._stored, self._cleared = 0, 0
    # Whether an environment's next row begins anew, and if not, with what.
    self._begins = np.ones([envs], bool)
    shape = settings.spaces.observation_shape
    self._newest = np.zeros((envs, *shape), settings.spaces.observation_dtype)

  @property
  def ids(self) -> range:
    """Ids of the transitions that can be sampled.

    They have `n_step` rows from their own to the newest one.
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
    """Memory in use: frames, and the columns once the ring has been full."""
    return (
      self._frames.nbytes
      + self._newest.nbytes
      + sum(x.nbytes for x in self._columns.values())
    )

  @property
  def _first_row(self):
    return max(self._cleared, self._stored - self.settings.num_rows)

  def add(self, row: Row) -> None:
    """Writes a step of every environment, each `[E, ...]`, over the oldest.

    Raises:
      UserError: for arrays that do not fit the spaces, and for observations
        that do not follow one another as stacks of frames do.
    """
    row = self.settings.checked(row)
    self._check_follows(row)
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
    """Cuts all episodes: the environments were begun anew since the last row.

    As by truncation: what was stored bootstraps as before, no transition
    spans the cut, and the next rows are the first of their episodes.
    """
    if self._stored > self._cleared:
      self._columns['last'][(self._stored - 1) % self.settings.num_rows] = True
    self._begins[:] = True

  def clear(self) -> None:
    """Forgets all transitions. Episodes may go on."""
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

    The equation is that of `DeviceRing.sample`. Where the learner is jitted,
    `sample_frames` is the faster way to the same.

    Args:
      rng: what is drawn depends on its state, and on which ids there are.
      batch_size: B.
      num_batches: U, for U updates; leading axes are then `[U, B]`.

    Returns:
      Fresh contiguous arrays, `[B, ...]`.
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
    """What `sample` draws, for `stacking.stacked` to stack inside jit."""
    return self.batch(uniform(rng, self.ids, _shape(batch_size, num_batches)))

  def batch(self, ids: np.ndarray) -> FrameBatch:
    """The transitions of these ids, `[...]`, out of those in `self.ids`."""
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
    """A ring that goes its own way and shares the frames stored so far.

    It takes memory for what is not shared: the columns (some 40 bytes a
    transition), and 2 MB or 8 frames an environment. So a copy is also the
    snapshot that another thread may save while this ring goes on.
    """
    other = copy.copy(self)
    other._columns = {k: v.copy() for k, v in self._columns.items()}
    other._frames = self._frames.copy()
    other._begins, other._newest = self._begins.copy(), self._newest.copy()
    return other

  def save(self, folder: pathlib.Path) -> None:
    """Writes everything into a folder, which is made if there is none."""
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
    """Where the rows are, oldest first."""
    return np.arange(self._first_row, self._stored) % self.settings.num_rows

  def _slots(self, *at):
    """Slots of the k + 1 frames of the rows (and environments) at places."""
    slots = self._columns['slots'][at]
    base = self._columns['base'][at[0]]
    return slots + np.expand_dims(base, tuple(range(base.ndim, slots.ndim)))

  def _first_stack(self, env, frames):
    """Stores an episode's first stack `[k, ...]`; slots `[k]`.

    Environments fill it with one frame, which is kept once.
    """
    new = stacking.is_new(frames)
    stream = int(env) if self.settings.compress else 0
    slots = self._frames.append(stream, frames[new])
    return slots[np.cumsum(new) - 1]

  def _check_follows(self, row):
    """Checks that the row goes on where the one before it ended."""
    goes_on = ~self._begins
    if row.s_tm1[goes_on].tobytes() != self._newest[goes_on].tobytes():
      raise UserError(
        'replay: an observation before an action is not the one after the '
        'action before it, though no episode ended between them'
      )


def uniform(
  rng: np.random.Generator, ids: range, shape: tuple[int, ...]
) -> np.ndarray:
  """Draws from ids, with replacement. Other samplers are to look like it."""
  if not ids:
    raise ValueError('the replay has no transition that can be sampled')
  return rng.integers(ids.start, ids.stop, shape)


def load(folder: pathlib.Path, settings: HostReplaySpec) -> HostRing:
  """The ring that was saved: samples, and goes on, as it would have.

  Raises:
    UserError: if it was saved under other settings, which are named, or if
      there is none.
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


def _shape(batch_size, num_batches):
  return (batch_size,) if num_batches is None else (num_batches, batch_size)


def _with_leading(shape, arrays):
  """Arrays `[N, ...]` with N as the axes of `shape`."""
  return (x.reshape(*shape, *x.shape[1:]) for x in arrays)
