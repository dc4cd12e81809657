"""Faults to put in, one at a time, and the tests that have to notice.

Many are faults of public code for the same methods, which is why they are
worth guarding against. Name the narrowest tests: each costs a process.
"""

from tests.mutants import catalogue_units
from tests.mutants.mutant import Mutant

_INJECTION = 'plasticity_rl/injection.py'
_SPLIT = 'plasticity_rl/split.py'
_ROOM = 'plasticity_rl/interventions/'
_OUTPUTS = 'tests/injection/outputs_test.py::test_'
_TRAINING = 'tests/injection/training_test.py::test_'
_OPTIMIZER = 'tests/injection/optimizer_test.py::test_'
_SLOTS = 'tests/injection/slots_test.py::test_'
_COST = 'tests/injection/cost_test.py::test_'
_PROPERTIES = 'tests/properties/interventions_test.py::test_'
_UPDATES = 'tests/properties/updates_test.py::test_'
_RANKS = 'tests/analysis/rank_correlation_test.py::test_'
_PROXIES = 'tests/analysis/proxies_test.py::test_'
_REGULARIZERS = 'plasticity_rl/learner/regularizers/'
_REGULARIZERS_TESTS = 'tests/learner/regularizers/'
_NETWORKS = 'plasticity_rl/networks/'
_NETWORKS_TESTS = 'tests/networks/'
_LEARNER = 'plasticity_rl/learner/'
_LEARNER_TESTS = 'tests/learner/'
_LOOKS = 'plasticity_rl/diagnostics/'
_LOOKED = 'tests/diagnostics/'
_MEMORY = 'tests/experiment/memory_test.py::test_'
_DRAWN = _PROPERTIES + 'what_is_drawn_is_distributed_as_the_initialisers'

