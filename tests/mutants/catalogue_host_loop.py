"""Faults to plant in the loop of the host, and in what both loops draw."""

from tests.mutants.mutant import Mutant

_DATA = 'plasticity_rl/training/host_data_source.py'
_LOOP = 'plasticity_rl/training/host_segment.py'
_TRAINER = 'plasticity_rl/training/host_trainer.py'
_PROGRAMS = 'plasticity_rl/training/host_programs.py'
_ROLLOUT = 'plasticity_rl/training/rollout.py'
_TESTS = 'tests/training/host_trainer_test.py::test_'
_NOISE = 'tests/training/noise_test.py::test_'

MUTANTS = (
  Mutant(
    'replays-keep-the-earlier-task',
    _LOOP,
    '    if every and counters.step > 0 and counters.step % every == 0:\n',
    '    if every and counters.step < 0:\n',
    (
      'tests/training/changing_tasks_test.py'
      '::test_a_replay_on_the_host_is_emptied_at_the_switch',
    ),
  ),
  Mutant(
    'environments-not-put-back',
    _DATA,
    '      if not is_current:\n',
    '      if self._current is None:\n',
    (_TESTS + 'the_data_of_a_state_are_what_a_segment_starts_from',),
  ),
  Mutant(
    'emulators-go-on-through-a-checkpoint',
    _DATA,
    '    if is_current and step % self._save_every:\n',
    '    if is_current:\n',
    (_TESTS + 'a_run_resumed_is_the_run_that_never_stopped',),
  ),
  Mutant(
    'episodes-spliced-where-emulators-are-begun',
    _DATA,
    '      replay.end_episodes()\n',
    '      replay.num_stored\n',
    (_TESTS + 'a_run_resumed_is_the_run_that_never_stopped',),
  ),
  Mutant(
    'returns-go-on-through-episodes',
    _LOOP,
    '    returns[result.last] = 0\n',
    '',
    (_TESTS + 'returns_are_of_whole_episodes',),
  ),
  Mutant(
    'next-episode-stored-as-the-last-observation',
    _LOOP,
    '            result.observation, result.last,\n',
    '            result.next_observation, result.last,\n',
    (_TESTS + 'it_is_the_naive_loop',),
  ),
  Mutant(
    'overlapping-updates-act-at-once',
    _LOOP,
    '    if due and not overlap and self._is_ready():\n',
    '    if due and self._is_ready():\n',
    (_TESTS + 'it_is_the_naive_loop',),
  ),
  Mutant(
    'a-replay-shared-by-replicates',
    _TRAINER,
    '    replays = HostReplays([replay.copy() for _ in range(count)])\n',
    '    replays = HostReplays([replay for _ in range(count)])\n',
    (_TESTS + 'a_seed_is_continued_with_keys_of_its_own',),
  ),
  Mutant(
    'statistics-of-the-first-batch-alone',
    'plasticity_rl/training/running_statistics.py',
    'old_mean + delta * (added / total)[ones],',
    'old_mean + delta,',
    (_TESTS + 'the_normaliser_is_the_mean_and_variance_of_all',),
  ),
  # --- What differs from step to step.
  Mutant(
    'evaluation-repeats-its-noise',
    _ROLLOUT,
    'jax.random.split(jax.random.fold_in(play_key, t))',
    'jax.random.split(play_key)',
    (_NOISE + 'evaluation_on_the_device_draws_anew_at_each_step',),
  ),
  Mutant(
    'episodes-of-an-evaluation-share-their-noise',
    _ROLLOUT,
    '      jax.random.split(reset_key, config.episodes), task\n',
    '      jnp.tile(reset_key, (config.episodes, 1)), task\n',
    (_NOISE + 'episodes_of_an_evaluation_on_the_device_differ',),
  ),
  Mutant(
    'episodes-of-an-evaluation-share-the-noise-of-steps',
    _ROLLOUT,
    '        jax.random.split(step_key, config.episodes), state, action\n',
    '        jnp.tile(step_key, (config.episodes, 1)), state, action\n',
    (_NOISE + 'episodes_of_an_evaluation_on_the_device_differ',),
  ),
  Mutant(
    'evaluation-on-the-host-repeats-its-noise',
    _PROGRAMS,
    'agent.act_greedily(jax.random.fold_in(key, t), nets, observation)',
    'agent.act_greedily(key, nets, observation)',
    (_NOISE + 'evaluation_on_the_host_draws_anew_at_each_step',),
  ),
  Mutant(
    'noise-waits-for-an-update',
    'plasticity_rl/training/device_loop.py',
    'jax.random.fold_in(keys.run, counters.step)',
    'jax.random.fold_in(keys.run, counters.updates)',
    (_NOISE + 'steps_on_the_device_without_updates_have_noise_of_their_own',),
  ),
  Mutant(
    'acting-on-the-host-repeats-its-noise',
    _PROGRAMS,
    '  key, _ = jax.random.split(jax.random.fold_in(key, step))\n',
    '  key, _ = jax.random.split(key)\n',
    (_NOISE + 'steps_on_the_host_without_updates_have_noise_of_their_own',),
  ),
  Mutant(
    'host-samples-the-same-batch-again',
    _LOOP,
    "      'sample',\n      step,\n",
    "      'sample',\n      0,\n",
    (_NOISE + 'batches_on_the_host_are_drawn_anew[True]',),
  ),
  Mutant(
    'priming-on-the-host-samples-the-same-batch-again',
    _TRAINER,
    "        'prime',\n        counters.updates,\n",
    "        'prime',\n        0,\n",
    (_NOISE + 'batches_on_the_host_are_drawn_anew[True]',),
  ),
  Mutant(
    'priming-on-the-device-samples-the-same-batch-again',
    'plasticity_rl/training/device_loop.py',
    '      jax.random.fold_in(root, counters.updates),\n',
    '      root,\n',
    (_NOISE + 'updates_on_the_device_draw_anew[1.0]',),
  ),
  Mutant(
    'host-samples-by-name-alone',
    _DATA,
    'np.random.SeedSequence([*map(int, key), int(name_tag(name)), number])',
    'np.random.SeedSequence([*map(int, key), int(name_tag(name))])',
    (_NOISE + 'batches_on_the_host_are_not_those_of_the_step_before',),
  ),
  Mutant(
    'truncation-on-the-device-is-stored-as-termination',
    _ROLLOUT,
    '      timestep.reward,\n      timestep.discount,\n',
    '      timestep.reward,\n      timestep.discount * ~ended,\n',
    ('tests/training/truncation_test.py::test_on_the_device[2]',),
  ),
)
