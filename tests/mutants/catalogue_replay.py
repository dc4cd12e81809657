"""Faults in the replays on the host and on the device."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/replay/'
_RING = _ROOM + 'host_ring.py'
_FRAMES = _ROOM + 'frames.py'
_STACKING = _ROOM + 'stacking.py'
_TESTS = 'tests/replay/host_ring_test.py::test_'
_LIST = (_TESTS + 'holds_what_a_list_would_hold[False]',)
_COMPRESSED = (_TESTS + 'holds_what_a_list_would_hold[True]',)

_DEVICE = _ROOM + 'device_ring.py'
_ENDS = _ROOM + 'episode_ends.py'
_EARLIER = _ROOM + 'earlier_layout.py'
_DEVICE_LIST = (
  'tests/replay/device_ring_test.py::test_samples_what_a_list_would_give'
  '[1-3-4-bits]',
)
_PLACES = (
  'tests/replay/episode_ends_test.py::'
  'test_ends_that_are_held_together_have_places_of_their_own',
)

MUTANTS = (
  Mutant(
    'stack-across-a-border',
    _RING,
    '    self._begins[:] = row.last\n',
    '    self._begins[:] = False\n',
    _LIST,
  ),
  Mutant(
    'truncation-taken-for-termination',
    _RING,
    "settings.discount * columns['discount_t'][at], 1\n",
    "settings.discount * ~columns['last'][at], 1\n",
    _LIST,
    'many a buffer of `done` alone',
  ),
  Mutant(
    'last-observation-of-the-next-episode',
    _RING,
    '    slots = self._slots(places, env)\n',
    '    slots = self._slots(places, env)\n'
    '    following = (row + 1) % settings.num_rows\n'
    '    after = self._slots(following, env)[:, -2:-1]\n'
    '    slots = np.where(\n'
    '        (row + 1 < self._stored)[:, None] & (np.arange(\n'
    '            slots.shape[1]) == settings.stack), after, slots)\n',
    _LIST,
    'buffers that keep `next_obs` at the next place',
  ),
  Mutant(
    'rewards-of-the-next-episode',
    _RING,
    "      alive &= ~columns['last'][at]\n",
    '',
    _LIST,
  ),
  Mutant(
    'oldest-row-left-out',
    _RING,
    'self._stored - self.settings.num_rows)',
    'self._stored - self.settings.num_rows + 1)',
    _LIST,
  ),
  Mutant(
    'window-beyond-the-newest-row',
    _RING,
    'self._stored - self.settings.n_step + 1) * envs',
    'self._stored) * envs',
    _LIST,
  ),
  Mutant(
    'first-stack-always-of-copies',
    _STACKING,
    '        frames[k].tobytes() != frames[k - 1].tobytes()\n',
    '        False\n',
    _LIST,
  ),
  Mutant(
    'frames-dropped-too-early',
    _FRAMES,
    '    number = before // self._chunk_frames\n',
    '    number = before // self._chunk_frames + 1\n',
    _LIST,
  ),
  Mutant(
    'frames-never-dropped',
    _FRAMES,
    '      self._chunks.pop(passed, None)\n',
    '      self._chunks.get(passed, None)\n',
    (_TESTS + 'frames_are_shared_between_copies_and_dropped',),
  ),
  Mutant(
    'open-chunk-shared-by-copies',
    _FRAMES,
    '      other._chunks[number] = self._chunks[number].copy()\n',
    '      other._chunks[number] = self._chunks[number]\n',
    (_TESTS + 'two_copies_go_their_own_ways[True]',),
  ),
  Mutant(
    'small-frames-left-sorted',
    _FRAMES,
    '    unsorted[order] = frames\n',
    '    unsorted[:] = frames\n',
    (_TESTS + 'vectors_of_small_chunks_are_found',),
  ),
  Mutant(
    'chunk-compressed-before-it-is-full',
    _FRAMES,
    '      if end == self._chunk_frames:\n',
    '      if end >= self._chunk_frames - 1:\n',
    _COMPRESSED,
  ),
  Mutant(
    'newest-frame-first-in-jit',
    _STACKING,
    '    frames = jnp.moveaxis(frames, axis, -2)\n',
    '    frames = jnp.moveaxis(jnp.flip(frames, axis), axis, -2)\n',
    (_TESTS + 'stacking_inside_jit_is_stacking_on_the_host[stacks]',),
  ),
  # --- On the device.
  Mutant(
    'device-last-observation-of-the-next-episode',
    _DEVICE,
    'first + final + 1, env, ~alive)',
    'first + final + 1, env, False)',
    _DEVICE_LIST,
  ),
  Mutant(
    'ends-overwritten-by-rows-without-one',
    _DEVICE,
    'jnp.where(last, s_t, kept)',
    's_t',
    _DEVICE_LIST,
  ),
  Mutant(
    'first-observation-of-an-episode-not-written',
    _DEVICE,
    'write(write(x, s_tm1, here), s_t, after)',
    'write(x, s_t, after)',
    _DEVICE_LIST,
  ),
  Mutant(
    'a-switch-shares-the-place-of-an-end',
    _ENDS,
    '    if not self.rows_per_task:\n      return within\n',
    '    if True:\n      return within\n',
    _PLACES,
  ),
  Mutant(
    'a-place-too-few-for-ends',
    _ENDS,
    '(self.num_rows - 2) // self._block + 2',
    '(self.num_rows - 2) // self._block + 1',
    _PLACES,
  ),
  Mutant(
    'ends-lost-in-earlier-checkpoints',
    _EARLIER,
    '  observations[seed, ends[i], env] = s_t[seed, rows[i], env]\n',
    '',
    (
      'tests/replay/earlier_layout_test.py::'
      'test_holds_the_same_rows_and_goes_on[20-bits]',
    ),
  ),
)
