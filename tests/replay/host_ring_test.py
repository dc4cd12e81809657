"""The ring on the host beside a plain Python list, and beside its twin."""

import dataclasses

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.replay import host_ring
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.replay.host_spec import HostReplaySpec
from plasticity_rl.types import Counters

GAMMA = 0.5
ENVS = 2


def image_settings(stack, channels=1, **changes):
  spaces = Spaces((3, 2, stack * channels), np.uint8, Discrete(4))
  return HostReplaySpec(
    **{
      'capacity': 9 * ENVS,
      'num_envs': ENVS,
      'spaces': spaces,
      'discount': GAMMA,
      'stack': stack,
      **changes,
    }
  )


VECTORS = HostReplaySpec(
  capacity=8,
  num_envs=ENVS,
  spaces=Spaces((3,), np.float32, Continuous(2)),
  discount=GAMMA,
)


class Games:
  """E episodes of random frames, in stacks, each ending by its own script.

  The first stack is filled with copies, with zeros, or with frames of its
  own, as wrappers differ in.
  """

  def __init__(self, settings, seed, fill='copies'):
    self.settings, self.fill = settings, fill
    self.rng = np.random.default_rng(seed)
    self.stacks = [self.first() for _ in range(settings.num_envs)]

  def frame(self):
    shape = self.settings.frame_shape
    if self.settings.spaces.observation_dtype == np.uint8:
      return self.rng.integers(0, 256, shape, np.uint8)
    return self.rng.normal(size=shape).astype(np.float32)

  def first(self):
    stack, newest = self.settings.stack, self.frame()
    fill = {
      'copies': lambda: newest,
      'zeros': lambda: np.zeros_like(newest),
      'own': self.frame,
    }[self.fill]
    return [*(fill() for _ in range(stack - 1)), newest]

  def observations(self):
    if self.settings.stack == 1:
      return np.stack([s[0] for s in self.stacks])
    return np.stack([np.concatenate(s, axis=-1) for s in self.stacks])

  def step(self, how):
    """One row; `how` says of each environment how its episode ends, or ''."""
    s_tm1 = self.observations()
    self.stacks = [[*s[1:], self.frame()] for s in self.stacks]
    s_t = self.observations()
    shape, dtype = self.settings.action
    row = Row(
      s_tm1,
      self.rng.integers(0, 4, (len(how), *shape)).astype(dtype),
      self.rng.integers(-3, 4, len(how)).astype(np.float32),
      np.array([h != 'terminated' for h in how], np.float32),
      s_t,
      np.array([h != '' for h in how]),
    )
    for env, h in enumerate(how):
      if h:
        self.stacks[env] = self.first()
    return row


class Naive:
  """A list of every row, whole."""

  def __init__(self, settings):
    self.settings, self.rows, self.cleared = settings, [], 0

  def transitions(self):
    """What may be sampled, by id."""
    settings, found = self.settings, {}
    first = max(self.cleared, len(self.rows) - settings.num_rows)
    for begin in range(first, len(self.rows) - settings.n_step + 1):
      for env in range(settings.num_envs):
        r, discount = 0.0, 1.0
        for k in range(settings.n_step):
          _, _, reward, d, s_t, last = (x[env] for x in self.rows[begin + k])
          r += discount * reward
          discount *= settings.discount * d
          if last:
            break
        s_tm1, action = self.rows[begin][0][env], self.rows[begin][1][env]
        found[begin * settings.num_envs + env] = (
          s_tm1,
          action,
          r,
          discount,
          s_t,
        )
    return found


def assert_same(ring, expected):
  """The ring holds the expected transitions, by id, and no others."""
  assert list(ring.ids) == list(expected)
  assert ring.num_stored == len(expected)
  if not expected:
    return
  batch = ring.batch(np.array(list(expected)))
  on_host = stacking.stacked_on_host(batch, ring.settings.stack)
  for k, wanted in enumerate(expected.values()):
    for name, x, y in zip(on_host._fields, on_host, wanted, strict=True):
      np.testing.assert_array_equal(x[k], y, err_msg=name)
  assert on_host.s_tm1.dtype == ring.settings.spaces.observation_dtype


EVENTS = st.one_of(
  st.lists(  # A row: how each environment's episode ends, if it does.
    st.sampled_from(['', '', '', 'terminated', 'truncated']),
    min_size=ENVS,
    max_size=ENVS,
  ),
  st.integers(1, 20),  # So many rows, most of which end nothing.
  st.sampled_from(['clear', 'copy', 'cut', 'load']),
)


