"""Faults in regularisers, architectures, optimizers and sizes."""

from tests.mutants import catalogue_spheres
from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/interventions/'
_PROPERTIES = 'tests/properties/interventions_test.py::test_'
_LOSSES = 'plasticity_rl/losses.py'
_LOSSES_TESTS = 'tests/losses_test.py::test_'
_REGULARIZERS = 'plasticity_rl/learner/regularizers/'
_REGULARIZERS_TESTS = 'tests/learner/regularizers/'
_C_CHAIN_TESTS = _REGULARIZERS_TESTS + 'c_chain_test.py::test_'
_NETWORKS = 'plasticity_rl/networks/'
_NETWORKS_TESTS = 'tests/networks/'
_LEARNER = 'plasticity_rl/learner/'
_LEARNER_TESTS = 'tests/learner/'

MUTANTS = (
  # --- Regularisers.
  Mutant(
    'l2-init-pulls-to-zero',
    _LOSSES,
    'return _sum_of_squares(jax.tree.map(jnp.subtract, params, initial))',
    'return _sum_of_squares(params)',
    (
      _LOSSES_TESTS + 'l2_init_is_zero_where_'
      'nothing_moved_and_grows_with_distance',
    ),
  ),
  Mutant(
    'l2-sees-frozen-heads',
    _LOSSES,
    'return _sum_of_squares(*checks.learning(params=params))',
    "return _sum_of_squares(checks.tree('params', params))",
    (_LOSSES_TESTS + 'frozen_heads_are_left_alone',),
  ),
  Mutant(
    'parseval-of-inputs-for-units',
    _LOSSES,
    'gram = matrix @ matrix.T',
    'gram = matrix.T @ matrix',
    (_LOSSES_TESTS + 'parseval_is_the_distance_of_the_gram_matrix[shape0]',),
  ),
  Mutant(
    'spectral-norm-of-another-vector',
    _LOSSES,
    '  u = _unit(fixed @ v)\n',
    '  u = _unit(matrix @ matrix[0])\n',
    (_LOSSES_TESTS + 'spectral_norm_is_numpys[shape0]',),
  ),
  Mutant(
    'infer-towards-the-present',
    _REGULARIZERS + 'registry.py',
    'output, network.apply(state.initial, inputs), config.infer_scale',
    'output, output, config.infer_scale',
    (
      _REGULARIZERS_TESTS + 'registry_test.py::'
      'test_each_is_what_its_function_says[infer]',
    ),
  ),
  Mutant(
    'churn-on-the-batch-of-the-update',
    _LEARNER + 'learner.py',
    'update_key, nets, batch, updates + i, shard, reference',
    'update_key, nets, batch, updates + i, shard, None',
    (_C_CHAIN_TESTS + 'the_learner_draws_a_second_batch',),
  ),
  Mutant(
    'one-batch-on-the-host-for-both',
    'plasticity_rl/training/host_programs.py',
    'self.batches_per_update = 2 if agent.spec.has_reference else 1',
    'self.batches_per_update = 1',
    (
      'tests/training/host_trainer_test.py::'
      'test_an_update_with_a_second_batch_has_two',
    ),
  ),
  Mutant(
    'the-network-before-is-the-one-to-come',
    _REGULARIZERS + 'c_chain.py',
    'jax.tree.map(jnp.subtract, injection.trainable(state.params), last)',
    'jax.tree.map(jnp.add, injection.trainable(state.params), last)',
    (
      _C_CHAIN_TESTS + 'the_network_before_is_that_before_the_last_'
      'update[adam]',
    ),
  ),
  Mutant(
    'coefficient-by-the-loss-with-its-sign',
    _REGULARIZERS + 'c_chain.py',
    'losses = _DECAY * losses + jnp.abs(metrics[LOSS])',
    'losses = _DECAY * losses + metrics[LOSS]',
    (_C_CHAIN_TESTS + 'by_hand',),
  ),
  Mutant(
    'a-reset-head-is-held-to-the-old-one',
    'plasticity_rl/interventions/base.py',
    "if n not in ('before', 'after', None)",
    'if n is not None',
    (_C_CHAIN_TESTS + 'a_reset_forgets_the_update_of_what_it_draws',),
  ),
  # --- Architectures.
  Mutant(
    'weight-norm-over-units',
    'plasticity_rl/weight_norm.py',
    'tuple(range(w.ndim - 1))',
    'tuple(range(1, w.ndim))',
    (_NETWORKS_TESTS + 'norms_test.py::test_weight_norm_by_unit',),
  ),
  Mutant(
    'layer-norm-over-the-batch',
    _NETWORKS + 'layer_norm.py',
    'axes = tuple(range(1, x.ndim))',
    'axes = tuple(range(x.ndim))',
    (_NETWORKS_TESTS + 'norms_test.py::test_layer_norm_by_hand',),
  ),
  Mutant(
    'features-of-a-unit-interleaved',
    _NETWORKS + 'crelu.py',
    'jnp.concatenate([jax.nn.relu(x), jax.nn.relu(-x)], -1)',
    'jnp.stack([jax.nn.relu(x), jax.nn.relu(-x)], -1).reshape('
    '*x.shape[:-1], -1)',
    (
      _NETWORKS_TESTS + 'activations_test.py::test_features_of_a_unit_are_'
      'where_the_layer_says[crelu]',
    ),
  ),
  Mutant(
    'flattened-channels-count-units',
    _NETWORKS + 'sequential.py',
    'channels = config.units(filters) * config.features_per_unit',
    'channels = config.units(filters)',
    (
      _NETWORKS_TESTS + 'activations_test.py::'
      'test_sizes_with_two_features_a_unit[crelu-features-1]',
    ),
  ),
  Mutant(
    'norms-survive-a-reset-of-their-layer',
    'plasticity_rl/methods/resets.py',
    '    mask = put_path(mask, path, ones)\n',
    '    mask = put_path(mask, path, {**get_path(mask, path), **{\n'
    "        k: ones[k] for k in ('w', 'b')}})\n",
    (
      _PROPERTIES + 'what_learns_changes_where_promised'
      '[dqn_normed-injected-reset(scope="last")]',
    ),
  ),
  Mutant(
    'a-block-without-its-inputs',
    _NETWORKS + 'simba.py',
    'return h, x + outer(h)',
    'return h, outer(h)',
    (_NETWORKS_TESTS + 'simba_test.py::test_by_hand',),
  ),
  Mutant(
    'no-norm-before-the-last-layer',
    _NETWORKS + 'sequential.py',
    'norms = dataclasses.replace(norms, inputs=True)\n',
    'pass\n',
    (_NETWORKS_TESTS + 'simba_test.py::test_by_hand',),
  ),
  Mutant(
    'units-recycled-with-the-norm-of-their-inputs',
    'plasticity_rl/methods/units.py',
    'for k, x in into.items() if k not in INPUT_NORM}',
    'for k, x in into.items() if x.shape[-1] == mask.size}\n'
    '    of_units |= {k: x | mask.any() for k, x in into.items()\n'
    '                 if k in INPUT_NORM}',
    (
      _PROPERTIES + 'what_learns_changes_where_promised'
      '[dqn_simba-fresh-redo(tau=1e9)]',
    ),
  ),
  Mutant(
    'orthogonal-layers-of-a-sum-with-the-gain-of-relus',
    _NETWORKS + 'sequential.py',
    'gains = [1.0] * len(gains)\n',
    'pass\n',
    (
      _NETWORKS_TESTS + 'simba_test.py::test_a_block_starts_from_hes_'
      'distribution_and_others_keep_variance',
    ),
  ),
  # --- Optimizers.
  Mutant(
    'bias-correction-computed-and-discarded',
    _LEARNER + 'adam_per_weight.py',
    '(m / (1 - b1**n)) / (jnp.sqrt(v / (1 - b2**n)) + eps)',
    'm / (jnp.sqrt(v) + eps)',
    (
      _LEARNER_TESTS + 'adam_per_weight_test.py::'
      'test_is_adam_where_nothing_is_reset[1]',
    ),
    'Dohare et al. (AdamGnT)',
  ),
  Mutant(
    'one-count-for-all-weights',
    _LEARNER + 'adam_per_weight.py',
    'jax.tree.map(optax.safe_increment, state.count)',
    'jax.tree.map(lambda n: jnp.full_like(n, n.max() + 1), state.count)',
    (
      _LEARNER_TESTS + 'adam_per_weight_test.py::'
      'test_weights_that_are_reset_restart_as_fresh_ones',
    ),
  ),
  Mutant(
    'upgd-protects-the-useless',
    _LEARNER + 'upgd.py',
    '(1 - jax.nn.sigmoid(u / scale))',
    'jax.nn.sigmoid(u / scale)',
    (_LEARNER_TESTS + 'upgd_test.py::test_useful_weights_move_less',),
  ),
  Mutant(
    'upgd-repeats-its-noise',
    _LEARNER + 'upgd.py',
    'ScaleByUpgdState(utility, key, direction_state)\n',
    'ScaleByUpgdState(utility, state.key, direction_state)\n',
    (
      _LEARNER_TESTS + 'upgd_test.py::'
      'test_noise_is_of_its_scale_and_new_at_each_update',
    ),
  ),
  Mutant(
    'upgd-turns-the-order-round',
    _LEARNER + 'upgd.py',
    'largest > 0, largest, ',
    'largest != 0, largest, ',
    (
      _LEARNER_TESTS + 'upgd_test.py::'
      'test_order_of_utilities_holds_where_none_is_positive',
    ),
    "the authors' code",
  ),
  Mutant(
    'members-of-an-ensemble-as-one-matrix',
    _LEARNER + 'muon.py',
    'axes = 4 if w.ndim >= 4 else 2',
    'axes = w.ndim',
    (
      _LEARNER_TESTS + 'muon_test.py::'
      'test_filters_are_flattened_and_members_are_matrices_each',
    ),
  ),
  Mutant(
    'biases-of-members-as-matrices',
    _LEARNER + 'muon.py',
    "lambda path, _: [getattr(k, 'key', 0) for k in path[-1:]] == [_WEIGHT],",
    'lambda path, x: x.ndim > 1,',
    (_LEARNER_TESTS + 'muon_test.py::test_all_else_is_adams',),
  ),
  Mutant(
    'muon-of-the-gradient-before',
    _LEARNER + 'muon.py',
    'ahead = optax.tree.update_moment(gradients, mu, momentum, 1)',
    'ahead = mu',
    (_LEARNER_TESTS + 'muon_test.py::test_momentum_looks_a_step_ahead',),
  ),
  Mutant(
    'trac-of-the-step-for-the-way',
    _LEARNER + 'trac.py',
    'lambda new, old: scale * new - state.scale * old, total, state.total',
    'lambda new, old: scale * (new - old), total, state.total',
    (_LEARNER_TESTS + 'trac_test.py::test_by_hand',),
  ),
  Mutant(
    'trac-discounts-squares-like-sums',
    _LEARNER + 'trac.py',
    'variance = betas**2 * state.variance + h**2',
    'variance = betas * state.variance + h**2',
    (_LEARNER_TESTS + 'trac_test.py::test_by_hand',),
  ),
  Mutant(
    'trac-tuned-by-the-last-step',
    _LEARNER + 'trac.py',
    'h = optax.tree.vdot(gradients, state.total)',
    'h = optax.tree.vdot(gradients, directions)',
    (_LEARNER_TESTS + 'trac_test.py::test_by_hand',),
  ),
  Mutant(
    'sam-goes-downhill',
    'plasticity_rl/agents/sam.py',
    'lambda p, g: p + factor * g, params, gradients',
    'lambda p, g: p - factor * g, params, gradients',
    ('tests/agents/sam_test.py::test_goes_uphill_by_the_radius',),
  ),
  Mutant(
    'sam-sees-frozen-heads',
    'plasticity_rl/agents/sam.py',
    'lambda one, g: g if one else jnp.zeros_like(g), learns, gradients',
    'lambda one, g: g, learns, gradients',
    (
      'tests/agents/sam_test.py::'
      'test_frozen_heads_stay_and_are_no_part_of_the_norm',
    ),
  ),
  Mutant(
    'sam-steps-from-uphill',
    'plasticity_rl/agents/base.py',
    'gradients, _, _ = gradients_at(sam(state.params, gradients,'
    ' net.sam_radius))\n',
    'state = state._replace('
    'params=sam(state.params, gradients, net.sam_radius))\n'
    '    gradients, _, _ = gradients_at(state.params)\n',
    (
      'tests/agents/sam_test.py::'
      'test_a_step_takes_the_gradient_there_and_starts_here',
    ),
  ),
  # --- Sizes.
  Mutant(
    'one-frozen-head-an-injection',
    _NETWORKS + 'sizing.py',
    'total + 2 * injections * head',
    'total + injections * head',
    (_NETWORKS_TESTS + 'sizing_test.py::test_counts_what_injections_add[0]',),
  ),
  *catalogue_spheres.MUTANTS,
)
