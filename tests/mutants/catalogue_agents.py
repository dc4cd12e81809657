"""Faults in SAC, DrQ, and in ensembles."""

from tests.mutants.mutant import Mutant

_SAC = 'plasticity_rl/agents/sac.py'
_SAC_TEST = 'tests/agents/sac_test.py::test_'
_DRQ_TEST = 'tests/agents/drq_test.py::test_'
_ENSEMBLE = 'tests/networks/ensemble_test.py::test_'
_ENSEMBLES = 'tests/interventions/ensembles_test.py::test_'

MUTANTS = (
  Mutant(
    'target-by-a-weighted-sum',
    'plasticity_rl/agents/base.py',
    '      lambda t, o: t + tau * (o - t), state.target, state.params\n',
    '      lambda t, o: (1 - tau) * t + tau * o, state.target, state.params\n',
    (_SAC_TEST + 'the_target_moves_by_tau_and_stays_where_equal',),
    'optax.incremental_update',
  ),
  Mutant(
    'entropy-beyond-a-termination',
    _SAC,
    'else batch.r_t + batch.discount_t * mean',
    'else batch.r_t + 0.99 * mean',
    (_SAC_TEST + 'losses_by_hand[True]',),
  ),
  Mutant(
    'largest-value-counts',
    _SAC,
    'total += outputs.min(-1) - cost',
    'total += outputs.max(-1) - cost',
    (_SAC_TEST + 'losses_by_hand[True]',),
  ),
  Mutant(
    'density-without-the-slope-of-tanh',
    'plasticity_rl/agents/squashed_gaussian.py',
    '  return jnp.tanh(u), (log_normal - log_slope).sum(-1)\n',
    '  return jnp.tanh(u), log_normal.sum(-1)\n',
    (_SAC_TEST + 'log_probability_is_that_of_the_density',),
  ),
  Mutant(
    'actor-against-the-old-critic',
    _SAC,
    'return self._actor_loss(new, inputs, s_tm1[0], noise[:, -1]), inputs',
    'return self._actor_loss(old, inputs, s_tm1[0], noise[:, -1]), inputs',
    (_SAC_TEST + 'an_update_descends_in_order',),
  ),
  Mutant(
    'temperature-the-wrong-way',
    _SAC,
    '    excess = jax.lax.stop_gradient(-log_pi - self._target_entropy)\n',
    '    excess = jax.lax.stop_gradient(log_pi + self._target_entropy)\n',
    (_SAC_TEST + 'temperature_rises_where_entropy_is_too_low[50.0-True]',),
  ),
  Mutant(
    'noise-by-the-size-of-the-batch',
    'plasticity_rl/shard.py',
    """  return jax.vmap(jax.random.fold_in, in_axes=(None, 0))(
      key, jnp.arange(count)
  )
""",
    '  return jax.random.split(jax.random.fold_in(key, count), count)\n',
    (_SAC_TEST + 'noise_is_each_examples_own',),
  ),
  Mutant(
    'shift-around-the-edge',
    'plasticity_rl/agents/random_shift.py',
    'jnp.clip(jnp.arange(size) + offset - pad, 0, size - 1)',
    '(jnp.arange(size) + offset - pad) % size',
    (_DRQ_TEST + 'shift_is_a_crop_of_the_padded_image[uint8-1]',),
  ),
  Mutant(
    'shift-never-the-last',
    'plasticity_rl/agents/random_shift.py',
    'jax.random.randint(key, (2,), 0, 2 * pad + 1)',
    'jax.random.randint(key, (2,), 0, 2 * pad)',
    (_DRQ_TEST + 'shifts_are_uniform_and_each_images_own',),
  ),
  Mutant(
    'targets-train-the-encoder',
    _SAC,
    """    return jax.lax.stop_gradient(
      mean""",
    """    return (
      mean""",
    (_SAC_TEST + 'a_loss_moves_its_own_network_alone',),
  ),
  Mutant(
    'members-drawn-alike',
    'plasticity_rl/networks/ensemble.py',
    '          jax.random.split(key, members), x\n',
    '          jnp.stack([key] * members), x\n',
    (
      _SAC_TEST + 'members_are_drawn_independently',
      _ENSEMBLE + 'it_computes_what_its_members_do[1-unrolled]',
    ),
  ),
  Mutant(
    'members-feed-each-other',
    'plasticity_rl/layers.py',
    '          None in (x.member, layer.member) or x.member == layer.member\n',
    '          True\n',
    (
      _ENSEMBLE + 'what_feeds_what',
      _ENSEMBLES + 'redo_recycles_dead_units_of_one_member[sac_mlp]',
    ),
  ),
  Mutant(
    'every-member-written',
    'plasticity_rl/layers.py',
    'jnp.asarray(whole).at[layer.member].set(own)',
    'jnp.broadcast_to(own, whole.shape)',
    (_ENSEMBLES + 'layers_are_read_and_written_by_member[sac_mlp]',),
  ),
  Mutant(
    'actions-taken-for-units',
    'plasticity_rl/methods/units.py',
    '    fed = by_input[:by_input.size - follower.side_inputs]\n',
    '    fed = by_input[follower.side_inputs:]\n',
    (_ENSEMBLES + 'side_inputs_are_no_units',),
  ),
  Mutant(
    'temperature-not-reset',
    'plasticity_rl/interventions/reset.py',
    "  if scope in ('all_but_encoder', 'everything') and nets is None:\n",
    "  if scope == 'all_but_encoder' and nets is None:\n",
    (
      'tests/properties/interventions_test.py::'
      'test_nothing_but_networks_changes'
      '[sac_mlp-fresh-reset(scope="everything")]',
    ),
  ),
)
