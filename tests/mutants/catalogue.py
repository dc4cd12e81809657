"""Faults to put in, one at a time, and the tests that have to notice.

Many are faults of public code for the same methods, which is why they are
worth guarding against. Name the narrowest tests: each costs a process.
"""

from tests.mutants import catalogue_agents
from tests.mutants import catalogue_control
from tests.mutants import catalogue_curves
from tests.mutants import catalogue_diagnostics
from tests.mutants import catalogue_environments
from tests.mutants import catalogue_host_loop
from tests.mutants import catalogue_jax_environments
from tests.mutants import catalogue_learner
from tests.mutants import catalogue_networks
from tests.mutants import catalogue_replay
from tests.mutants import catalogue_runs
from tests.mutants import catalogue_units
from tests.mutants.mutant import Mutant

_PARAMS = 'plasticity_rl/injection/params.py'
_OPTIMIZERS = 'plasticity_rl/injection/optimizers.py'
_TRANSFORM = 'plasticity_rl/injection/transform.py'
_SPLIT = 'plasticity_rl/split.py'
_ROOM = 'plasticity_rl/interventions/'
_METHODS = 'plasticity_rl/methods/'
_OUTPUTS = 'tests/injection/outputs_test.py::test_'
_TRAINING = 'tests/injection/training_test.py::test_'
_OPTIMIZER = 'tests/injection/optimizer_test.py::test_'
_SLOTS = 'tests/injection/slots_test.py::test_'
_COST = 'tests/injection/cost_test.py::test_'
_PROPERTIES = 'tests/properties/interventions_test.py::test_'
_UPDATES = 'tests/properties/updates_test.py::test_'
_DRAWN = _PROPERTIES + 'what_is_drawn_is_distributed_as_the_initialisers'

