"""Faults in environments on the host."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/environments/'
_TESTS = 'tests/environments/'
_LANES = _TESTS + 'vector_test.py::test_'
_ATARI = _TESTS + 'atari_test.py::test_'
_DMC = _TESTS + 'dmc_test.py::test_'
_FOREIGN = _TESTS + 'custom_test.py::test_'
_COPY = _DMC + 'a_copy_goes_on_to_the_bit'

MUTANTS = (
  # --- The ends of episodes.
  Mutant(
    'truncated-is-terminated-atari',
    _ROOM + 'atari.py',
    '      np.where(zero, 0, 1).astype(np.float32),\n',
    '      np.where(zero | last, 0, 1).astype(np.float32),\n',
    (_ATARI + 'truncation_is_not_termination',),
    "envpool's own discount",
  ),
  Mutant(
    'truncated-is-terminated-gymnasium',
    _ROOM + 'custom_adapters.py',
    'float(not terminated)',
    'float(not (terminated or truncated))',
    (_FOREIGN + 'gymnasium_termination_truncation_and_offset_of_actions',),
    'many agents of before gym 0.26',
  ),
  Mutant(
    'last-observation-is-of-the-next-episode',
    _ROOM + 'vector.py',
    '      following = observation.copy()\n',
    '      following = observation\n',
    (_LANES + 'ends_of_episodes',),
    'vector environments that reset by themselves',
  ),
  Mutant(
    'last-observation-is-of-the-next-episode-atari',
    _ROOM + 'atari.py',
    '      following = observation.copy()\n',
    '      following = observation\n',
    (_ATARI + 'observations_are_stacks_of_gray_frames',),
  ),
  Mutant(
    'stack-across-episodes',
    _ROOM + 'vector.py',
    """  def reset(self) -> None:
    self._stack = None
    self._env.reset()
""",
    """  def reset(self) -> None:
    self._env.reset()
""",
    (_LANES + 'stack_is_newest_last_and_of_one_episode',),
  ),
  Mutant(
    'repeat-goes-on-into-the-next-episode',
    _ROOM + 'vector.py',
    '      if last:\n        break\n',
    '',
    (_LANES + 'repeat_and_limit_as_told_naively',),
  ),
  # --- The protocol of Atari.
  Mutant(
    'rewards-clipped-in-evaluation',
    _ROOM + 'atari.py',
    'clip_rewards=clip_rewards and not evaluation',
    'clip_rewards=clip_rewards',
    (_ATARI + 'learning_and_evaluation_differ_by_protocol_alone',),
  ),
  Mutant(
    'lost-life-counts-in-evaluation',
    _ROOM + 'atari.py',
    'zero_discount_on_life_loss and not evaluation',
    'zero_discount_on_life_loss',
    (_ATARI + 'learning_and_evaluation_differ_by_protocol_alone',),
  ),
  # --- What a copy of MuJoCo consists of.
  Mutant(
    'copy-without-the-solvers-start',
    _ROOM + 'dmc.py',
    'mjSTATE_INTEGRATION',
    'mjSTATE_FULLPHYSICS',
    (_COPY + '[quadruped_run]',),
    "dm_control's physics.get_state",
  ),
  Mutant(
    'copy-without-the-model',
    _ROOM + 'dmc.py',
    "    self._set_model(state['model'])\n",
    '',
    (_COPY + '[reacher_hard]',),
  ),
  Mutant(
    'copy-without-the-gaussian-in-store',
    _ROOM + 'dmc.py',
    'int(place), int(has_gauss),\n',
    'int(place), 0,\n',
    (_COPY + '[dog_stand]',),
  ),
  Mutant(
    'copy-without-the-time-limit',
    _ROOM + 'dmc.py',
    "    self.env._step_count = int(state['episode_steps'])\n",
    '',
    (_DMC + 'a_copy_knows_how_long_the_episode_is',),
  ),
)
