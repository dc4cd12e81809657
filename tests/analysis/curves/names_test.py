import doctest

import pytest

from plasticity_rl.analysis.curves import names
from plasticity_rl.errors import UserError


@pytest.mark.parametrize(
  'name, arm, seed',
  (
    ('control_seed3', 'control', 3),
    ('control/seed_3', 'control', 3),
    ('control-s12', 'control', 12),
    ('injection/7', 'injection', 7),
    ('seed=2/injection', 'injection', 2),
    ('injection_2x_seed4', 'injection_2x', 4),  # No other number is the seed.
    ('resets4', 'resets', 4),  # An s inside of a word is no seed's.
    ('DQN lr0.5 seed 11', 'DQN lr0.5', 11),
  ),
)
def test_names_that_are_understood(name, arm, seed):
  assert names.parse(name, None) == (arm, seed)


def test_patterns():
  assert names.parse('a.b__c__3__17', '*__{arm}__{seed}__*') == ('c', 3)
  assert names.parse('c-3', '{arm}-{seed}') == ('c', 3)
  assert names.arm('run/c', 'run/{arm}') == 'c'
  assert names.arm('run/c', None) == 'run/c'
  assert not doctest.testmod(names).failed


@pytest.mark.parametrize(
  'name, pattern, message',
  (
    ('control', None, "no seed in the name of the run 'control': give --names"),
    ('seed3', None, "no arm in the name of the run 'seed3'"),
    ('control_3', '{arm}-{seed}', 'does not fit the run'),
    ('control_3', '{arm}', 'has no {seed}'),
    ('control_3', '{seed}', 'has no {arm}'),
    ('control_3', '{arm}_{id}', r'--names has {id}'),
    ('control_3', '{arm}_{arm}', r'{arm} and {seed} once each'),
  ),
)
def test_names_that_are_not(name, pattern, message):
  with pytest.raises(UserError, match=message):
    names.parse(name, pattern)
