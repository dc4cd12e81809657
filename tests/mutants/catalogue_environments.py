"""Faults in environments on the host."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/environments/'
_TESTS = 'tests/environments/'
_LANES = _TESTS + 'vector_test.py::test_'
_ATARI = _TESTS + 'atari_test.py::test_'
_DMC = _TESTS + 'dmc_test.py::test_'
_RETURNS = _TESTS + 'custom_adapters_test.py::test_'
_TRIAL = _TESTS + 'custom_trial_test.py::test_'
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
  # --- What users' environments return.
  Mutant(
    'copy-of-a-users-environment-is-not-compared',
    _ROOM + 'custom_trial.py',
    '  if difference:\n    raise EnvironmentFaultError(\n',
    '  if False:\n    raise EnvironmentFaultError(\n',
    (_TRIAL + 'a_copy_that_goes_on_differently_is_refused_at_once',),
  ),
  Mutant(
    'one-seed-for-both-of-a-trial',
    _ROOM + 'custom_trial.py',
    '_SEEDS = (1, 2)\n',
    '_SEEDS = (1, 1)\n',
    (_TRIAL + 'environments_that_draw_from_their_seeds_are_not',),
  ),
  Mutant(
    'as-many-numbers-in-another-order',
    _ROOM + 'custom_values.py',
    'if [n for n in array.shape if n != 1] != [n for n in shape if n != 1]:\n',
    'if array.size != np.prod(shape):\n',
    (_RETURNS + 'observations_that_are_not_of_their_space',),
  ),
  Mutant(
    'discrete-observation-out-of-range',
    _ROOM + 'custom_values.py',
    '    or not (low <= int(array.reshape(())) <= high)\n',
    '',
    (_RETURNS + 'observations_that_are_not_of_their_space',),
  ),
  Mutant(
    'generator-without-what-it-spawns-from',
    _ROOM + 'custom_state.py',
    '  if type(sequence) is not np.random.SeedSequence:\n',
    '  if sequence:\n',
    (_TESTS + 'custom_state_test.py::test_generators_go_on',),
  ),
  Mutant(
    'lists-among-arguments-become-tuples',
    'plasticity_rl/settings/arguments.py',
    '    return {_LIST: [_to_json(one) for one in value]}\n',
    '    return [_to_json(one) for one in value]\n',
    (
      'tests/settings/arguments_test.py::'
      'test_they_come_back_from_json_as_they_were',
    ),
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