MUTANTS = (
  # --- Which terms there are, and how they are summed.
  Mutant(
    'original-not-frozen',
    _PARAMS,
    '    freeze_original: bool = True,\n',
    '    freeze_original: bool = False,\n',
    (_OUTPUTS + 'as_many_parameters_learn[grow]',),
    'Plasticine, awjuliani',
  ),
  Mutant(
    'third-term-missing',
    _PARAMS,
    '    third_term: bool = True,\n',
    '    third_term: bool = False,\n',
    (_OUTPUTS + 'predictions_stay[plain-0-grow]',),
  ),
  Mutant(
    'third-term-detached-from-the-encoder',
    _SPLIT,
    '        lambda p: self._split(self.head_apply(p, features))[0]\n',
    '        lambda p: self._split(self.head_apply(\n'
    '            p, jax.lax.stop_gradient(features)))[0]\n',
    (_TRAINING + 'the_encoder_learns_through_every_term',),
    'Plasticine',
  ),
  Mutant(
    'wrong-sign',
    _PARAMS,
    'added += [(fresh, -1.0)]',
    'added += [(fresh, 1.0)]',
    (_OUTPUTS + 'predictions_stay[plain-0-grow]',),
  ),
  Mutant(
    'wrong-sign-in-slots',
    _PARAMS,
    'jnp.array([1.0, -1.0 if third_term else 0.0], jnp.float32)',
    'jnp.array([1.0, 1.0 if third_term else 0.0], jnp.float32)',
    (_OUTPUTS + 'predictions_stay[plain-0-slots]',),
  ),
  Mutant(
    'summed-in-another-order',
    _SPLIT,
    """    total.extend(
        _add(new, cancel)
        for cancel, new in zip(terms[::2], terms[1::2], strict=True)
    )
""",
    '    total.extend(terms)\n',
    (_OUTPUTS + 'a_new_pair_cancels_before_it_meets_the_rest',),
  ),
  Mutant(
    'pair-copied-from-the-old-head',
    _PARAMS,
    '  fresh = net.draw_head(key)\n',
    "  fresh = getattr(params[HEAD], 'trainable', params[HEAD])\n",
    (_OUTPUTS + 'the_new_head_is_a_draw_of_the_initialiser',),
    "Guozheng-Ma's port",
  ),
  Mutant(
    'slot-opened-over-the-newest',
    _PARAMS,
    '          [stack[2:], old[None], new[None]]\n',
    '          [stack[:-2], old[None], new[None]]\n',
    (_SLOTS + 'slots_equal_growing',),
  ),
  Mutant(
    'full-slots-not-noticed',
    _PARAMS,
    '  full = head.signs[0] != 0\n',
    '  full = head.signs[0] > 1\n',
    (_SLOTS + 'full_slots_change_nothing',),
  ),
  Mutant(
    'full-slots-reset-the-optimizer',
    _TRANSFORM,
    "  if options.get('slots'):\n",
    '  if False:\n',
    (_SLOTS + 'full_slots_change_nothing',),
    'this code, until this test',
  ),
  # --- What learns, and what it costs.
  Mutant(
    'head-not-in-the-optimizer',
    _OPTIMIZERS,
    'trainable=constant(True, node.trainable)',
    'trainable=constant(False, node.trainable)',
    (_TRAINING + 'frozen_heads_stay_through_three_injections_and_then_go',),
    'Plasticine',
  ),
  Mutant(
    'frozen-heads-counted-as-learning',
    _OPTIMIZERS,
    'frozen=constant(False, node.frozen)',
    'frozen=constant(True, node.frozen)',
    (_OUTPUTS + 'masks_are_opposites_of_the_trees_own_structure',),
  ),
  Mutant(
    'frozen-updates-pass-through',
    _OPTIMIZERS,
    '      optax.masked(optax.set_to_zero(), frozen_mask),\n',
    '      optax.identity(),\n',
    (
      _OPTIMIZER + 'frozen_leaves_get_zeros_whatever_their_gradient'
      '[masked-adam]',
    ),
    'optax.masked used alone',
  ),
  Mutant(
    'frozen-updated-by-the-agent',
    'plasticity_rl/agents/base.py',
    'p + u if learns else p',
    'p + u',
    (_OPTIMIZER + 'an_agents_update_does_not_touch_frozen_leaves',),
  ),
  Mutant(
    'weight-gradients-of-frozen-heads',
    _SPLIT,
    'frozen, signs = jax.lax.stop_gradient((head.frozen, head.signs))',
    'frozen, signs = head.frozen, head.signs',
    (_COST + 'injection_costs_two_more_heads_and_no_more',),
  ),
  Mutant(
    'clip-norm-sees-frozen-leaves',
    _OPTIMIZERS,
    '  before = masked(before or optax.identity())\n',
    '  before = before or optax.identity()\n',
    (_OPTIMIZER + 'clipping_does_not_see_frozen_leaves[config]',),
  ),
  # --- The optimizer's state.
  Mutant(
    'encoder-state-reset',
    _TRANSFORM,
    "    elif optimizer_state == 'reset_all' and not _is_schedules(path):\n",
    '    elif not _is_schedules(path):\n',
    (
      _OPTIMIZER + 'the_heads_state_is_fresh_and_the_rest_untouched'
      '[1-grouped-adam]',
    ),
    'k1seul rebuilds the optimizer',
  ),
  Mutant(
    'head-state-kept',
    _TRANSFORM,
    "      if optimizer_state == 'keep':\n",
    '      if True:\n',
    (
      _OPTIMIZER + 'the_heads_state_is_fresh_and_the_rest_untouched'
      '[1-grouped-rmsprop]',
    ),
  ),
  Mutant(
    'adam-count-kept',
    _TRANSFORM,
    '    elif _is_heads(path, parts):\n',
    '    elif _is_heads(path, parts) and getattr(\n'
    "        path[-1], 'name', '') != 'count':\n",
    (_OPTIMIZER + 'the_first_step_of_the_new_head_is_a_fresh_adams',),
    'Dopamine ReDo',
  ),
  Mutant(
    'head-of-an-encoder-taken-for-the-head',
    _TRANSFORM,
    'parts = {*new_params, *GROUPS, REST}',
    'parts = {HEAD}',
    (_OPTIMIZER + 'a_head_inside_the_encoder_is_the_encoders',),
    'this code, until this test',
  ),
  Mutant(
    'schedule-restarted',
    _TRANSFORM,
    "  return bool(keys & {'before', 'after'}) and not keys & {*GROUPS, REST}",
    '  return False\n',
    (_OPTIMIZER + 'reset_all_starts_anew_but_for_schedules[grouped-adam]',),
    'this code, until this test',
  ),
  # --- The target.
  Mutant(
    'target-not-injected',
    _ROOM + 'inject.py',
    'new_target = core.inject_params(key, network, new_target, **options)',
    'pass',
    (
      _PROPERTIES + 'frozen_heads_change_only_where_promised'
      '[dqn_mlp-fresh-injection]',
    ),
  ),
  Mutant(
    'target-copied-from-online',
    _ROOM + 'inject.py',
    'new_target = core.inject_params(key, network, new_target, **options)',
    'new_target = params',
    (_PROPERTIES + 'predictions_stay_where_promised[dqn_mlp-fresh-injection]',),
    'k1seul',
  ),
  Mutant(
    'another-draw-in-the-target',
    _ROOM + 'inject.py',
    'core.inject_params(key, network, new_target, **options)',
    'core.inject_params(key + 1, network, new_target, **options)',
    (
      _PROPERTIES + 'online_and_target_receive_the_same'
      '[dqn_mlp-fresh-injection]',
    ),
  ),
  Mutant(
    'target-never-takes-over',
    'plasticity_rl/agents/base.py',
    '      updates % period == 0,\n',
    '      updates < 0,\n',
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
    'reset-leaves-the-target',
    _METHODS + 'resets.py',
    '    target=None if target is None else fill(target),\n',
    '    target=target,\n',
    (_PROPERTIES + 'what_learns_changes_where_promised[dqn_mlp-fresh-reset]',),
  ),
  Mutant(
    'reset-keeps-frozen-heads',
    _ROOM + 'reset.py',
    '    return core.drop_frozen(params, slots=slots)\n',
    '    return params\n',
    (
      _PROPERTIES + 'frozen_heads_change_only_where_promised'
      '[dqn_mlp-injected-reset]',
    ),
  ),
  Mutant(
    'reset-keeps-the-optimizers-state',
    _ROOM + 'reset.py',
    "base.reset_groups(net, new, groups) if optimizer == 'reset' else new",
    'new',
    (
      _PROPERTIES + 'optimizer_state_starts_anew_where_promised'
      '[dqn_mlp-fresh-reset]',
    ),
    'Plasticine, for its layer resets',
  ),
  Mutant(
    'reset-draws-at-another-scale',
    _METHODS + 'resets.py',
    'redraw_masked(state, mask, network.draw(key, init, plain), count)\n',
    'redraw_masked(state, mask, jax.tree.map(\n'
    '      lambda x: 1.5 * x, network.draw(key, init, plain)), count)\n',
    (_DRAWN + '[dqn_conv]',),
  ),
  Mutant(
    'every-seed-draws-alike',
    _ROOM + 'base.py',
    '    del batch\n    keys = jax.random.split(key, len(names))\n',
    '    del batch\n'
    '    keys = jax.random.split(\n'
    '        jax.random.PRNGKey(0), len(names))\n',
    (
      _PROPERTIES + 'online_and_target_receive_the_same'
      '[dqn_mlp-fresh-injection]',
    ),
  ),
  Mutant(
    'shrink-and-perturb-touches-frozen-heads',
    _METHODS + 'shrink_and_perturb.py',
    '  return replace_trainable(params, plain)\n',
    '  return replace_trainable(jax.tree.map(\n'
    '      lambda p: shrink * p, params), plain)\n',
    (
      _PROPERTIES + 'frozen_heads_change_only_where_promised'
      '[dqn_mlp-injected-shrink_and_perturb]',
    ),
  ),
  Mutant(
    'shrink-and-perturb-leaves-the-target',
    _ROOM + 'shrink_and_perturb.py',
    'target=None if state.target is None else change(state.target)',
    'target=state.target',
    (
      _PROPERTIES + 'what_learns_changes_where_promised'
      '[dqn_mlp-fresh-shrink_and_perturb]',
    ),
  ),
  Mutant(
    'schedules-restart-with-the-groups',
    _ROOM + 'base.py',
    'return fresh if group in groups else old\n',
    'return fresh if len(groups) == 2 or group in groups else old\n',
    (
      _PROPERTIES + 'optimizer_state_starts_anew_where_promised'
      '[dqn_mlp-fresh-optimizer_reset]',
    ),
  ),
  # --- When interventions happen, and who acts after them.
  Mutant(
    'criterion-without-patience',
    'plasticity_rl/training/criteria.py',
    "known & cooled_down & (observed['in_a_row'] >= self.criterion.patience)",
    "known & cooled_down & (observed['in_a_row'] >= 1)",
    ('tests/training/criteria_test.py::test_patience_is_in_a_row',),
  ),
  Mutant(
    'plateau-against-the-last-value',
    'plasticity_rl/training/criteria.py',
    '      reference = highest_before + number\n',
    "      reference = observed['last'] + number\n",
    (
      'tests/training/criteria_test.py::'
      'test_a_value_below_the_last_counts_from_the_highest',
    ),
  ),
  Mutant(
    'criterion-fires-in-every-seed',
    'plasticity_rl/training/experiment.py',
    '        return jnp.where(each, new, old)\n',
    '        return jnp.where(each.any(), new, old)\n',
    ('tests/run/triggers_test.py::test_each_seed_by_itself',),
  ),
  Mutant(
    'period-counted-before-the-update',
    'plasticity_rl/learner/learner.py',
    'hook, event_key, nets, intervention_states, batch, updates + i + 1, shard',
    'hook, event_key, nets, intervention_states, batch, updates + i, shard',
    ('tests/run/triggers_test.py::test_period_of_updates',),
  ),
  Mutant(
    'reset-keeps-the-initial-weights',
    _METHODS + 'resets.py',
    '    initial=None if initial is None else select(mask, fresh, initial),\n',
    '    initial=initial,\n',
    (_PROPERTIES + 'initial_weights_follow_what_is_drawn_again',),
  ),
  Mutant(
    'old-policy-acts-forever',
    _ROOM + 'acting.py',
    "  return Acting(nets, old, step < kept['until'])\n",
    "  return Acting(nets, old, step < 2 * kept['until'])\n",
    ('tests/training/acting_test.py::test_the_old_policy_acts_for_some_steps',),
  ),
  Mutant(
    'values-bootstrapped-through-a-truncation',
    'benchmarks/recorded.py',
    '    after = np.where(last[t], np.nan, after)\n',
    '',
    ('tests/benchmarks/recorded_test.py::test_monte_carlo_by_hand',),
  ),
  *catalogue_agents.MUTANTS,
  *catalogue_units.MUTANTS,
  *catalogue_networks.MUTANTS,
  *catalogue_diagnostics.MUTANTS,
  *catalogue_environments.MUTANTS,
  *catalogue_control.MUTANTS,
  *catalogue_jax_environments.MUTANTS,
  *catalogue_host_loop.MUTANTS,
  *catalogue_replay.MUTANTS,
  *catalogue_learner.MUTANTS,
  *catalogue_runs.MUTANTS,
  *catalogue_curves.MUTANTS,
)
