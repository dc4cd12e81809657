"""Faults to plant in the loop of the host."""

from tests.mutants.mutant import Mutant

_DATA = 'plasticity_rl/training/host_data_source.py'
_LOOP = 'plasticity_rl/training/host_segment.py'
_TRAINER = 'plasticity_rl/training/host_trainer.py'
_TESTS = 'tests/training/host_trainer_test.py::test_'

MUTANTS = (
  Mutant(
    'environments-not-put-back',
    _DATA,
    '      if not is_current:\n',
    '      if self._current is None:\n',
    (_TESTS + 'the_data_of_a_state_are_what_a_segment_starts_from',),
  ),
  Mutant(
    'emulators-go-on-through-a-checkpoint',
    _DATA,
    '    if is_current and step % self._save_every:\n',
    '    if is_current:\n',
    (_TESTS + 'a_run_resumed_is_the_run_that_never_stopped',),
  ),
  Mutant(
    'episodes-spliced-where-emulators-are-begun',
    _DATA,
    '      replay.end_episodes()\n',
    '      replay.num_stored\n',
    (_TESTS + 'a_run_resumed_is_the_run_that_never_stopped',),
  ),
  Mutant(
    'returns-go-on-through-episodes',
    _LOOP,
    '    returns[result.last] = 0\n',
    '',
    (_TESTS + 'returns_are_of_whole_episodes',),
  ),
  Mutant(
    'next-episode-stored-as-the-last-observation',
    _LOOP,
    '            result.observation, result.last,\n',
    '            result.next_observation, result.last,\n',
    (_TESTS + 'it_is_the_naive_loop',),
  ),
  Mutant(
    'overlapping-updates-act-at-once',
    _LOOP,
    '    if due and not overlap and self._is_ready():\n',
    '    if due and self._is_ready():\n',
    (_TESTS + 'it_is_the_naive_loop',),
  ),
  Mutant(
    'a-replay-shared-by-replicates',
    _TRAINER,
    '    replays = HostReplays([replay.copy() for _ in range(count)])\n',
    '    replays = HostReplays([replay for _ in range(count)])\n',
    (_TESTS + 'a_seed_is_continued_with_keys_of_its_own',),
  ),
  Mutant(
    'statistics-of-the-first-batch-alone',
    'plasticity_rl/training/running_statistics.py',
    "      'mean': statistics['mean'] + delta * (added / total)[ones],\n",
    "      'mean': statistics['mean'] + delta,\n",
    (_TESTS + 'the_normaliser_is_the_mean_and_variance_of_all',),
  ),
)
