"""Faults in runs, their prefixes, and what comes in from outside."""

from tests.mutants.mutant import Mutant

_RUNNER = 'tests/run/runner_test.py::test_'
_PREFIX = _RUNNER + 'a_prefix_ends_as_the_run_passes_that_step'
_VALUES = 'tests/settings/values_test.py::test_'
_METRICS = 'tests/run/metrics_test.py::test_'
_PRIMING = 'tests/training/priming_test.py::test_chunks_of_priming_draw_other'
_PROCESS = 'tests/process_test.py::test_'

MUTANTS = (
  Mutant(
    'prefix-without-what-happens-at-its-end',
    'plasticity_rl/run/runner.py',
    'return self._step < max(self._end, self._schedule.num_steps)\n',
    'return self._step < self._end\n',
    (_PREFIX + '[every_steps=10]',),
  ),
  Mutant(
    'shared-prefix-without-the-period-at-its-end',
    'launch/sharing.py',
    'if when.every_steps > step:\n',
    'if when.every_steps >= step:\n',
    (
      'tests/launch/sharing_test.py::'
      'test_a_prefix_that_ends_at_a_period_contains_it[100]',
    ),
  ),
  Mutant(
    'job-tried-again-starts-from-its-prefix',
    'launch/job.py',
    'if checkpoints.exists() and any(checkpoints.iterdir()):\n',
    'if False:\n',
    (
      'tests/launch/job_test.py::'
      'test_a_job_that_is_tried_again_keeps_its_own_checkpoints',
    ),
  ),
  Mutant(
    'priming-draws-the-same-again-on-the-device',
    'plasticity_rl/training/device_loop.py',
    'jax.random.fold_in(root, counters.updates),\n',
    'root,\n',
    (_PRIMING + '_batches[on_the_device]',),
  ),
  Mutant(
    'priming-draws-the-same-again-on-the-host',
    'plasticity_rl/training/host_trainer.py',
    "'prime',\n        counters.updates,\n",
    "'prime',\n        0,\n",
    (_PRIMING + '_batches[on_the_host]',),
  ),
  Mutant(
    'targets-see-images-as-they-are',
    'plasticity_rl/agents/drq.py',
    'self._shifted(keys, batch.s_t, num_values + k)\n',
    'batch.s_t\n',
    (
      'tests/agents/drq_test.py::'
      'test_the_loss_and_its_target_both_see_shifted_images[s_tm1]',
    ),
  ),
  Mutant(
    'targets-shifted-as-values',
    'plasticity_rl/agents/drq.py',
    'self._shifted(keys, batch.s_t, num_values + k)\n',
    'self._shifted(keys, batch.s_t, k)\n',
    (
      'tests/agents/drq_test.py::'
      'test_all_views_of_an_image_are_shifted_differently',
    ),
  ),
  Mutant(
    'items-of-tuples-unchecked',
    'plasticity_rl/settings/fields.py',
    'self.items(path, value)\n',
    'pass\n',
    (_VALUES + 'a_return_range_is_two_finite_numbers',),
  ),
  Mutant(
    'nan-evaluation-is-a-blank-cell',
    'plasticity_rl/run/metrics.py',
    "nothing = np.full(len(values), '/dormant_overlap/' in name)\n",
    'nothing = np.full(len(values), True)\n',
    (_METRICS + 'what_was_not_measured_is_not_a_nan',),
  ),
  Mutant(
    'nan-evaluation-goes-on',
    'plasticity_rl/run/recorder.py',
    'if not np.isfinite(returns).all():\n',
    'if False:\n',
    (_RUNNER + 'an_evaluation_without_a_number_stops_the_run',),
  ),
  Mutant(
    'process-not-put-back',
    'plasticity_rl/process.py',
    'if getattr(jax.config, name) != value:\n',
    'if False:\n',
    (_PROCESS + 'what_was_set_is_told_and_put_back',),
  ),
  Mutant(
    'statistics-widen-under-x64',
    'plasticity_rl/methods/base.py',
    'lambda n, o: n.astype(o.dtype), new, old\n',
    'lambda n, o: n, new, old\n',
    (_PROCESS + 'methods_keep_dtypes_in_a_loop',),
  ),
)
