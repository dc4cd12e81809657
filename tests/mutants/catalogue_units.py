"""Faults in interventions on units and on single weights."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/interventions/'
_METHODS = 'plasticity_rl/methods/'
_UNITS = 'tests/methods/units_test.py::test_'
_REDO = 'tests/interventions/redo_test.py::test_'
_CBP = 'tests/interventions/continual_backprop_test.py::test_'
_SNR = 'tests/interventions/self_normalized_resets_test.py::test_'
_FIRE = 'tests/methods/fire_test.py::test_'
_GRAMA = 'tests/measures/gradients_test.py::test_'
_REGRAMA = 'tests/interventions/regrama_test.py::test_'
_SWR = 'tests/methods/selective_weight_reinitialization_test.py::test_'
_CPR = 'tests/interventions/continuous_partial_resets_test.py::test_'
_WEIGHTS = 'tests/interventions/weights_test.py::test_'

MUTANTS = (
  # --- Recycling units.
  Mutant(
    'repeat-for-tile',
    _METHODS + 'units.py',
    '  by_feature = jnp.tile(by_feature, positions)\n',
    '  by_feature = jnp.repeat(by_feature, positions)\n',
    (
      _REDO + 'dead_units_are_recycled_and_outputs_stay[conv-fresh]',
      _UNITS + 'incoming_and_outgoing_weights[conv]',
    ),
    'Dopamine ReDo',
  ),
  Mutant(
    'outgoing-weights-not-zeroed',
    _METHODS + 'recycle.py',
    '        lambda m, p: jnp.where(m, 0, p), weights.outgoing, plain\n',
    '        lambda m, p: p, weights.outgoing, plain\n',
    (_REDO + 'dead_units_are_recycled_and_outputs_stay[mlp-fresh]',),
  ),
  Mutant(
    'outgoing-zeroed-before-incoming-drawn',
    _METHODS + 'recycle.py',
    """    plain = select(weights.incoming, fresh, plain)
    without = jax.tree.map(
        lambda m, p: jnp.where(m, 0, p), weights.outgoing, plain
    )
""",
    """    without = jax.tree.map(
        lambda m, p: jnp.where(m, 0, p), weights.outgoing, plain
    )
    without = select(weights.incoming, fresh, without)
""",
    (
      _UNITS + 'recycling_changes_the_units_weights_and_nothing_else'
      '[mlp-fresh-keep]',
    ),
  ),
  Mutant(
    'recycling-leaves-the-target',
    _METHODS + 'recycle.py',
    """      target=None if state.target is None else fill(state.target),
      opt_state=reset_moments(state.opt_state, weights.either, count=count),
""",
    """      target=state.target,
      opt_state=reset_moments(state.opt_state, weights.either, count=count),
