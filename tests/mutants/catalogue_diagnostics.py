"""Faults in diagnostics, and in which of them tells."""

from tests.mutants.mutant import Mutant

_RANKS = 'tests/analysis/verdict/rank_correlation_test.py::test_'
_PROXIES = 'tests/analysis/verdict/proxies_test.py::test_'
_RULES = 'tests/analysis/verdict/rules_test.py::test_'
_STATISTICS = 'tests/analysis/verdict/statistics_test.py::test_'
_FACE = 'tests/face_test.py::test_'
_MEASURES = 'plasticity_rl/measures/'
_LOOKS = 'plasticity_rl/diagnostics/'
_LOOKED = 'tests/diagnostics/'
_MEMORY = 'tests/run/memory_test.py::test_'

MUTANTS = (
  # --- Which proxy tells.
  Mutant(
    'proxy-correlated-over-forks-not-seeds',
    'plasticity_rl/analysis/verdict/rank_correlation.py',
    '  return spearman(np.swapaxes(x, -1, -2), np.swapaxes(y, -1, -2))\n',
    '  return spearman(x, y)\n',
    (_RANKS + 'what_changes_with_time_alone_correlates_pooled_and_not_within',),
  ),
  Mutant(
    'proxy-bootstrap-parts-the-pairs',
    'plasticity_rl/analysis/verdict/rank_correlation.py',
    '  values = statistic(x[drawn], y[drawn])\n',
    '  values = statistic(x[drawn], y[drawn[::-1]])\n',
    (_RANKS + 'a_monotone_relation_gives_one',),
  ),
  Mutant(
    'proxy-bootstrap-draws-forks-not-seeds',
    'plasticity_rl/analysis/verdict/rank_correlation.py',
    '  values = statistic(x[drawn], y[drawn])\n',
    '  drawn = drawn[:, : x.shape[1]] % x.shape[1]\n'
    '  values = statistic(x[:, drawn].swapaxes(0, 1), '
    'y[:, drawn].swapaxes(0, 1))\n',
    (_RANKS + 'intervals_resample_seeds_with_all_of_their_forks',),
  ),
  Mutant(
    'proxy-measured-after-the-injection',
    'plasticity_rl/analysis/verdict/proxies.py',
    'in (arms[diagnoses.CONTROL].table, prefix.table):\n',
    'in (arms[INJECTION].table, prefix.table):\n',
    (_PROXIES + 'benefit_and_values_are_those_of_the_fork',),
  ),
  Mutant(
    'proxy-measured-after-training',
    'plasticity_rl/analysis/verdict/proxies.py',
    '  series = table.series(name).between(step - 1, step)\n',
    '  series = table.series(name).between(step, np.inf)\n',
    (_PROXIES + 'benefit_and_values_are_those_of_the_fork',),
  ),
  Mutant(
    'proxy-forks-lose-their-checkpoints',
    'plasticity_rl/run/checkpoint_folder.py',
    'if s not in self._keep_steps and not',
    'if not',
    (
      'tests/run/checkpoint_folder_test.py::test_keeps_what_was_asked_for_'
      'beside_the_newest',
    ),
  ),
  # --- The verdict.
  Mutant(
    'harm-without-the-sign-flip-test',
    'plasticity_rl/analysis/verdict/verdict.py',
    'self.high is not None and self.high < 0 and self._is_sure\n',
    'self.high is not None and self.high < 0\n',
    (_RULES + 'injection_hurts_only_if_the_sign_flip_test_says_so',),
  ),
  Mutant(
    'ties-have-no-floor',
    'plasticity_rl/analysis/verdict/typical_values.py',
    'np.maximum(np.sqrt(spread / (n - 1)), floor * error)\n',
    'np.sqrt(spread / (n - 1))\n',
    (_STATISTICS + 'ties_bound_an_interval_by_hand',),
  ),
  Mutant(
    'holm-adjusts-the-sign-flip-test-alone',
    'plasticity_rl/analysis/verdict/rules.py',
    '{n: r.p_larger for n, r in results.items()}',
    '{n: r.p for n, r in results.items()}',
    (_RULES + 'the_bootstraps_p_is_adjusted_as_the_sign_flip_tests',),
  ),
  Mutant(
    'few-seeds-exclude-the-margin-at-95-percent',
    'plasticity_rl/analysis/verdict/rules.py',
    'if seeds > 2 and strict.high < margin:\n',
    'if seeds > 2 and result.high < margin:\n',
    (_RULES + 'few_seeds_exclude_the_margin_at_99_percent',),
  ),
  Mutant(
    'margin-of-the-whole-game',
    'plasticity_rl/training/rollout.py',
    '      settings.evaluation.max_steps * environment.frames_per_step,\n    )',
    '      10**9,\n    )',
    ('tests/forks/diagnosis_test.py::test_a_margin_is_of_what_is_evaluated',),
  ),
  # --- The public face.
  Mutant(
    'verdict-at-the-last-time-only',
    'plasticity_rl/api.py',
    'v.reshape(len(v), -1).mean(1)',
    'v.reshape(len(v), -1)[:, -1]',
    (_FACE + 'a_verdict_averages_over_time_and_pairs_seeds',),
  ),
  Mutant(
    'measures-take-what-is-not-finite',
    'plasticity_rl/checks.py',
    'not np.isfinite(array).all()',
    'np.isnan(array).all()',
    (_FACE + 'bad_features_are_refused',),
  ),
  Mutant(
    'weights-of-frozen-heads-are-measured',
    'plasticity_rl/checks.py',
    'name: tree(name, trainable(x))',
    'name: tree(name, x)',
    (_FACE + 'of_an_injected_tree_what_learns_counts',),
  ),
  # --- Diagnostics.
  Mutant(
    'stable-rank-is-srank',
    _MEASURES + 'ranks.py',
    '  return jnp.sum(jnp.square(s / largest))\n',
    '  return srank_of(s)\n',
    (_LOOKED + 'ranks_test.py::test_stable_rank',),
    'Plasticine',
  ),
  Mutant(
    'effective-rank-of-squares',
    _MEASURES + 'ranks.py',
    '  total = s.sum()\n',
    '  s = s**2\n  total = s.sum()\n',
    (_LOOKED + 'ranks_test.py::test_effective_rank',),
  ),
  Mutant(
    'feature-rank-depends-on-the-batch',
    _MEASURES + 'ranks.py',
    's / scale > eps',
    's > eps',
    (_LOOKED + 'ranks_test.py::test_feature_rank',),
  ),
  Mutant(
    'update-ratio-over-the-new-weights',
    _MEASURES + 'weights.py',
    'distance_of(new, old) / optax.tree.norm(old)\n',
    'distance_of(new, old) / optax.tree.norm(new)\n',
    (_LOOKED + 'weights_test.py::test_update_ratio',),
  ),
  Mutant(
    'gradient-l0-counts-zeros',
    _LOOKS + 'gradient.py',
    'lambda x: x != 0',
    'lambda x: x == 0',
    (_LOOKED + 'gradient_test.py::test_gradient_norms',),
  ),
  Mutant(
    'gradient-covariance-not-normalised',
    _LOOKS + 'gradient_covariance.py',
    '  gradients = gradients / jnp.where(norms > 0, norms, 1)\n',
    '',
    (_LOOKED + 'gradient_test.py::test_gradient_covariance',),
  ),
  Mutant(
    'gradient-covariance-with-its-diagonal',
    _LOOKS + 'gradient_covariance.py',
    'cosines.sum() - jnp.trace(cosines)',
    'cosines.sum()',
    (_LOOKED + 'gradient_test.py::test_gradient_covariance',),
  ),
  Mutant(
    'active-units-by-magnitude',
    _MEASURES + 'units.py',
    'active = features.reshape',
    'active = jnp.abs(features).reshape',
    (
      _LOOKED + 'units_test.py'
      '::test_active_units_are_those_with_a_positive_mean',
    ),
  ),
  Mutant(
    'dormant-overlap-over-the-larger-set',
    _MEASURES + 'units.py',
    'smaller = jnp.minimum(',
    'smaller = jnp.maximum(',
    (_LOOKED + 'units_test.py::test_dormant_overlap',),
  ),
  Mutant(
    'lanczos-without-orthogonalising',
    _LOOKS + 'hessian.py',
    '      w = w - basis.T @ (basis @ w)\n',
    '      w = w - (v @ w) * v\n',
    (_LOOKED + 'hessian_test.py::test_both_ends_come_first',),
  ),
  Mutant(
    'lanczos-adds-zeros',
    _LOOKS + 'hessian.py',
    'jnp.where(alive, alpha, alpha[0])',
    'jnp.where(alive, alpha, 0)',
    (_LOOKED + 'hessian_test.py::test_an_invariant_space_adds_nothing',),
  ),
  Mutant(
    'churn-where-it-learned',
    _LOOKS + 'churn.py',
    'jnp.abs(new - old)[half:].ravel()',
    'jnp.abs(new - old)[:half].ravel()',
    (_LOOKED + 'churn_test.py::test_churn',),
  ),
  Mutant(
    'churn-by-an-update-on-all',
    _LOOKS + 'churn.py',
    'probe.updated(half)',
    'probe.updated(2 * half)',
    (_LOOKED + 'churn_test.py::test_churn',),
  ),
  Mutant(
    'target-fitting-keeps-the-optimizer',
    _LOOKS + 'target_fitting.py',
    'carry = learns, optimizer.init(learns)',
    'carry = learns, probe.state.opt_state',
    (_LOOKED + 'target_fitting_test.py::test_target_fitting',),
  ),
  Mutant(
    'target-fitting-of-targets-around-zero',
    _LOOKS + 'target_fitting.py',
    'lambda y: y.mean(0, keepdims=True)',
    'lambda y: 0 * y.mean(0, keepdims=True)',
    (_LOOKED + 'target_fitting_test.py::test_target_fitting',),
  ),
  Mutant(
    'target-fitting-drops-frozen-heads',
    _LOOKS + 'target_fitting.py',
    'fit(probe.learns, probe.with_learning, targets)',
    'fit(probe.learns, lambda p: p, targets)',
    (
      _LOOKED + 'target_fitting_test.py'
      '::test_frozen_heads_contribute_and_are_not_trained',
    ),
  ),
  Mutant(
    'part-of-the-probe-batch-is-all-of-it',
    _LOOKS + 'registry.py',
    'jax.tree.map(lambda x: x[:n], batch)',
    'batch',
    (
      _LOOKED + 'registry_test.py::test_updates_and_losses_are_on_as_many'
      '_examples_as_are_asked_for',
    ),
  ),
  Mutant(
    'target-diagnostics-of-the-online-network',
    _LOOKS + 'registry.py',
    'net.network.apply(state.target, inputs)',
    'net.network.apply(state.params, inputs)',
    (
      _LOOKED + 'registry_test.py'
      '::test_targets_are_measured_where_that_is_asked_for',
    ),
  ),
  Mutant(
    'looking-at-the-fork-is-remembered',
    'plasticity_rl/run/runner.py',
    '      if update_state:\n',
    '      if measure:\n',
    (_MEMORY + 'a_control_arm_remembers_what_the_unforked_run_does[15]',),
  ),
  Mutant(
    'a-fork-forgets-what-was-remembered',
    'plasticity_rl/training/experiment.py',
    '{**empty, **state.interventions}',
    '{**state.interventions, **empty}',
    (_MEMORY + 'a_control_arm_remembers_what_the_unforked_run_does[15]',),
  ),
  Mutant(
    'fresh-network-makes-its-own-targets',
    _LOOKS + 'target_fitting.py',
    'fit(network.init(fresh_key)',
    'fit(network.init(target_key)',
    (
      _LOOKED + 'target_fitting_test.py'
      '::test_the_fresh_start_is_not_the_network_that_makes_the_targets',
    ),
  ),
  # --- Isometries, kernels, saturation.
  Mutant(
    'wide-weights-by-their-columns',
    _MEASURES + 'weights.py',
    '  if weights.shape[-1] > weights.shape[-2]:\n',
    '  if weights.shape[-1] < weights.shape[-2]:\n',
    (_LOOKED + 'deviation_from_isometry_test.py::test_by_singular_values',),
  ),
  Mutant(
    'isometry-of-the-raw-weights',
    _LOOKS + 'deviation_from_isometry.py',
    'weights.isometry_deviation_of(w, scale_of(w))',
    'weights.isometry_deviation_of(w)',
    (_LOOKED + 'deviation_from_isometry_test.py::test_after_fire_it_is_zero',),
  ),
  Mutant(
    'kernel-of-the-first-output',
    _LOOKS + 'base.py',
    'outputs(p, x)[a]',
    'outputs(p, x)[0 * a]',
    (
      _LOOKED + 'ntk_test.py'
      '::test_summed_over_outputs_as_by_all_their_gradients[dqn_mlp-q]',
    ),
  ),
  Mutant(
    'kernel-of-singular-values',
    _MEASURES + 'kernels.py',
    'return values[0] / jnp.maximum(values[-1], floor)',
    'return jnp.sqrt(values[0] / jnp.maximum(values[-1], floor))',
    (_LOOKED + 'ntk_test.py::test_by_hand',),
  ),
  Mutant(
    'condition-of-what-is-rounding',
    _MEASURES + 'kernels.py',
    '/ jnp.maximum(values[-1], floor)',
    '/ values[-1]',
    (
      'tests/measures/kernels_test.py'
      '::test_a_singular_kernel_is_as_bad_as_can_be_told',
    ),
  ),
  Mutant(
    'saturated-at-the-upper-bound-alone',
    _MEASURES + 'units.py',
    '(features <= low + width) | (features >= high - width)',
    '(features >= high - width)',
    (_LOOKED + 'saturation_test.py::test_near_either_bound_counts',),
  ),
)
