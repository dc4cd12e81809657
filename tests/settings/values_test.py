"""Values of every type, where a config comes in: taken rightly, or a line."""

import fractions
import math
import pathlib

import hypothesis
import ml_collections
import numpy as np
import pytest

from benchmarks import fuzz_config
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis

few = hypothesis.settings(
  max_examples=150,
  deadline=None,
  derandomize=True,
  suppress_health_check=list(hypothesis.HealthCheck),
)
OWN = ('dqn', 'tests.environments.scripted:GymEnv')


def config(kind=('dqn', 'catch'), **changes):
  """A config with changes by dotted key."""
  tree = settings_lib.default_config(*kind).to_dict()
  changes = {k.replace('__', '.'): v for k, v in changes.items()}
  return fuzz_config.changed(tree, changes)


@few
@hypothesis.given(fuzz_config.configs())
def test_values_of_any_type(example):
  fuzz_config.resolved(*example)


@few
@hypothesis.given(fuzz_config.plausible(fuzz_config.KINDS))
def test_values_of_the_right_type(example):
  fuzz_config.resolved(*example)


@pytest.mark.slow
@hypothesis.settings(few, max_examples=6)
@hypothesis.given(fuzz_config.plausible())
def test_programs_are_built_or_refused(example):
  settings = fuzz_config.resolved(*example)
  if settings is not None:
    fuzz_config.built(settings, example[1])


def crash(config):
  raise TypeError('unhashable')


def unnamed(config):
  raise UserError('something is wrong')


def two_lines(config):
  raise UserError('num_seeds\nis wrong')


def forgetful(config):
  """Takes lists for something else than tuples."""
  wrong = isinstance(config['interventions'], list)
  return settings_lib.config.resolve({**config, 'seed': 5} if wrong else config)


@pytest.mark.parametrize('resolve', (crash, unnamed, two_lines, forgetful))
def test_the_search_sees_defects(monkeypatch, resolve):
  """One that finds everything right would show nothing."""
  changes = {'num_seeds': 3}
  assert fuzz_config.resolved(config(), changes).num_seeds == 3
  assert fuzz_config.resolved(config(), {'num_seeds': 0}) is None
  monkeypatch.setattr(settings_lib, 'resolve', resolve)
  with pytest.raises(fuzz_config.DefectError):
    fuzz_config.resolved(config(), changes)


@pytest.mark.parametrize(
  'key, value, message',
  (
    ('network__hidden', (64, 1.5), 'hold positive whole numbers: 1.5'),
    ('network__hidden', (True,), 'hold positive whole numbers: True'),
    ('network__hidden', (2**31,), 'hold positive whole numbers: 2147483648'),
    ('network__convolutions', (8, 4, 2), 'kernel, stride) each: 8'),
    ('network__convolutions', ((8, 4),), r'each: (8, 4)'),
    ('interventions', (3,), 'hold text: 3'),
    ('interventions', (('injection',),), "hold text: ('injection',)"),
    ('diagnostics__names', (None,), 'hold text: None'),
    ('fork__arms', ('control', {'injection': 1}), "hold text: {'injection'"),
    ('fork__proxy_steps', (10, math.inf), 'hold positive whole numbers: inf'),
  ),
)
def test_items_of_tuples_are_checked(key, value, message):
  with pytest.raises(UserError) as caught:
    settings_lib.resolve(config(**{key: value}))
  name = key.replace('__', '.')
  assert str(caught.value).startswith(f'config.{name} must ')
  assert message in str(caught.value)


@pytest.mark.parametrize(
  'value',
  (
    (0.0, math.inf),
    (-math.inf, 0.0),
    (math.nan, 1.0),
    (1, 1),
    (2, 1),
    (1,),
    (0, 1, 2),
    ('0', '1'),
    (False, True),
    (0, 10**400),
    (-1e300, 1e300),
  ),
)
def test_a_return_range_is_two_finite_numbers(value):
  """Its size is the margin of a diagnosis, which is written as JSON."""
  with pytest.raises(UserError, match=r'^config.environment.return_range must'):
    settings_lib.resolve(config(OWN, environment__return_range=value))
  settings = settings_lib.resolve(
    config(OWN, environment__return_range=(-1, 3), replay__min_size=10)
  )
  margin = diagnosis.plan(settings).experiment.settings.fork.margin
  assert margin == pytest.approx(0.4)


