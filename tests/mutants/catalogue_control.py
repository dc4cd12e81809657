"""Faults in control problems on the device, and in what changes in them."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/environments/'
_TESTS = 'tests/environments/'

MUTANTS = (
  Mutant(
    'the-pictures-of-before-are-lost',
    'plasticity_rl/environments/pendulum_pixels.py',
    '      lambda old, new: jnp.append(old[1:], new), state.recent, after\n',
    '      lambda old, new: jnp.full_like(old, new), state.recent, after\n',
    (
      _TESTS
      + 'pendulum_pixels_test.py'
      + '::test_it_is_the_pendulum_with_its_last_pictures',
    ),
  ),
  # --- Equations of motion, and the ends of episodes.
  Mutant(
    'cartpole-moves-by-the-new-velocity',
    _ROOM + 'cartpole.py',
    '      x + DT * x_dot,\n',
    '      x + DT * (x_dot + DT * acceleration),\n',
    (_TESTS + 'cartpole_test.py::test_equals_gymnasium',),
    "Gymnasium's other integrator",
  ),
  Mutant(
    'acrobot-of-the-paper',
    _ROOM + 'acrobot.py',
    ' - coupling * velocity_1**2 * sin - phi_2\n',
    ' - phi_2\n',
    (_TESTS + 'acrobot_test.py::test_equals_gymnasium',),
    "Gymnasium's book_or_nips",
  ),
  Mutant(
    'pendulum-rewarded-after-the-step',
    _ROOM + 'pendulum.py',
    """    state = State(state.theta + velocity * DT, velocity)
    return state, -cost, jnp.array(False)
""",
    """    state = State(state.theta + velocity * DT, velocity)
    cost = angle**2 + 0.1 * velocity**2 + 0.001 * torque**2
    return state, -cost, jnp.array(False)
""",
    (_TESTS + 'pendulum_test.py::test_equals_gymnasium',),
  ),
  Mutant(
    'mountain-car-bounces-off-the-wall',
    _ROOM + 'mountain_car.py',
    'jnp.where(stopped, 0.0, velocity)',
    'jnp.where(stopped, -velocity, velocity)',
    (_TESTS + 'mountain_car_test.py::test_leaving_the_valley_terminates',),
  ),
  Mutant(
    'swingup-without-ends-of-the-rail',
    _ROOM + 'cartpole_swingup.py',
    '  cart += force\n',
    '',
    (_TESTS + 'cartpole_swingup_test.py::test_the_rail_ends',),
  ),
  Mutant(
    'swingup-pole-is-a-thin-rod',
    _ROOM + 'cartpole_swingup.py',
    '    inertia + mass * half**2,\n',
    '    mass * length**2 / 3,\n',
    (_TESTS + 'cartpole_swingup_test.py::test_fifty_steps_equal_the_suite',),
  ),
  # --- Tasks that change gradually, and physics that changes.
  Mutant(
    'gradual-task-jumps-at-the-switch',
    _ROOM + 'gradual.py',
    '  return Change(change.after, draw(key), ',
    '  return Change(draw(key), change.before, ',
    (_TESTS + 'gradual_test.py::test_a_change_goes_from_task_to_task',),
  ),
  Mutant(
    'exchange-overwrites-what-was-there',
    _ROOM + 'permutations.py',
    '  for _ in range(max(size - 1, 1).bit_length()):\n',
    '  for _ in range(1):\n',
    (_TESTS + 'permutations_test.py::test_exchanges_one_after_the_other[50]',),
  ),
  Mutant(
    'factors-uniform-not-their-logarithms',
    _ROOM + 'varying.py',
    '    return jax.random.uniform(key, [len(names)], minval=-bound, '
    'maxval=bound)\n',
    '    return jnp.log(jax.random.uniform(key, [len(names)], '
    'minval=1 / factor, maxval=factor))\n',
    (_TESTS + 'varying_test.py::test_factors_are_uniform_in_their_logarithm',),
  ),
  Mutant(
    'gradual-length-ignores-the-number-of-environments',
    'plasticity_rl/training/trainer_builder.py',
    'task.gradual * task.switch_every_steps // task.num_envs',
    'task.gradual * task.switch_every_steps',
    (
      'tests/training/changing_tasks_test.py::'
      'test_a_gradual_change_takes_as_long_as_a_task',
    ),
  ),
  # --- Sequences of tasks on the host.
  Mutant(
    'evaluation-in-the-next-task',
    _ROOM + 'task_sequence.py',
    '    done = max(steps - 1, 0) if self._evaluation else steps\n',
    '    done = steps\n',
    (_TESTS + 'task_sequence_test.py::test_an_evaluation_stays_in_the_task',),
  ),
  Mutant(
    'switch-of-tasks-terminates',
    _ROOM + 'task_sequence.py',
    '      last=np.ones_like(result.last),\n',
    '      last=np.ones_like(result.last),\n'
    '      discount=np.zeros_like(result.discount),\n',
    (
      _TESTS + 'task_sequence_test.py::'
      'test_a_switch_truncates_and_goes_on_to_the_next_task',
    ),
  ),
  Mutant(
    'evaluation-always-of-the-first-task',
    'plasticity_rl/training/host_evaluation.py',
    '      return self._environments.begin(seeds, steps)\n',
    '      return self._environments.begin(seeds)\n',
    (
      'tests/training/host_evaluation_test.py::'
      'test_a_sequence_is_evaluated_in_the_task_that_is_learned',
    ),
  ),
)