MUTANTS = (
    *catalogue_units.MUTANTS,
    # --- Which proxy tells.
    Mutant(
        'proxy-correlated-over-forks-not-seeds',
        'plasticity_rl/analysis/rank_correlation.py',
        '  return spearman(np.swapaxes(x, -1, -2), np.swapaxes(y, -1, -2))\n',
        '  return spearman(x, y)\n',
        (_RANKS + 'what_changes_with_time_alone_correlates_pooled_and_not_'
         'within',),
    ),
    Mutant(
        'proxy-bootstrap-parts-the-pairs',
        'plasticity_rl/analysis/rank_correlation.py',
        '  values = statistic(x[drawn], y[drawn])\n',
        '  values = statistic(x[drawn], y[drawn[::-1]])\n',
        (_RANKS + 'a_monotone_relation_gives_one',),
    ),
    Mutant(
        'proxy-bootstrap-draws-forks-not-seeds',
        'plasticity_rl/analysis/rank_correlation.py',
        '  values = statistic(x[drawn], y[drawn])\n',
        '  drawn = drawn[:, : x.shape[1]] % x.shape[1]\n'
        '  values = statistic(x[:, drawn].swapaxes(0, 1), '
        'y[:, drawn].swapaxes(0, 1))\n',
        (_RANKS + 'intervals_resample_seeds_with_all_of_their_forks',),
    ),
    Mutant(
        'proxy-measured-after-the-injection',
        'plasticity_rl/analysis/proxies.py',
        'in (arms[diagnoses.CONTROL].table, prefix.table):\n',
        'in (arms[INJECTION].table, prefix.table):\n',
        (_PROXIES + 'benefit_and_values_are_those_of_the_fork',),
    ),
    Mutant(
        'proxy-measured-after-training',
        'plasticity_rl/analysis/proxies.py',
        '  series = table.series(name).between(step - 1, step)\n',
        '  series = table.series(name).between(step, np.inf)\n',
        (_PROXIES + 'benefit_and_values_are_those_of_the_fork',),
    ),
    Mutant(
        'proxy-forks-lose-their-checkpoints',
        'plasticity_rl/experiment/checkpoint.py',
        '[s for s in self.steps() if s not in self._keep_steps]\n',
        'self.steps()\n',
        ('tests/experiment/checkpoint_test.py::test_keeps_what_was_asked_for_'
         'beside_the_newest',),
    ),
    # --- Which terms there are, and how they are summed.
    Mutant(
        'original-not-frozen', _INJECTION,
        '    freeze_original: bool = True,\n',
        '    freeze_original: bool = False,\n',
        (_OUTPUTS + 'as_many_parameters_learn[grow]',),
        'Plasticine, awjuliani',
    ),
    Mutant(
        'third-term-missing', _INJECTION,
        '    third_term: bool = True,\n',
        '    third_term: bool = False,\n',
        (_OUTPUTS + 'predictions_stay[plain-0-grow]',),
    ),
    Mutant(
        'third-term-detached-from-the-encoder', _SPLIT,
        '        lambda p: self._split(self.head_apply(p, features))[0]\n',
        '        lambda p: self._split(self.head_apply(\n'
        '            p, jax.lax.stop_gradient(features)))[0]\n',
        (_TRAINING + 'the_encoder_learns_through_every_term',),
        'Plasticine',
    ),
    Mutant(
        'wrong-sign', _INJECTION,
        'added += [(fresh, -1.0)]', 'added += [(fresh, 1.0)]',
        (_OUTPUTS + 'predictions_stay[plain-0-grow]',),
    ),
    Mutant(
        'wrong-sign-in-slots', _INJECTION,
        'jnp.array([1.0, -1.0 if third_term else 0.0], jnp.float32)',
        'jnp.array([1.0, 1.0 if third_term else 0.0], jnp.float32)',
        (_OUTPUTS + 'predictions_stay[plain-0-slots]',),
    ),
    Mutant(
        'summed-in-another-order', _SPLIT,
        """    total.extend(
        _add(new, cancel)
        for cancel, new in zip(terms[::2], terms[1::2], strict=True)
    )
""",
        '    total.extend(terms)\n',
        (_OUTPUTS + 'a_new_pair_cancels_before_it_meets_the_rest',),
    ),
    Mutant(
        'pair-copied-from-the-old-head', _INJECTION,
        '  fresh = net.draw_head(key)\n',
        "  fresh = getattr(params[HEAD], 'trainable', params[HEAD])\n",
        (_OUTPUTS + 'the_new_head_is_a_draw_of_the_initialiser',),
        "Guozheng-Ma's port",
    ),
    Mutant(
        'slot-opened-over-the-newest', _INJECTION,
        '          [stack[2:], old[None], new[None]]\n',
        '          [stack[:-2], old[None], new[None]]\n',
        (_SLOTS + 'slots_equal_growing',),
    ),
    Mutant(
        'full-slots-not-noticed', _INJECTION,
        '  full = head.signs[0] != 0\n', '  full = head.signs[0] > 1\n',
        (_SLOTS + 'full_slots_change_nothing',),
    ),
    Mutant(
        'full-slots-reset-the-optimizer', _INJECTION,
        "  if options.get('slots'):\n", '  if False:\n',
        (_SLOTS + 'full_slots_change_nothing',),
        'this code, until this test',
    ),
    # --- What learns, and what it costs.
    Mutant(
        'head-not-in-the-optimizer', _INJECTION,
        'trainable=constant(True, node.trainable)',
        'trainable=constant(False, node.trainable)',
        (_TRAINING
         + 'frozen_heads_stay_through_three_injections_and_then_go',),
        'Plasticine',
    ),
    Mutant(
        'frozen-heads-counted-as-learning', _INJECTION,
        'frozen=constant(False, node.frozen)',
        'frozen=constant(True, node.frozen)',
        (_OUTPUTS + 'masks_are_opposites_of_the_trees_own_structure',),
    ),
    Mutant(
        'frozen-updates-pass-through', _INJECTION,
        '      optax.masked(optax.set_to_zero(), frozen_mask),\n',
        '      optax.identity(),\n',
        (_OPTIMIZER + 'frozen_leaves_get_zeros_whatever_their_gradient'
         '[masked-adam]',),
        'optax.masked used alone',
    ),
    Mutant(
        'frozen-updated-by-the-agent',
        'plasticity_rl/agents/base.py',
        'p + u if learns else p', 'p + u',
        (_OPTIMIZER + 'an_agents_update_does_not_touch_frozen_leaves',),
    ),
    Mutant(
        'weight-gradients-of-frozen-heads', _SPLIT,
        'frozen, signs = jax.lax.stop_gradient((head.frozen, head.signs))',
        'frozen, signs = head.frozen, head.signs',
        (_COST + 'injection_costs_two_more_heads_and_no_more',),
    ),
    Mutant(
        'clip-norm-sees-frozen-leaves', _INJECTION,
        '  before = masked(before or optax.identity())\n',
        '  before = before or optax.identity()\n',
        (_OPTIMIZER + 'clipping_does_not_see_frozen_leaves[config]',),
    ),
    # --- The optimizer's state.
    Mutant(
        'encoder-state-reset', _INJECTION,
        "    if optimizer_state == 'reset_all' and not _is_schedules(path):\n",
        '    if not _is_schedules(path):\n',
        (_OPTIMIZER + 'the_heads_state_is_fresh_and_the_rest_untouched'
         '[1-grouped-adam]',),
        'k1seul rebuilds the optimizer',
    ),
    Mutant(
        'head-state-kept', _INJECTION,
        "      if optimizer_state == 'keep':\n", '      if True:\n',
        (_OPTIMIZER + 'the_heads_state_is_fresh_and_the_rest_untouched'
         '[1-grouped-rmsprop]',),
    ),
    Mutant(
        'adam-count-kept', _INJECTION,
        '    elif _head_index(path) is not None:\n',
        '    elif _head_index(path) is not None and getattr(\n'
        "        path[-1], 'name', '') != 'count':\n",
        (_OPTIMIZER + 'the_first_step_of_the_new_head_is_a_fresh_adams',),
        'Dopamine ReDo',
    ),
    Mutant(
        'head-of-an-encoder-taken-for-the-head', _INJECTION,
        "  parts = ('encoder', HEAD)", '  parts = (HEAD,)',
        (_OPTIMIZER + 'a_head_inside_the_encoder_is_the_encoders',),
        'this code, until this test',
    ),
    Mutant(
        'schedule-restarted', _INJECTION,
        "  return bool(keys & {'before', 'after'}) and not keys & "
        "{'encoder', HEAD}\n",
        '  return False\n',
        (_OPTIMIZER + 'reset_all_starts_anew_but_for_schedules'
         '[grouped-adam]',),
        'this code, until this test',
    ),
    # --- The target.
    Mutant(
        'target-not-injected', _ROOM + 'inject.py',
        'target = core.inject_params(key, net.network, target, **options)',
        'pass',
        (_PROPERTIES + 'frozen_heads_change_only_where_promised'
         '[dqn_mlp-fresh-injection]',),
    ),
    Mutant(
        'target-copied-from-online', _ROOM + 'inject.py',
        'target = core.inject_params(key, net.network, target, **options)',
        'target = params',
        (_PROPERTIES + 'predictions_stay_where_promised'
         '[dqn_mlp-fresh-injection]',),
        'k1seul',
    ),
    Mutant(
        'another-draw-in-the-target', _ROOM + 'inject.py',
        'core.inject_params(key, net.network, target, **options)',
        'core.inject_params(key + 1, net.network, target, **options)',
        (_PROPERTIES + 'online_and_target_receive_the_same'
         '[dqn_mlp-fresh-injection]',),
    ),
    Mutant(
        'target-never-takes-over',
        'plasticity_rl/agents/base.py',
        '      updates % period == 0,\n', '      updates < 0,\n',
        (_UPDATES + 'the_target_takes_over_theta_and_keeps_the_copy',),
    ),
    Mutant(
        'double-q-evaluated-by-online',
        'plasticity_rl/agents/dqn.py',
        'batch.discount_t, q_t,\n          selector,\n',
        'batch.discount_t, selector,\n          selector,\n',
        ('tests/agents/dqn_test.py::test_update_is_the_gradient_by_hand',),
    ),
    # --- Other interventions.
    Mutant(
        'reset-leaves-the-target', _ROOM + 'reset.py',
        'target = None if state.target is None else fill(state.target)',
        'target = state.target',
        (_PROPERTIES + 'what_learns_changes_where_promised'
         '[dqn_mlp-fresh-reset]',),
    ),
    Mutant(
        'reset-keeps-frozen-heads', _ROOM + 'reset.py',
        '      params = core.drop_frozen(params, slots=slots)\n',
        '      pass\n',
        (_PROPERTIES + 'frozen_heads_change_only_where_promised'
         '[dqn_mlp-injected-reset]',),
    ),
    Mutant(
        'reset-keeps-the-optimizers-state', _ROOM + 'reset.py',
        "base.reset_groups(net, state, groups) if optimizer == 'reset' "
        'else state',
        'state',
        (_PROPERTIES + 'optimizer_state_starts_anew_where_promised'
         '[dqn_mlp-fresh-reset]',),
        'Plasticine, for its layer resets',
    ),
    Mutant(
        'reset-draws-at-another-scale', _ROOM + 'reset.py',
        '      plain = base.put(plain, path, base.get(fresh, path))\n',
        '      plain = base.put(plain, path, jax.tree.map(\n'
        '          lambda x: 1.5 * x, base.get(fresh, path)))\n',
        (_DRAWN + '[dqn_conv]',),
    ),
    Mutant(
        'every-seed-draws-alike', _ROOM + 'base.py',
        '    keys = jax.random.split(key, len(names))\n',
        '    keys = jax.random.split(\n'
        '        jax.random.PRNGKey(0), len(names))\n',
        (_PROPERTIES + 'online_and_target_receive_the_same'
         '[dqn_mlp-fresh-injection]',),
    ),
    Mutant(
        'shrink-and-perturb-touches-frozen-heads',
        _ROOM + 'shrink_and_perturb.py',
        '      return core.replace_trainable(params, plain)\n',
        '      return core.replace_trainable(jax.tree.map(\n'
        '          lambda p: shrink * p, params), plain)\n',
        (_PROPERTIES + 'frozen_heads_change_only_where_promised'
         '[dqn_mlp-injected-shrink_and_perturb]',),
    ),
    Mutant(
        'shrink-and-perturb-leaves-the-target',
        _ROOM + 'shrink_and_perturb.py',
        'target=None if state.target is None else change(state.target)',
        'target=state.target',
        (_PROPERTIES + 'what_learns_changes_where_promised'
         '[dqn_mlp-fresh-shrink_and_perturb]',),
    ),
    Mutant(
        'schedules-restart-with-the-groups', _ROOM + 'base.py',
        '  opt_state = {**state.opt_state, **{g: fresh[g] for g in groups}}\n',
        '  opt_state = fresh if len(groups) == 2 else {\n'
        '      **state.opt_state, **{g: fresh[g] for g in groups}}\n',
        (_PROPERTIES + 'optimizer_state_starts_anew_where_promised'
         '[dqn_mlp-fresh-optimizer_reset]',),
    ),
    # --- Regularisers.
    Mutant(
        'l2-init-pulls-to-zero', _REGULARIZERS + 'l2_init.py',
        'return l2(jax.tree.map(jnp.subtract, '
        'injection.trainable(params), initial))',
        'return l2(params)',
        (_REGULARIZERS_TESTS + 'l2_test.py::test_l2_init_is_zero_where_'
         'nothing_moved_and_grows_with_distance',),
    ),
    Mutant(
        'l2-sees-frozen-heads', _REGULARIZERS + 'l2.py',
        'for x in jax.tree.leaves(injection.trainable(params))',
        'for x in jax.tree.leaves(params)',
        (_REGULARIZERS_TESTS + 'l2_test.py::'
         'test_frozen_heads_are_left_alone',),
    ),
    Mutant(
        'parseval-of-inputs-for-units', _REGULARIZERS + 'parseval.py',
        'gram = matrix @ matrix.T', 'gram = matrix.T @ matrix',
        (_REGULARIZERS_TESTS + 'matrix_test.py::test_parseval_is_the_'
         'distance_of_the_gram_matrix[shape0]',),
    ),
    Mutant(
        'spectral-norm-of-another-vector',
        _REGULARIZERS + 'spectral_norm.py',
        '  u = _unit(fixed @ v)\n', '  u = _unit(matrix @ matrix[0])\n',
        (_REGULARIZERS_TESTS + 'matrix_test.py::'
         'test_spectral_norm_is_numpys[shape0]',),
    ),
    Mutant(
        'infer-towards-the-present', _REGULARIZERS + 'registry.py',
        'output, network.apply(initial, inputs), config.infer_scale',
        'output, output, config.infer_scale',
        (_REGULARIZERS_TESTS + 'registry_test.py::'
         'test_each_is_what_its_function_says[infer]',),
    ),
    # --- Architectures.
    Mutant(
        'weight-norm-over-units', _NETWORKS + 'weight_norm.py',
        'tuple(range(w.ndim - 1))', 'tuple(range(1, w.ndim))',
        (_NETWORKS_TESTS + 'norms_test.py::'
         'test_weight_norm_by_unit',),
    ),
    Mutant(
        'layer-norm-over-the-batch', _NETWORKS + 'layer_norm.py',
        'axes = tuple(range(1, x.ndim))', 'axes = tuple(range(x.ndim))',
        (_NETWORKS_TESTS + 'norms_test.py::'
         'test_layer_norm_by_hand',),
    ),
    Mutant(
        'features-of-a-unit-interleaved', _NETWORKS + 'crelu.py',
        'jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)',
        'jnp.stack([jax.nn.relu(x), jax.nn.relu(-x)], -1).reshape('
        '*x.shape[:-1], -1)',
        (_NETWORKS_TESTS + 'activations_test.py::test_features_of_a_unit_are_'
         'where_the_layer_says[crelu]',),
    ),
    Mutant(
        'flattened-channels-count-units', _NETWORKS + 'sequential.py',
        'channels = config.units(filters) * config.features_per_unit',
        'channels = config.units(filters)',
        (_NETWORKS_TESTS + 'activations_test.py::'
         'test_sizes_with_two_features_a_unit[crelu-features-1]',),
    ),
    Mutant(
        'norms-survive-a-reset-of-their-layer', _ROOM + 'reset.py',
        '      plain = base.put(plain, path, base.get(fresh, path))\n',
        '      plain = base.put(plain, path, {**base.get(plain, path), **{\n'
        "          k: base.get(fresh, path)[k] for k in ('w', 'b')}})\n",
        (_PROPERTIES + 'what_learns_changes_where_promised'
         '[dqn_normed-fresh-reset(scope="last")]',),
    ),
    # --- Optimizers.
    Mutant(
        'bias-correction-computed-and-discarded',
        _LEARNER + 'adam_per_weight.py',
        '(m / (1 - b1**n)) / (jnp.sqrt(v / (1 - b2**n)) + eps)',
        'm / (jnp.sqrt(v) + eps)',
        (_LEARNER_TESTS + 'adam_per_weight_test.py::'
         'test_is_adam_where_nothing_is_reset[1]',),
        'Dohare et al. (AdamGnT)',
    ),
    Mutant(
        'one-count-for-all-weights', _LEARNER + 'adam_per_weight.py',
        'jax.tree.map(optax.safe_increment, state.count)',
        'jax.tree.map(lambda n: jnp.full_like(n, n.max() + 1), state.count)',
        (_LEARNER_TESTS + 'adam_per_weight_test.py::'
         'test_weights_that_are_reset_restart_as_fresh_ones',),
    ),
    Mutant(
        'upgd-protects-the-useless', _LEARNER + 'upgd.py',
        '(1 - jax.nn.sigmoid(u / scale))', 'jax.nn.sigmoid(u / scale)',
        (_LEARNER_TESTS + 'upgd_test.py::test_useful_weights_move_less',),
    ),
    Mutant(
        'upgd-repeats-its-noise', _LEARNER + 'upgd.py',
        'ScaleByUpgdState(utility, key)\n',
        'ScaleByUpgdState(utility, state.key)\n',
        (_LEARNER_TESTS + 'upgd_test.py::'
         'test_noise_is_of_its_scale_and_new_at_each_update',),
    ),
    Mutant(
        'upgd-turns-the-order-round', _LEARNER + 'upgd.py',
        'largest > 0, largest, ', 'largest != 0, largest, ',
        (_LEARNER_TESTS + 'upgd_test.py::'
         'test_order_of_utilities_holds_where_none_is_positive',),
        "the authors' code",
    ),
    # --- When interventions happen, and who acts after them.
    Mutant(
        'criterion-without-patience', 'plasticity_rl/experiment/criteria.py',
        "known & rested & (seen['in_a_row'] >= self.criterion.patience)",
        "known & rested & (seen['in_a_row'] >= 1)",
        ('tests/experiment/criteria_test.py::test_patience_is_in_a_row',),
    ),
    Mutant(
        'plateau-against-the-last-value',
        'plasticity_rl/experiment/criteria.py',
        "      reference = seen['highest'] + number\n",
        "      reference = seen['last'] + number\n",
        ('tests/experiment/criteria_test.py::'
         'test_a_value_below_the_last_counts_from_the_highest',),
    ),
    Mutant(
        'criterion-fires-in-every-seed',
        'plasticity_rl/experiment/experiment.py',
        '        return jnp.where(each, new, old)\n',
        '        return jnp.where(each.any(), new, old)\n',
        ('tests/experiment/triggers_test.py::test_each_seed_by_itself',),
    ),
    Mutant(
        'period-counted-before-the-update', 'plasticity_rl/learner/learner.py',
        'nets, own = run_hook(hook, event_key, nets, own, batch, updates + 1)',
        'nets, own = run_hook(hook, event_key, nets, own, batch, updates)',
        ('tests/experiment/triggers_test.py::test_period_of_updates',),
    ),
    Mutant(
        'reset-keeps-the-initial-weights', _ROOM + 'reset.py',
        '    initial = base.put(initial, path, base.get(fresh, path))\n',
        '    pass\n',
        (_PROPERTIES + 'initial_weights_follow_what_is_drawn_again',),
    ),
    Mutant(
        'old-policy-acts-forever', _ROOM + 'acting.py',
        "  return Acting(nets, old, step < kept['until'])\n",
        "  return Acting(nets, old, step < 2 * kept['until'])\n",
        ('tests/experiment/acting_test.py::'
         'test_the_old_policy_acts_for_some_steps',),
    ),
    Mutant(
        'values-bootstrapped-through-a-truncation',
        'plasticity_rl/experiment/recorded.py',
        '    after = np.where(last[t], np.nan, after)\n', '',
        ('tests/experiment/recorded_test.py::test_monte_carlo_by_hand',),
    ),
    # --- Sizes.
    Mutant(
        'one-frozen-head-an-injection', _NETWORKS + 'sizing.py',
        'total + 2 * injections * head', 'total + injections * head',
        (_NETWORKS_TESTS + 'sizing_test.py::'
         'test_counts_what_injections_add[0]',),
    ),
    # --- Diagnostics.
    Mutant(
        'stable-rank-is-srank', _LOOKS + 'ranks.py',
        '    return jnp.sum(jnp.square(s / largest))\n',
        '    return srank_of(s)\n',
        (_LOOKED + 'ranks_test.py::test_stable_rank',), 'Plasticine',
    ),
    Mutant(
        'effective-rank-of-squares', _LOOKS + 'ranks.py',
        '    total = s.sum()\n', '    s = s**2\n    total = s.sum()\n',
        (_LOOKED + 'ranks_test.py::test_effective_rank',),
    ),
    Mutant(
        'feature-rank-depends-on-the-batch', _LOOKS + 'ranks.py',
        's / scale > eps', 's > eps',
        (_LOOKED + 'ranks_test.py::test_feature_rank',),
    ),
    Mutant(
        'update-ratio-over-the-new-weights', _LOOKS + 'weight_change.py',
        'optax.tree.norm(old),\n', 'optax.tree.norm(new),\n',
        (_LOOKED + 'weights_test.py::test_update_ratio',),
    ),
    Mutant(
        'gradient-l0-counts-zeros', _LOOKS + 'gradient.py',
        'lambda x: x != 0', 'lambda x: x == 0',
        (_LOOKED + 'gradient_test.py::test_gradient_norms',),
    ),
    Mutant(
        'gradient-covariance-not-normalised',
        _LOOKS + 'gradient_covariance.py',
        '  gradients = gradients / jnp.where(norms > 0, norms, 1)\n', '',
        (_LOOKED + 'gradient_test.py::test_gradient_covariance',),
    ),
    Mutant(
        'gradient-covariance-with-its-diagonal',
        _LOOKS + 'gradient_covariance.py',
        'cosines.sum() - jnp.trace(cosines)', 'cosines.sum()',
        (_LOOKED + 'gradient_test.py::test_gradient_covariance',),
    ),
    Mutant(
        'active-units-by-magnitude', _LOOKS + 'active_units.py',
        'mean = features.reshape', 'mean = jnp.abs(features).reshape',
        (_LOOKED + 'units_test.py'
         '::test_active_units_are_those_with_a_positive_mean',),
    ),
    Mutant(
        'dormant-overlap-over-the-larger-set', _LOOKS + 'dormant_units.py',
        'smaller = jnp.minimum(', 'smaller = jnp.maximum(',
        (_LOOKED + 'units_test.py::test_dormant_overlap',),
    ),
    Mutant(
        'lanczos-without-orthogonalising', _LOOKS + 'hessian.py',
        '      w = w - basis.T @ (basis @ w)\n',
        '      w = w - (v @ w) * v\n',
        (_LOOKED + 'hessian_test.py::test_both_ends_come_first',),
    ),
    Mutant(
        'lanczos-adds-zeros', _LOOKS + 'hessian.py',
        'jnp.where(alive, alpha, alpha[0])', 'jnp.where(alive, alpha, 0)',
        (_LOOKED + 'hessian_test.py::test_an_invariant_space_adds_nothing',),
    ),
    Mutant(
        'churn-where-it-learned', _LOOKS + 'churn.py',
        'jnp.abs(new - old)[half:]', 'jnp.abs(new - old)[:half]',
        (_LOOKED + 'churn_test.py::test_churn',),
    ),
    Mutant(
        'churn-by-an-update-on-all', _LOOKS + 'churn.py',
        'probe.updated(half)', 'probe.updated(2 * half)',
        (_LOOKED + 'churn_test.py::test_churn',),
    ),
    Mutant(
        'target-fitting-keeps-the-optimizer', _LOOKS + 'target_fitting.py',
        'carry = learns, optimizer.init(learns)',
        'carry = learns, probe.state.opt_state',
        (_LOOKED + 'target_fitting_test.py::test_target_fitting',),
    ),
    Mutant(
        'target-fitting-of-targets-around-zero', _LOOKS + 'target_fitting.py',
        'lambda y: y.mean(0, keepdims=True)',
        'lambda y: 0 * y.mean(0, keepdims=True)',
        (_LOOKED + 'target_fitting_test.py::test_target_fitting',),
    ),
    Mutant(
        'target-fitting-drops-frozen-heads', _LOOKS + 'target_fitting.py',
        'fit(probe.learns, probe.with_learning, targets)',
        'fit(probe.learns, lambda p: p, targets)',
        (_LOOKED + 'target_fitting_test.py'
         '::test_frozen_heads_contribute_and_are_not_trained',),
    ),
    Mutant(
        'part-of-the-probe-batch-is-all-of-it', _LOOKS + 'registry.py',
        'jax.tree.map(lambda x: x[:n], batch)', 'batch',
        (_LOOKED + 'registry_test.py::test_updates_and_losses_are_on_as_many'
         '_examples_as_are_asked_for',),
    ),
    Mutant(
        'target-diagnostics-of-the-online-network', _LOOKS + 'registry.py',
        'net.network.apply(state.target, inputs)',
        'net.network.apply(state.params, inputs)',
        (_LOOKED + 'registry_test.py'
         '::test_targets_are_measured_where_that_is_asked_for',),
    ),
    Mutant(
        'looking-at-the-fork-is-remembered',
        'plasticity_rl/experiment/timeline.py',
        '      if remember:\n', '      if measure:\n',
        (_MEMORY + 'a_control_arm_remembers_what_the_unforked_run_does[15]',),
    ),
    Mutant(
        'a-fork-forgets-what-was-remembered',
        'plasticity_rl/experiment/experiment.py',
        '{**empty, **state.interventions}', '{**state.interventions, **empty}',
        (_MEMORY + 'a_control_arm_remembers_what_the_unforked_run_does[15]',),
    ),
)
