"""Faults in how updates are spread over devices, in parts, and compiled."""

from tests.mutants.mutant import Mutant

_BASE = 'plasticity_rl/agents/base.py'
_SHARD = 'plasticity_rl/shard.py'
_PRECISION = 'plasticity_rl/networks/precision.py'
_IN_BFLOAT16 = 'tests/networks/precision_test.py::test_'
_TESTS = 'tests/distributed/parallel_test.py::test_'
_EQUAL = (_TESTS + 'devices_together_do_what_one_does_with_the_whole_batch',)

MUTANTS = (
  Mutant(
    'gradients-not-averaged',
    _BASE,
    'gradients = average(gradients, shard)\n',
    'pass\n',
    _EQUAL,
  ),
  Mutant(
    'noise-by-place-in-the-share',
    _SHARD,
    'return self.of(example_keys(key, size * self.count))',
    'return example_keys(key, size)',
    _EQUAL,
  ),
  Mutant(
    'sum-for-mean',
    _SHARD,
    'jax.lax.pmean(tree, self.axis)',
    'jax.lax.psum(tree, self.axis)',
    _EQUAL,
  ),
  Mutant(
    'all-leaves-on-the-wire',
    _BASE,
    # (Of gradients alone, XLA would drop what nobody reads.)
    'return apply_gradients(net, state, gradients, **told), metrics, outputs',
    'state = state._replace(params=shard.mean(state.params))\n'
    '  return apply_gradients(net, state, gradients, **told), metrics, outputs',
    (_TESTS + 'what_learns_crosses_the_wire_and_nothing_else',),
  ),
  Mutant(
    'sum-over-parts-of-a-batch',
    _BASE,
    'jax.tree.map(lambda x: x / count, total),',
    'total,',
    _EQUAL,
  ),
  Mutant(
    'a-batch-in-one-part',
    _BASE,
    'data, math.gcd(net.microbatches, size)',
    'data, 1',
    (_TESTS + 'parts_of_a_batch_are_taken_one_after_the_other',),
  ),
  Mutant(
    'products-of-float32',
    _PRECISION,
    'apply(*policy.cast_to_compute((params, x)))',
    'apply(params, x)',
    (_IN_BFLOAT16 + 'products_are_of_bfloat16',),
  ),
  Mutant(
    'outputs-of-bfloat16',
    _PRECISION,
    'output_dtype=jnp.float32',
    'output_dtype=jnp.bfloat16',
    (_IN_BFLOAT16 + 'outputs_are_close_and_float32',),
  ),
)
