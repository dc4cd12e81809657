"""Which tests `make test-fast` and `make test` leave out, and which go first.

A name is the beginning of a test's: its file under `tests`, or more of it.
"""

# Files that take many seconds: not for `make test-fast`.
SLOW = (
  'agents/drq_test',
  'agents/sac_test',
  'benchmarks/accelerator_test',
  'benchmarks/recorded_test',
  'diagnostics/hessian_test',
  'diagnostics/registry_test',
  'environments/dmc_test',
  'environments/minatar_sequence_test',
  'environments/registry_test',
  'environments/shortest_episode_test',
  'environments/varying_test',
  'examples_test',
  'forks/diagnosis_test',
  'forks/fork_test',
  'forks/proxies_test',
  'interventions/',
  'launch/engines_test',
  'launch/job_test',
  'launch/pool_test',
  'launch/studies_test',
  'learner/regularizers/registry_test',
  'methods/libraries_test',
  'methods/units_test',
  'networks/ensemble_test',
  'networks/precision_test',
  'process_test',
  'properties/',
  'replay/device_ring_test',
  'replay/earlier_layout_test',
  'run/memory_test',
  'run/triggers_test',
  'training/acting_test',
  'training/changing_tasks_test',
  'training/continuous_actions_test',
  'training/hooks_test',
  'training/noise_test',
  'training/own_jax_environment_test',
  'training/rollout_test',
)

# One more combination of what other tests cover, each of many seconds: for
# `make test-exhaustive` alone.
EXHAUSTIVE = (
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[c',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[d',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[h',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[i',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[m',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[s',
  'benchmarks/accelerator_test.py::test_a_part_in_its_smallest_form[u',
  'diagnostics/ntk_test.py::test_summed_over_outputs_as_by_all_their_gradients['
  'dqn_normed',
  'diagnostics/registry_test.py::test_what_is_measured_is_a_number[classifier',
  'diagnostics/registry_test.py::test_what_is_measured_is_a_number[dqn_conv',
  'distributed/parallel_test.py::test_single_precision_agrees_in_norm',
  'distributed/parallel_test.py::test_what_a_step_asks_of_its_host',
  'interventions/redo_test.py::test_first_step_of_recycled_weights[reset-0.9',
  'interventions/self_normalized_resets_test.py::'
  'test_units_that_fell_silent_are_recycled_without_a_trace[conv]',
  'launch/end_to_end_test.py::test_diagnoses_that_share_their_prefix',
  'notebooks_test.py::test_a_notebook_runs[diagnose_catch]',
  'process_test.py::test_a_run_is_the_same_in_every_process[host]',
  'properties/checkpoints_test.py::'
  'test_every_outcome_comes_back_to_the_bit[drq_conv',
  'properties/updates_test.py::'
  'test_the_updates_own_metrics_see_the_injected_network',
  'properties/updates_test.py::'
  'test_updates_leave_frozen_heads_to_the_bit[dqn_normed-slots]',
  'run/hosts_test.py::test_a_replay_that_cannot_be_shared_out',
  'run/hosts_test.py::test_hosts_that_share_batches',
  'run/hosts_test.py::test_one_device_goes_on_from_two_hosts',
  'run/hosts_test.py::test_sac_learns_from_shared_batches',
  'run/hosts_test.py::test_three_processes',
  'run/hosts_test.py::test_two_processes',
  'run/process_test.py::test_stopped_and_continued',
  'run/runner_test.py::test_a_prefix_ends_as_the_run_passes_that_step[every',
  'run/triggers_test.py::test_a_single_seed_may_grow',
  'run/triggers_test.py::test_an_arm_that_goes_on_happening',
  'run/triggers_test.py::test_each_seed_by_itself',
  'run/triggers_test.py::test_inside_the_loop_is_as_after_each_update[sup',
  'test_calibration.py::test_continual_catch',
  'test_cli.py::test_two_devices_of_the_cpu_share_the_seeds',
  'training/acting_test.py::test_replay_ratio_is_raised_when_it_is_time',
  'training/acting_test.py::test_runs_and_resumes_to_the_bit',
  'training/changing_tasks_test.py::test_a_gradual_change_takes_as_long',
  'training/control_problems_test.py::test_sac_swings_the_pendulum_up',
  'training/control_problems_test.py::test_a_few_steps_of_every_variant[a',
  'training/control_problems_test.py::test_a_few_steps_of_every_variant['
  'cartpole,',
  'training/control_problems_test.py::test_a_few_steps_of_every_variant['
  'cartpole_',
  'training/control_problems_test.py::test_a_few_steps_of_every_variant[m',
  'training/control_problems_test.py::test_a_few_steps_of_every_variant['
  'pendulum,',
  'training/hooks_test.py::test_resumes_to_the_bit[dqn',
  'training/host_env_state_test.py::test_a_state_that_grows',
  'training/networks_test.py::test_a_larger_network_and_a_grown_one',
  'training/networks_test.py::test_stopped_after_an_injection_and_continued['
  'muon]',
  'training/networks_test.py::test_stopped_after_an_injection_and_continued['
  'upgd]',
  'training/own_jax_environment_test.py::'
  'test_seeds_differ_and_both_ends_are_stored[drq]',
  'training/own_jax_environment_test.py::'
  'test_seeds_differ_and_both_ends_are_stored[sac]',
  'training/own_jax_environment_test.py::'
  'test_the_control_arm_is_the_unforked_run[drq]',
  'training/own_jax_environment_test.py::'
  'test_the_control_arm_is_the_unforked_run[sac]',
  'training/parallel_test.py::',
  'training/real_environments_test.py::'
  'test_resumed_it_is_the_run_that_never_stopped[drq]',
  'training/real_environments_test.py::'
  'test_resumed_it_is_the_run_that_never_stopped[sequence]',
  'training/seeds_test.py::test_as_at_once',
  'wheel_test.py::test_a_study_by_the_installed_command',
)

# Files that take a minute and more, in processes of their own: first, so that
# at the end no process of tests waits for another.
FIRST = (
  'launch/slurm_test',
  'run/hosts_test',
  'distributed/parallel_test',
  'training/parallel_test',
  'launch/end_to_end_test',
  'test_calibration',
)