""",
    (_REDO + 'dead_units_are_recycled_and_outputs_stay[mlp-fresh]',),
  ),
  Mutant(
    'redrawn-from-another-layers-initialiser',
    _METHODS + 'recycle.py',
    """  fresh = draw(key, init, plain)
  weights = weights_of(""",
    """  fresh = jax.tree.map(
      lambda x: x if x.ndim == 1 else 0.5 * jax.random.truncated_normal(
          key, -2, 2, x.shape), draw(key, init, plain))
  weights = weights_of(""",
    (
      _UNITS + 'incoming_weights_are_draws_of_their_own_layers_initialiser'
      '[mlp]',
    ),
  ),
  Mutant(
    'frozen-heads-layer-recycled',
    _METHODS + 'units.py',
    '  return ~jnp.any(head.signs != 0)\n',
    '  return jnp.array(True)\n',
    (
      _REDO + 'dead_units_are_recycled_and_outputs_stay[mlp-injected]',
      _REDO + 'slots_seed_by_seed',
    ),
  ),
  Mutant(
    'thawed-heads-layer-recycled',
    _METHODS + 'units.py',
    '  if head.thawed:\n    return jnp.array(False)\n',
    '',
    (
      _UNITS + 'the_layer_that_feeds_other_heads_is_left_alone'
      '[mlp-summed-False]',
    ),
  ),
  Mutant(
    'recycled-moments-kept',
    _METHODS + 'moments.py',
    '        return jnp.where(m, jnp.zeros_like(leaf), leaf)\n',
    '        return leaf\n',
    (
      _UNITS + 'recycling_changes_the_units_weights_and_nothing_else'
      '[mlp-fresh-keep]',
    ),
  ),
  Mutant(
    'recycled-outgoing-moments-kept',
    _METHODS + 'recycle.py',
    'reset_moments(state.opt_state, weights.either, count=count)',
    'reset_moments(state.opt_state, weights.incoming, count=count)',
    (
      _UNITS + 'recycling_changes_the_units_weights_and_nothing_else'
      '[mlp-fresh-keep]',
    ),
  ),
  Mutant(
    'recycled-count-kept',
    _METHODS + 'moments.py',
    "    if count == 'reset' and is_count:\n",
    '    if False:\n',
    (_REDO + 'first_step_of_recycled_weights[reset-0.9-1.01]',),
    'Dopamine ReDo',
  ),
  Mutant(
    'thawed-heads-moments-zeroed',
    _METHODS + 'moments.py',
    "fields & {'frozen', 'signs', 'thawed'}",
    "fields & {'frozen', 'signs'}",
    (_UNITS + 'thawed_heads_keep_their_moments',),
  ),
  Mutant(
    'moments-of-another-block-zeroed',
    _METHODS + 'moments.py',
    '    leaves.sort(key=lambda leaf: -len(leaf[0]))\n',
    '    pass\n',
    (
      'tests/methods/libraries_test.py::test_'
      'blocks_of_the_same_layers_keep_their_moments_apart',
    ),
    'this code, until this test',
  ),
  Mutant(
    'recycled-start-not-remembered',
    _METHODS + 'recycle.py',
    '      else select(weights.incoming, fresh, state.initial)\n',
    '      else state.initial\n',
    (
      _UNITS + 'recycling_changes_the_units_weights_and_nothing_else'
      '[mlp-fresh-keep]',
    ),
  ),
  Mutant(
    'recycled-only-if-every-seed-has-one',
    _METHODS + 'recycle.py',
    'predicate.any(), jax.vmap(change)',
    'predicate.all(), jax.vmap(change)',
    (_CBP + 'compiled_calls_over_seeds_are_those_of_each',),
  ),
  Mutant(
    'dormancy-not-normalised',
    'plasticity_rl/measures/units.py',
    'activity / jnp.where(mean > 0, mean, 1)',
    'activity / 1',
    (_UNITS + 'unit_activity_by_hand',),
  ),
  Mutant(
    'dormancy-strictly-below',
    _METHODS + 'redo.py',
    '      <= tau\n',
    '      < tau\n',
    (_REDO + 'dead_units_are_recycled_and_outputs_stay[mlp-fresh]',),
  ),
  # --- Continual backprop.
  Mutant(
    'utility-not-corrected',
    _METHODS + 'continual_backprop.py',
    '  return own.utility / bias, ',
    '  return own.utility, ',
    (_CBP + 'a_young_unit_is_not_taken_for_a_useless_one',),
    'the public AdamGnT discards a correction',
  ),
  Mutant(
    'mean-activation-not-corrected',
    _METHODS + 'continual_backprop.py',
    'own.mean / _like(bias, own.mean)\n',
    'own.mean\n',
    (
      _CBP + 'constant_units_are_replaced_without_a_trace'
      '[conv-continual_backprop(rate=0.25, maturity=0)]',
    ),
  ),
  Mutant(
    'mean-activation-not-moved',
    _METHODS + 'base.py',
    'means=means or None,',
    'means=None,',
    (
      _CBP + 'constant_units_are_replaced_without_a_trace'
      '[conv-continual_backprop(rate=0.25, maturity=0)]',
    ),
  ),
  Mutant(
    'fraction-forgotten',
    _METHODS + 'continual_backprop.py',
    '  return chosen & eligible, due - number\n',
    '  return chosen & eligible, jnp.zeros_like(due)\n',
    (_CBP + 'fractions_are_accumulated',),
  ),
  Mutant(
    'most-useful-replaced',
    _METHODS + 'continual_backprop.py',
    'jax.lax.top_k(-jnp.where(eligible, utility, jnp.inf), most)',
    'jax.lax.top_k(jnp.where(eligible, utility, -jnp.inf), most)',
    (_CBP + 'the_least_useful_mature_units_are_chosen',),
  ),
  Mutant(
    'immature-units-replaced',
    _METHODS + 'continual_backprop.py',
    '(mine.age > maturity)\n',
    '(mine.age > 0)\n',
    (_CBP + 'units_are_safe_until_they_are_mature',),
  ),
  Mutant(
    'age-kept-at-replacement',
    _METHODS + 'continual_backprop.py',
    'own._replace(utility=utility, mean=mean, age=age)\n',
    'own._replace(utility=utility, mean=mean)\n',
    (_CBP + 'units_are_safe_until_they_are_mature',),
  ),
  Mutant(
    'injected-units-keep-their-age',
    _METHODS + 'base.py',
    'restart(own, own.drawn != marks[hidden.name])',
    'own',
    (_CBP + 'what_another_intervention_draws_again_is_new',),
  ),
  # --- Recycling by gradients.
  Mutant(
    'gradients-cancel-within-a-unit',
    'plasticity_rl/measures/gradients.py',
    'jnp.abs(gradient).reshape(-1, gradient.shape[-1]).mean(0)',
    'jnp.abs(gradient.reshape(-1, gradient.shape[-1]).mean(0))',
    (_GRAMA + 'scores_are_magnitudes_over_their_mean',),
  ),
  Mutant(
    'units-at-the-threshold-stay',
    'plasticity_rl/measures/gradients.py',
    '  return gradient_scores(gradient) <= tau\n',
    '  return gradient_scores(gradient) < tau\n',
    (
      _GRAMA + 'at_most_tau_counts[1.0-0.75]',
      _REGRAMA + 'dead_units_are_recycled_as_by_redo[mlp]',
    ),
  ),
  Mutant(
    'units-by-the-targets-gradients',
    _ROOM + 'gradients.py',
    'gradient_of(losses[name], state.nets[name].params)',
    'gradient_of(losses[name], state.nets[name].target)',
    (_REGRAMA + 'the_threshold_is_of_the_gradients_score_and_included[mlp]',),
  ),
  # --- Partial resets.
  Mutant(
    'parts-perturbed-as-they-shrink',
    _METHODS + 'shrink_and_perturb.py',
    '    spread(perturb, plain),\n',
    '    spread(shrink, plain),\n',
    ('tests/interventions/shrink_and_perturb_test.py::test_by_part_and_layer',),
  ),
  Mutant(
    'outgoing-weights-mixed-too',
    _METHODS + 'continuous_partial_resets.py',
    '    w = (1 - r_in) * (1 - r_out) * w + r_in * w_fresh\n',
    '    w = (1 - r_in) * (1 - r_out) * w + (r_in + r_out) * w_fresh\n',
    (_CPR + 'weights_are_mixed_by_hand[mlp]',),
  ),
  Mutant(
    'outgoing-weights-do-not-decay',
    _METHODS + 'continuous_partial_resets.py',
    '    w = (1 - r_in) * (1 - r_out) * w + r_in * w_fresh\n',
    '    w = (1 - r_in) * w + r_in * w_fresh\n',
    (_CPR + 'weights_are_mixed_by_hand[mlp]',),
  ),
  Mutant(
    'utility-goes-on-after-a-reset',
    _METHODS + 'continuous_partial_resets.py',
    'jnp.where(is_due, 1, utility)',
    'jnp.where(is_due, utility, utility)',
    (_CPR + 'utility_is_an_average_that_starts_anew',),
  ),
  Mutant(
    'utility-of-what-was-drawn-again-goes-on',
    _METHODS + 'continuous_partial_resets.py',
    'jnp.where(own.drawn != mark, 1, own.utility)',
    'own.utility',
    (_CPR + 'what_another_intervention_draws_again_is_new',),
  ),
  # --- Single weights.
  Mutant(
    'threshold-of-the-largest-utility',
    _METHODS + 'selective_weight_reinitialization.py',
    '    return utility <= factor * utility.mean()\n',
    '    return utility <= factor * utility.max()\n',
    (_SWR + 'the_threshold_is_a_share_of_the_mean_of_each_array',),
  ),
  Mutant(
    'useful-weights-drawn-again',
    _METHODS + 'selective_weight_reinitialization.py',
    'jnp.argsort(utility.ravel())',
    'jnp.argsort(-utility.ravel())',
    (_SWR + 'a_number_of_the_lowest[0.25]',),
  ),
  Mutant(
    'part-of-a-weight-never-drawn',
    _METHODS + 'selective_weight_reinitialization.py',
    ' + (jax.random.uniform(key) < wanted % 1)',
    '',
    (_SWR + 'the_rest_of_a_number_is_a_probability',),
  ),
  Mutant(
    'utility-without-the-weight',
    _METHODS + 'selective_weight_reinitialization.py',
    'lambda w, g: jnp.abs(w * g), plain, gradient',
    'lambda w, g: jnp.abs(g), plain, gradient',
    (_SWR + 'the_threshold_is_a_share_of_the_mean_of_each_array',),
  ),
  # --- FIRE.
  Mutant(
    'isometry-scaled-the-other-way',
    _METHODS + 'fire.py',
    'math.sqrt(outputs / inputs)',
    'math.sqrt(inputs / outputs)',
    (_FIRE + 'kernels_position_by_position_and_biases_not_at_all',),
  ),
  Mutant(
    'isometry-over-the-root-of-the-kernel',
    _METHODS + 'fire.py',
    '/ math.prod(kernel)',
    '/ math.sqrt(math.prod(kernel))',
    (_FIRE + 'kernels_position_by_position_and_biases_not_at_all',),
  ),
  Mutant(
    'target-projected-by-itself',
    _METHODS + 'fire.py',
    'learns_of_target, layer, type(own)({**own, **new})',
    'learns_of_target, layer, type(own)({**own, layer.weight: '
    'scale_of(w) * polar(own[layer.weight], iterations)})',
    (_FIRE + 'kernels_position_by_position_and_biases_not_at_all',),
  ),
  Mutant(
    'isometry-of-the-normalised-weights-parameter',
    _METHODS + 'fire.py',
    "({'g': norms(w)} if 'g' in own else {})",
    '{}',
    (_FIRE + 'with_weight_normalisation_what_multiplies_is_the_isometry',),
  ),
  Mutant(
    'dense-layers-projected-all-the-same',
    _ROOM + 'fire.py',
    "return dense == 'project' or",
    "return dense != 'keep' or",
    (
      'tests/interventions/fire_test.py::test_what_becomes_of_dense_layers[reset]',
    ),
  ),
  # --- Other methods that act on weights and units.
  Mutant(
    'silence-by-one-rate-for-all',
    _METHODS + 'self_normalized_resets.py',
    '  p = (own.gaps + 1) / (own.length + 2)\n',
    '  p = 0.5\n',
    (_SNR + 'a_rare_unit_is_given_more_time',),
  ),
  Mutant(
    'silence-counted-as-a-gap',
    _METHODS + 'self_normalized_resets.py',
    'fires, decay * own.length + since, own.length)',
    'fires, decay * own.length + since, own.length + 1)',
    (_SNR + 'gaps_and_their_tail_by_hand[fires2-2-5-2]',),
  ),
  Mutant(
    'tortoise-runs-the-wrong-way',
    _ROOM + 'hare_and_tortoise.py',
    's + (1 - momentum) * (f - s)',
    's + momentum * (f - s)',
    (
      _WEIGHTS + 'the_hare_becomes_the_tortoise_at_every_third_call'
      '[keep-fresh]',
    ),
  ),
  Mutant(
    'tortoise-remembers-the-old-head',
    _ROOM + 'hare_and_tortoise.py',
    'jnp.where(n, f, s + (1 - momentum) * (f - s))',
    's + (1 - momentum) * (f - s)',
    (_WEIGHTS + 'what_is_drawn_again_starts_its_average_anew',),
  ),
  Mutant(
    'projected-to-norm-one',
    _ROOM + 'normalize_and_project.py',
    'jnp.where(now > 0, wanted / jnp.where(now > 0, now, 1), 1)',
    'jnp.where(now > 0, 1 / jnp.where(now > 0, now, 1), 1)',
    (_WEIGHTS + 'projection_by_hand[mlp-fresh]',),
  ),
  Mutant(
    'fan-in-without-the-kernel',
    _ROOM + 'weight_clipping.py',
    'np.prod(tree[layer.weight].shape[:-1])',
    'tree[layer.weight].shape[-2]',
    (_WEIGHTS + 'clipping_by_hand',),
  ),
  Mutant(
    'another-subnetwork-in-the-target',
    _METHODS + 'resets.py',
    '  return redraw_masked(state, mask, fresh, count)\n',
    """  return redraw_masked(state, mask, fresh, count)._replace(
        target=None if target is None else reset_weights(
            draw_key, target, fraction, init=init).params)
""",
    (_WEIGHTS + 'a_random_subnetwork[keep-fresh]',),
  ),
  Mutant(
    'whole-groups-reset-for-a-subnetwork',
    _ROOM + 'reset.py',
    """    return new._replace(opt_state=state.opt_state)
  return new
""",
    """    return new._replace(opt_state=state.opt_state)
  return base.reset_groups(net, new, ('encoder', 'head'))
""",
    (_WEIGHTS + 'a_random_subnetwork[reset-fresh]',),
  ),
  Mutant(
    'average-starts-anew-for-ever',
    _ROOM + 'hare_and_tortoise.py',
    "'initial': jax.tree.map(jnp.copy, state.initial),\n      'calls': calls,",
    "'initial': own['initial'],\n      'calls': calls,",
    (
      'tests/interventions/weights_test.py'
      '::test_what_is_drawn_again_starts_its_average_anew',
    ),
  ),
  Mutant(
    'noise-that-is-not-normal',
    _METHODS + 'shrink_and_perturb.py',
    'sampler=jax.random.normal',
    'sampler=jax.random.uniform',
    (
      'tests/interventions/shrink_and_perturb_test.py'
      '::test_gaussian_noise_is_standard_normal',
    ),
  ),
)