@pytest.mark.parametrize('compress', (False, True))
@hypothesis.settings(
  max_examples=100,
  deadline=None,
  derandomize=True,
  suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
@hypothesis.given(
  history=st.lists(EVENTS, min_size=1, max_size=20),
  n_step=st.integers(1, 3),
  stack=st.integers(1, 4),
  channels=st.integers(1, 2),
  seed=st.integers(0, 99),
  fill=st.sampled_from(['copies', 'zeros', 'own']),
)
def test_holds_what_a_list_would_hold(
  tmp_path_factory, compress, history, n_step, stack, channels, seed, fill
):
  settings = image_settings(
    stack, channels, n_step=n_step, compress=compress, capacity=5 * ENVS + 1
  )
  games, naive = Games(settings, seed, fill), Naive(settings)
  ring = host_ring.HostRing(settings)
  copies = []
  for event in history:
    match event:
      case 'clear':
        ring.clear()
        naive.cleared = len(naive.rows)
      case 'copy':
        copies.append((ring.copy(), naive.transitions()))
      case 'cut':
        ring.end_episodes()
        games.stacks = [games.first() for _ in range(ENVS)]
        if len(naive.rows) > naive.cleared:
          naive.rows[-1].last[:] = True
      case 'load':
        folder = tmp_path_factory.mktemp('replay')
        ring.save(folder)
        ring = host_ring.load(folder, settings)
      case _:
        rows = (
          [event]
          if isinstance(event, list)
          else [
            games.rng.choice(['', '', '', '', '', 'terminated'], ENVS)
            for _ in range(event)
          ]
        )
        for how in rows:
          row = games.step(how)
          # What the caller does with its arrays afterwards is its own affair.
          lent = Row(*(x.copy() for x in row))
          ring.add(lent)
          for x in lent:
            x[:] = 0
          naive.rows.append(row)
  assert_same(ring, naive.transitions())
  for before, expected in copies:
    assert_same(before, expected)


def filled(settings, rows, seed=0, ring=None, **games):
  """A ring after some rows, and the games that go on."""
  games = Games(settings, seed, **games)
  ring = ring or host_ring.HostRing(settings)
  for t in range(rows):
    ring.add(games.step(['truncated' if t % 5 == 4 else '', '']))
  return ring, games


@pytest.mark.parametrize(
  'settings',
  (
    VECTORS,
    image_settings(1),
    image_settings(4),
    image_settings(3, 3),
    image_settings(4, n_step=2, compress=True),
  ),
  ids=('vectors', 'single', 'stacks', 'colours', 'compressed'),
)
def test_stacking_inside_jit_is_stacking_on_the_host(settings):
  ring, _ = filled(settings, 20)
  on_host = ring.sample(np.random.default_rng(3), 5, num_batches=2)
  batch = ring.sample_frames(np.random.default_rng(3), 5, num_batches=2)
  in_jit = jax.jit(stacking.stacked, static_argnums=1)(batch, settings.stack)
  jax.tree.map(np.testing.assert_array_equal, on_host, in_jit)
  shape, dtype = settings.action
  assert on_host.s_t.shape == (2, 5, *settings.spaces.observation_shape)
  assert on_host.a_tm1.shape == (2, 5, *shape)
  assert on_host.a_tm1.dtype == dtype
  assert on_host.r_t.shape == on_host.discount_t.shape == (2, 5)
  assert on_host.r_t.dtype == on_host.discount_t.dtype == np.float32
  for x in on_host:
    assert x.flags.c_contiguous
    assert x.flags.writeable


def test_vectors_of_small_chunks_are_found():
  """Frames below a kilobyte are gathered sorted by chunk."""
  settings = dataclasses.replace(VECTORS, capacity=400, n_step=3)
  naive, games = Naive(settings), Games(settings, 1)
  ring = host_ring.HostRing(settings)
  for t in range(300):
    row = games.step(['terminated' if t % 7 == 3 else '', ''])
    naive.rows.append(row)
    ring.add(row)
  expected = naive.transitions()
  ids = np.random.default_rng(0).integers(ring.ids.start, ring.ids.stop, 64)
  batch = stacking.stacked_on_host(ring.batch(ids), 1)
  for k, transition in enumerate(ids.tolist()):
    np.testing.assert_array_equal(batch.s_tm1[k], expected[transition][0])
    np.testing.assert_array_equal(batch.s_t[k], expected[transition][4])


def test_ids_are_drawn_uniformly():
  ring, _ = filled(image_settings(2, n_step=2), 13)
  ids = host_ring.uniform(np.random.default_rng(0), ring.ids, (17, 1000))
  # 9 of 13 rows are kept, and the newest begins no window of two.
  assert ring.ids == range(4 * ENVS, 12 * ENVS)
  assert ids.shape == (17, 1000)
  count = np.bincount(ids.reshape(-1), minlength=24)
  assert len(count) == 24 and (count[:8] == 0).all()
  chi_square = ((count[8:] - 17_000 / 16) ** 2 / (17_000 / 16)).sum()
  assert chi_square < 37.7  # 99.9 % quantile for 15 degrees of freedom.


def test_samples_are_the_drawn_ids():
  ring, _ = filled(image_settings(2), 13)
  ids = host_ring.uniform(np.random.default_rng(5), ring.ids, (4,))
  expected = stacking.stacked_on_host(ring.batch(ids), 2)
  rng = np.random.default_rng(5)
  jax.tree.map(np.testing.assert_array_equal, ring.sample(rng, 4), expected)
  again = ring.sample(rng, 4)
  assert (again.s_tm1 != expected.s_tm1).any()  # The generator moved on.


@pytest.mark.parametrize('n_step', (1, 3))
def test_the_twin_on_the_device_holds_the_same(n_step):
  """To the bit: a learner may not tell where its replay is."""
  settings = dataclasses.replace(
    image_settings(1), n_step=n_step, discount=0.97
  )
  ring, games = host_ring.HostRing(settings), Games(settings, 4)
  spaces = settings.spaces
  device = DeviceRing(
    settings.num_rows,
    1024,
    n_step,
    settings.discount,
    jax.ShapeDtypeStruct(spaces.observation_shape, spaces.observation_dtype),
  )
  state, sent, add = None, 0, jax.jit(device.add)
  for t in range(21):
    row = games.step(
      ['terminated' if t % 4 == 3 else '', 'truncated' if t % 6 == 1 else '']
    )
    row = row._replace(r_t=games.rng.normal(size=ENVS).astype(np.float32))
    state = device.init(row.a_tm1) if state is None else state
    counters = Counters(*(jnp.array(x) for x in (0, 0, t, 0)))
    state = add(state, counters, row)
    ring.add(row)
    sent = t + 1
  counters = Counters(*(jnp.array(x) for x in (0, 0, sent, 0)))
  theirs = device.sample(jax.random.PRNGKey(0), state, counters)
  ours = stacking.stacked_on_host(ring.batch(np.array(ring.ids)), 1)

  def content(batch):
    return {
      tuple(np.asarray(x)[k].tobytes() for x in batch)
      for k in range(len(batch.r_t))
    }

  # 1024 draws of at most 18 transitions miss none.
  assert content(theirs) == content(ours)
  assert ring.num_stored == len(content(ours))


@pytest.mark.parametrize('compress', (False, True))
def test_a_loaded_ring_goes_on_as_if_never_saved(tmp_path, compress):
  settings = image_settings(4, n_step=2, compress=compress)
  ring, games = filled(settings, 31, fill='own')
  ring.save(tmp_path)
  loaded = host_ring.load(tmp_path, settings)
  for t in range(60):  # Rows of the past are overwritten, and more.
    one, other = (r.sample(np.random.default_rng(t), 8) for r in (ring, loaded))
    jax.tree.map(np.testing.assert_array_equal, one, other)
    row = games.step(['', 'terminated' if t % 7 == 2 else ''])
    ring.add(row)
    loaded.add(row)
  assert list(ring._frames._chunks) == list(loaded._frames._chunks)


def test_an_empty_ring_is_saved_too(tmp_path):
  ring = host_ring.HostRing(VECTORS)
  ring.save(tmp_path / 'new' / 'folder')
  loaded = host_ring.load(tmp_path / 'new' / 'folder', VECTORS)
  assert loaded.num_stored == 0
  filled(VECTORS, 3, ring=loaded)
  assert loaded.num_stored == 3 * ENVS


@pytest.mark.parametrize('compress', (False, True))
def test_what_was_saved_of_a_copy_does_not_change(tmp_path, compress):
  settings = image_settings(3, compress=compress)
  ring, games = filled(settings, 21)
  before = ring.sample(np.random.default_rng(0), 16)
  snapshot = ring.copy()
  for _ in range(30):
    ring.add(games.step(['', '']))
  snapshot.save(tmp_path)
  loaded = host_ring.load(tmp_path, settings)
  after = loaded.sample(np.random.default_rng(0), 16)
  jax.tree.map(np.testing.assert_array_equal, before, after)


@pytest.mark.parametrize('compress', (False, True))
def test_two_copies_go_their_own_ways(compress):
  settings = image_settings(2, compress=compress)
  ring, games = filled(settings, 12)
  # Both go on in a chunk that this ring has begun, with other frames.
  rings = [ring.copy(), ring.copy()]
  newest = []
  for one, seed in zip(rings, (5, 6), strict=True):
    branch = Games(settings, seed)
    branch.stacks = [list(s) for s in games.stacks]
    for _ in range(2):
      row = branch.step(['', ''])
      one.add(row)
    newest.append(row)
  for one, row in zip(rings, newest, strict=True):
    batch = stacking.stacked_on_host(one.batch(np.array(one.ids)[-ENVS:]), 2)
    np.testing.assert_array_equal(batch.s_t, row.s_t)


def test_frames_are_shared_between_copies_and_dropped():
  """By bytes: 704 frames of a kilobyte, of which a copy takes a chunk."""
  spaces = Spaces((32, 32, 2), np.uint8, Discrete(2))
  settings = HostReplaySpec(
    capacity=640, num_envs=ENVS, spaces=spaces, discount=GAMMA, stack=2
  )
  ring, games = filled(settings, 1000)
  chunk = settings.chunk_frames * settings.frame_bytes
  # One frame a transition, and one more an episode: every fifth row, one of
  # two environments ends its own.
  frames = 640 * (1 + 1 / 10) * 1024
  assert 0 <= ring._frames.nbytes - frames <= 4 * chunk
  other = ring.copy()
  shared = [
    x is other._frames._chunks[k] for k, x in ring._frames._chunks.items()
  ]
  assert shared.count(False) <= 1
  assert len(shared) > 60


def test_compressed_frames_take_less():
  spaces = Spaces((32, 32, 4), np.uint8, Discrete(2))
  plain = HostReplaySpec(
    capacity=1000, num_envs=1, spaces=spaces, discount=GAMMA, stack=4
  )
  held = {}
  for compress in (False, True):
    ring = host_ring.HostRing(dataclasses.replace(plain, compress=compress))
    picture = np.arange(1024, dtype=np.uint8).reshape(32, 32)
    stack = [picture] * 4
    for t in range(1000):
      s_tm1 = np.stack(stack, -1)[None]
      stack = [*stack[1:], np.roll(picture, t, 1)]
      ring.add(
        Row(
          s_tm1,
          np.zeros(1, np.int32),
          np.zeros(1),
          np.ones(1),
          np.stack(stack, -1)[None],
          np.zeros(1, bool),
        )
      )
    held[compress] = ring._frames.nbytes
  assert held[False] > 1000 * 1024
  assert held[True] < held[False] / 5


# --- What is refused.


@pytest.mark.parametrize(
  ('changes', 'message'),
  (
    ({'s_tm1': np.zeros((2, 3), np.float64)}, 's_tm1 is float64'),
    ({'s_t': np.zeros((1, 3), np.float32)}, r's_t is float32\[1, 3\]'),
    ({'a_tm1': np.zeros((2,), np.float32)}, r'expected float32\[2, 2\]'),
    ({'r_t': np.zeros((2, 1))}, 'r_t is'),
    ({'last': np.zeros((2,), np.float32)}, 'expected bool'),
  ),
)
def test_arrays_that_do_not_fit_are_refused(changes, message):
  ring, games = filled(VECTORS, 3)
  row = games.step(['', ''])
  with pytest.raises(UserError, match=message):
    ring.add(row._replace(**changes))
  ring.add(row)  # The ring is as it was.
  assert ring.num_stored == 8


@pytest.mark.parametrize('pixel', range(3))
def test_observations_that_are_no_stacks_are_refused(pixel):
  ring, games = filled(image_settings(4), 3)
  row = games.step(['', ''])
  s_t = row.s_t.copy()
  s_t[1, 2, 1, pixel] ^= 1  # One of its older frames is another one.
  with pytest.raises(UserError, match='not stacks of 4 frames'):
    ring.add(row._replace(s_t=s_t))


def test_a_row_that_does_not_follow_is_refused():
  settings = image_settings(4)
  ring, _ = filled(settings, 3)
  other = Games(settings, 77)
  with pytest.raises(UserError, match='no episode ended between'):
    ring.add(other.step(['', '']))
  ring.end_episodes()
  ring.add(other.step(['', '']))


def test_an_empty_ring_cannot_be_sampled():
  ring, _ = filled(image_settings(1, n_step=3), 2)
  with pytest.raises(ValueError, match='no transition'):
    ring.sample(np.random.default_rng(0), 1)


def test_another_replay_is_refused_with_what_differs(tmp_path):
  settings = image_settings(4)
  filled(settings, 3)[0].save(tmp_path)
  other = dataclasses.replace(settings, n_step=2, discount=0.9)
  with pytest.raises(
    UserError, match='discount is 0.5 there and 0.9 here; n_step is 1 there'
  ):
    host_ring.load(tmp_path, other)
  with pytest.raises(UserError, match='no saved replay'):
    host_ring.load(tmp_path / 'nowhere', settings)


def test_a_file_cut_short_is_refused(tmp_path):
  settings = image_settings(4)
  filled(settings, 30)[0].save(tmp_path)
  path = tmp_path / 'frames.bin'
  path.write_bytes(path.read_bytes()[:-1])
  with pytest.raises(UserError, match='shorter'):
    host_ring.load(tmp_path, settings)
