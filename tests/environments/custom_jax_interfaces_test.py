"""What ends an episode, under every interface, and what is passed on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import custom_trial
from plasticity_rl.environments import registry
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete

STAND_INS = 'jax:tests.environments.jax_stand_ins'
KEY = jax.random.PRNGKey(0)


def make(name, **options):
  return registry.make(f'{STAND_INS}:{name}', **options)


def play(env, actions):
  """Time steps of one episode after its reset."""
  state, first = env.reset(KEY, env.init(KEY))
  assert first.step_type == base.FIRST
  step, timesteps = jax.jit(env.step), []
  for action in actions:
    state, timestep = step(KEY, state, action)
    timesteps.append(timestep)
  return timesteps


def ends(env, actions):
  """(last, discount) of each step."""
  return [(bool(t.last()), float(t.discount)) for t in play(env, actions)]


STAY, GO = jnp.int32(0), jnp.int32(1)
LIMITED = (
  'Line',
  'NewLine',
  'SixLine',
  'CraftaxLine',
  'with_params',
  'TellingWrapper',
)


@pytest.mark.parametrize('name', LIMITED)
def test_termination_and_truncation_are_told_apart(name):
  env = make(name)
  goes_on, terminated, truncated = (False, 1), (True, 0), (True, 1)
  assert ends(env, 3 * [GO]) == [goes_on, goes_on, terminated]
  assert ends(env, 5 * [STAY]) == 4 * [goes_on] + [truncated]
  # Both at once: there is no future.
  both = ends(env, [STAY, STAY, GO, GO, GO])
  assert both == 4 * [goes_on] + [terminated]


@pytest.mark.parametrize('name', LIMITED)
def test_the_last_observation_is_that_of_the_episode(name):
  last = play(make(name), 3 * [GO])[-1]
  assert last.reward == 1
  place, time = last.observation
  assert 3 <= place < 3.01 and time == 3


def test_a_truncated_episode_shows_its_last_observation():
  """Also where `step` starts the next one."""
  for name in LIMITED:
    assert play(make(name), 5 * [STAY])[-1].observation[1] == 5, name


def test_an_end_without_a_limit_is_a_termination():
  env = make('JaxtariLine')
  assert ends(env, 3 * [GO])[-1] == (True, 0)
  # It has no parameters that would tell the limit.
  assert ends(env, 5 * [STAY])[-1] == (True, 0)


def test_a_limit_of_none():
  env = make('EndlessLine')
  assert ends(env, 8 * [GO]) == 8 * [(False, 1)]
  env = make('EndlessLine', max_episode_steps=4)
  assert ends(env, 4 * [STAY])[-1] == (True, 1)


def test_parameters():
  env = make('Line', parameters=(('max_steps_in_episode', 2),))
  assert ends(env, 2 * [STAY])[-1] == (True, 1)
  env = make('Line', parameters=(('stride', 3.0),))
  assert ends(env, [GO]) == [(True, 0)]
  # Those that the callable adds are not the default ones.
  env = make('with_params', arguments=(2,))
  assert ends(env, 2 * [STAY])[-1] == (True, 1)
  env = make('with_params', arguments=(2,), parameters=(('stride', 3.0),))
  assert ends(env, [GO]) == [(True, 0)]
  assert ends(env, 2 * [STAY])[-1] == (True, 1)


def test_octax():
  env = make('OctaxLine')
  assert env.observation_shape == (32, 64, 4)
  assert env.observation_dtype == jnp.bool_
  assert env.actions == Discrete(2)
  timesteps = play(env, 5 * [STAY])
  assert timesteps[0].observation[3, 2, 1]
  assert timesteps[0].observation.sum() == 1
  assert ends(env, 5 * [STAY])[-1] == (True, 1)
  assert ends(env, 3 * [GO])[-1] == (True, 0)


def test_continuous_actions_are_scaled_to_the_bounds():
  env = make('BoxLine')
  assert env.actions == Continuous(1)
  for action, moved in ((-1, 0), (0, 1), (0.5, 1.5), (1, 2), (5, 2)):
    _, first = env.reset(KEY, env.init(KEY))
    timestep = play(env, [jnp.float32([action])])[0]
    np.testing.assert_allclose(
      timestep.observation[0] - first.observation[0], moved, atol=1e-5
    )


def test_brax():
  env = make('BraxLine')
  assert env.actions == Continuous(1)
  go, stay = jnp.ones(1), jnp.zeros(1)
  assert ends(env, 3 * [go]) == 2 * [(False, 1)] + [(True, 0)]
  assert ends(env, 9 * [stay]) == 9 * [(False, 1)]
  # It takes what is within -1 and 1.
  assert play(env, [5 * go])[0].observation < 1.1


def test_the_limit_of_brax():
  env = make('LimitedBraxLine')
  go, stay = jnp.ones(1), jnp.zeros(1)
  assert ends(env, 3 * [go])[-1] == (True, 0)
  assert ends(env, 5 * [stay]) == 4 * [(False, 1)] + [(True, 1)]
  assert ends(env, [stay, stay, go, go, go])[-1] == (True, 0)


def test_the_note_on_a_limit_that_is_missing(caplog):
  custom_trial.say.cache_clear()  # It says everything once.
  make('BraxLine')
  assert 'config.environment.max_episode_steps' in caplog.text
  caplog.clear()
  make('LimitedBraxLine')
  assert not caplog.text
