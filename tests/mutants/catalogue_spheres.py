"""Faults in arms with settings, weights on spheres, running statistics."""

from tests.mutants.mutant import Mutant

_SPHERE = 'tests/interventions/on_sphere_test.py::test_'
_NETWORK = 'tests/networks/hyperspherical_test.py::test_'
_SKIPS = 'tests/networks/multi_skip_test.py::test_'
_STATISTICS = 'tests/training/device_statistics_test.py::test_'
_BINS = 'tests/agents/categorical_test.py::test_'
_ARMS = 'tests/forks/arm_settings_test.py::test_'
_INJECT = 'tests/interventions/inject_test.py::test_'

MUTANTS = (
  # --- Arms with other settings.
  Mutant(
    'arm-forgets-its-optimizer',
    'plasticity_rl/training/initial_state.py',
    'lambda path, fresh, kept=by_path: kept.pop(path, fresh), init(old.params)',
    'lambda path, fresh, kept=by_path: (kept.pop(path, 0), fresh)[1],'
    ' init(old.params)',
    (_ARMS + 'a_regularizer_from_the_fork_on[c_chain]',),
  ),
  Mutant(
    'arm-drops-what-does-not-fit',
    'plasticity_rl/training/initial_state.py',
    '    if by_path:\n',
    '    if False:\n',
    (_ARMS + 'settings_that_cannot_be',),
  ),
  # --- Confounds.
  Mutant(
    'first-draw-is-drawn-anew',
    'plasticity_rl/interventions/inject.py',
    "    if fresh == 'first_draw':\n",
    '    if False:\n',
    (_INJECT + 'a_first_draw_is_what_the_head_began_with[fresh]',),
  ),
  Mutant(
    'target-keeps-its-own-head',
    'plasticity_rl/interventions/inject.py',
    '        new_target = {**new_target, core.HEAD: params[core.HEAD]}\n',
    '        pass\n',
    (_INJECT + 'the_target_freezes_its_own_head_or_the_online_one',),
  ),
  # --- SimBaV2.
  Mutant(
    'rows-on-the-sphere',
    'plasticity_rl/sphere.py',
    '  return unit(w, axis=-2)\n',
    '  return unit(w, axis=-1)\n',
    (_NETWORK + 'what_is_drawn',),
  ),
  Mutant(
    'update-leaves-the-sphere',
    'plasticity_rl/learner/on_sphere.py',
    'return sphere.project(w + u) - w if',
    'return u if',
    (_SPHERE + 'every_optimizer_puts_them_back[False-adam]',),
  ),
  Mutant(
    'interventions-leave-the-sphere',
    'plasticity_rl/interventions/on_sphere.py',
    'return jnp.where(is_other & is_off, sphere.project(w), w)',
    'return w',
    (_SPHERE + 'interventions_leave_weights_on_the_sphere[fire]',),
  ),
  Mutant(
    'interventions-project-the-lagging-target',
    'plasticity_rl/interventions/on_sphere.py',
    'return jnp.where(is_other & is_off, sphere.project(w), w)',
    'return sphere.project(w)',
    (_SPHERE + 'what_is_not_changed_stays_to_the_bit',),
  ),
  Mutant(
    'observation-without-its-length',
    'plasticity_rl/networks/hyperspherical.py',
    'jnp.full_like(x[:, :1], SHIFT)',
    'jnp.full_like(x[:, :1], 0.0)',
    (_NETWORK + 'lengths_of_observations_are_seen',),
  ),
  Mutant(
    'no-gradient-at-zero',
    'plasticity_rl/sphere.py',
    'x * jax.lax.rsqrt(jnp.maximum(squares, SMALLEST**2))',
    'x / jnp.sqrt(squares)',
    (_NETWORK + 'features_that_are_all_zero_have_gradients',),
  ),
  Mutant(
    'target-of-the-highest-critic',
    'plasticity_rl/agents/categorical.py',
    'self.means(outputs).argmin(-1)',
    'self.means(outputs).argmax(-1)',
    (_BINS + 'the_target_is_moved_and_shared_by_the_bins_beside',),
  ),
  # --- Multi-skip heads.
  Mutant(
    'multi-skip-of-the-block-before',
    'plasticity_rl/networks/multi_skip.py',
    '+ found[0]]',
    '+ found[-1]]',
    (_SKIPS + 'by_hand[False]',),
  ),
  # --- Running statistics.
  Mutant(
    'returns-go-on-over-episodes',
    'plasticity_rl/training/device_statistics.py',
    "'now': jnp.where(last, 0.0, now),",
    "'now': now,",
    (_STATISTICS + 'rewards_are_scaled_by_returns',),
  ),
  Mutant(
    'each-device-its-own-mean',
    'plasticity_rl/training/device_statistics.py',
    '  batch_mean = shard.sum(x.sum(0)) / m\n',
    '  batch_mean = x.mean(0)\n',
    (_STATISTICS + 'devices_that_share_environments_agree',),
  ),
  Mutant(
    'evaluations-see-raw-observations',
    'plasticity_rl/training/rollout.py',
    'seen = device_statistics.normalize(env.statistics, observation)',
    'seen = observation',
    (_STATISTICS + 'agents_see_normalised_observations',),
  ),
)