@pytest.mark.parametrize(
  'value, wanted',
  (
    (np.int64(3), 3),
    (np.uint8(3), 3),
  ),
)
def test_whole_numbers_of_numpy_are_taken(value, wanted):
  found = settings_lib.resolve(config(num_seeds=value)).num_seeds
  assert found == wanted and type(found) is int


@pytest.mark.parametrize(
  'value', (np.float32(0.5), np.float64(0.5), fractions.Fraction(1, 2))
)
def test_numbers_of_other_types_are_taken(value):
  settings = settings_lib.resolve(config(optimizer__learning_rate=value))
  found = settings.optimizer.learning_rate
  assert found == 0.5 and type(found) is float


@pytest.mark.parametrize(
  'key, value, message',
  (
    ('num_steps', 2**31, 'a whole number of 32 bits: 2147483648'),
    ('fork__margin', 1e39, 'a finite number of 32 bits: 1e+39'),
    ('fork__margin', math.nan, 'at least 0: nan'),
    ('num_seeds', np.float64(3), 'of type int: np.float64(3.0)'),
    ('agent__double', np.bool_(True), 'of type bool: np.True_'),
    ('num_steps', np.arange(2000), 'of type int: array([ 0, 1, 2,'),
  ),
)
def test_numbers_that_no_device_has(key, value, message):
  with pytest.raises(UserError) as caught:
    settings_lib.resolve(config(**{key: value}))
  text = str(caught.value)
  assert f'config.{key.replace("__", ".")} must be ' + message in text
  assert '\n' not in text and len(text) < 300


@pytest.mark.parametrize('section', ('agent', 'environment'))
@pytest.mark.parametrize('value', ({}, ['catch'], set(), np.arange(2), None))
def test_a_name_is_text(section, value):
  with pytest.raises(UserError, match=f'config.{section}.name must be of type'):
    settings_lib.resolve(config(**{f'{section}__name': value}))


@pytest.mark.parametrize(
  'value', ({1}, math.nan, b'x', pathlib.Path('x'), '\ud800')
)
def test_what_json_cannot_hold_is_refused(value):
  with pytest.raises(UserError, match=r'config.environment.arguments'):
    settings_lib.resolve(config(OWN, environment__arguments=(value,)))


def test_a_placeholder_needs_a_value():
  tree = settings_lib.default_config()
  tree.fork.step = ml_collections.config_dict.required_placeholder(int)
  with pytest.raises(
    UserError, match='^config.fork.step is a placeholder with'
  ):
    settings_lib.resolve(tree)


@pytest.mark.parametrize(
  'kind, changes, message',
  (
    (
      ('dqn', 'catch'),
      {'environment__name': 'minatar_breakout'},
      "not made for 'minatar_breakout': it has environment.columns, of another "
      "environment; default_config('dqn', 'minatar_breakout') makes one",
    ),
    (
      ('dqn', 'catch'),
      {'agent__name': 'sac'},
      "not made for 'sac': it has agent.double, of another agent; "
      "default_config('sac', 'catch') makes one",
    ),
  ),
)
def test_a_config_of_another_environment_says_so(kind, changes, message):
  with pytest.raises(UserError) as caught:
    settings_lib.resolve(config(kind, **changes))
  assert message in str(caught.value)


def test_an_unknown_agent_is_what_is_unknown():
  """And not the data set, which other agents do not have."""
  with pytest.raises(UserError, match="unknown agent.name 'relu'"):
    settings_lib.resolve(
      config(('supervised', 'random_labels'), agent__name='relu')
    )


def test_a_number_that_python_does_not_show():
  with pytest.raises(UserError, match='32 bits: an object of type int'):
    settings_lib.resolve(config(num_steps=10**5000))
  with pytest.raises(UserError, match='finite number of 32 bits: inf'):
    settings_lib.resolve(config(fork__margin=10**5000))
