"""Faults in how updates are spread over devices."""

from tests.mutants.mutant import Mutant

_BASE = 'plasticity_rl/agents/base.py'
_SHARD = 'plasticity_rl/shard.py'
_TESTS = 'tests/learner/parallel_test.py::test_'
_EQUAL = (_TESTS + 'devices_together_do_what_one_does_with_the_whole_batch',)

MUTANTS = (
    Mutant(
        'gradients-not-averaged', _BASE,
        'gradients = average(gradients, net.shard)\n', 'pass\n',
        _EQUAL,
    ),
    Mutant(
        'noise-by-place-in-the-share', _SHARD,
        'return self.of(example_keys(key, size * self.count))',
        'return example_keys(key, size)',
        _EQUAL,
    ),
    Mutant(
        'sum-for-mean', _SHARD,
        'jax.lax.pmean(tree, self.axis)', 'jax.lax.psum(tree, self.axis)',
        _EQUAL,
    ),
)
