"""Faults in users' environments in JAX."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/environments/'
_TESTS = 'tests/environments/custom_jax_'
_ENDS = _TESTS + 'interfaces_test.py::test_'

MUTANTS = (
  Mutant(
    'truncated-is-terminated-gymnax',
    _ROOM + 'custom_jax_interfaces.py',
    "      terminated = done & self._flag('done', without[3])\n",
    '',
    (_ENDS + 'termination_and_truncation_are_told_apart',),
    'gymnax before 1.0, which folds both into done',
  ),
  Mutant(
    'both-at-once-is-a-truncation-gymnax',
    _ROOM + 'custom_jax_interfaces.py',
    "    terminated = self._flag('terminated', terminated)\n"
    "    truncated = self._flag('truncated', truncated) & ~terminated\n",
    "    truncated = self._flag('truncated', truncated)\n"
    "    terminated = self._flag('terminated', terminated) & ~truncated\n",
    (_ENDS + 'termination_and_truncation_are_told_apart',),
  ),
  Mutant(
    'truncated-is-terminated-brax',
    _ROOM + 'custom_jax_interfaces.py',
    'done & ~truncated, done & truncated',
    'done, done & truncated',
    (_ENDS + 'the_limit_of_brax',),
    'the done of EpisodeWrapper, which holds both',
  ),
  Mutant(
    'last-observation-is-of-the-next-episode-gymnax',
    _ROOM + 'custom_jax_interfaces.py',
    "      return info['final_observation']\n",
    '      return observation\n',
    (_ENDS + 'the_last_observation_is_that_of_the_episode',),
    'wrappers around environments that reset themselves',
  ),
  Mutant(
    'a-wrapper-is-passed-by',
    _ROOM + 'custom_jax_interfaces.py',
    "hasattr(type(env), 'step_env')",
    "hasattr(env, 'step_env')",
    (_TESTS[:-1] + '_test.py::test_options_that_do_not_fit',),
    'step_env of the environment inside, by __getattr__',
  ),
  Mutant(
    'states-of-another-dtype-are-taken',
    _ROOM + 'custom_jax.py',
    '    if _form(before) != _form(after):\n',
    '    if before.shape != after.shape:\n',
    (_TESTS[:-1] + '_test.py::test_refused_in_a_line',),
  ),
)
