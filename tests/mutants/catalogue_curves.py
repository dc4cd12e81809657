"""Faults in reading curves of other programs, and in comparing them."""

from tests.mutants.mutant import Mutant

_ROOM = 'plasticity_rl/analysis/curves/'
_PAIRING = 'tests/analysis/curves/pairing_test.py::test_'
_COMPARISON = 'tests/analysis/curves/comparison_test.py::test_'

MUTANTS = (
  Mutant(
    'runs-paired-by-their-order',
    _ROOM + 'pairing.py',
    'arms = {arm: [by_arm[arm][s] for s in seeds] for arm in order}\n',
    'arms = {arm: list(by_arm[arm].values())[:len(seeds)] for arm in order}\n',
    (
      _PAIRING + 'runs_are_paired_by_seed_whatever_their_order',
      _PAIRING + 'seeds_of_one_arm_alone_are_left_out_and_told',
    ),
  ),
  Mutant(
    'mean-over-points-where-steps-differ',
    _ROOM + 'pairing.py',
    'return float(np.trapezoid(values, at) / (end - begin))\n',
    'return float(np.mean(values))\n',
    (_PAIRING + 'joined_points_have_the_area_under_them',),
  ),
  Mutant(
    'the-fork-is-in-the-score',
    _ROOM + 'curve.py',
    'keep = (self.steps > after) & (self.steps <= until)\n',
    'keep = (self.steps >= after) & (self.steps <= until)\n',
    (_PAIRING + 'the_fork_itself_is_not_in_the_score',),
  ),
  Mutant(
    'curves-held-beyond-their-end',
    _ROOM + 'pairing.py',
    'if found.end > reach:\n',
    'if found.fork > reach:\n',
    (_PAIRING + 'windows_that_the_data_do_not_have[beyond]',),
  ),
  Mutant(
    'horizon-of-the-longest-run',
    _ROOM + 'pairing.py',
    'shortest = min(every, key=lambda c: int(c.steps[-1]))\n',
    'shortest = max(every, key=lambda c: int(c.steps[-1]))\n',
    (_PAIRING + 'the_window_is_what_every_run_has',),
  ),
)
