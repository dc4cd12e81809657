"""Games in turn, in one form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import minatar
from plasticity_rl.environments import registry
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError

pytest.importorskip('pgx', reason='pgx is not installed')

KEY = jax.random.PRNGKey(0)
# Of MinAtar's actions: none, left, up, right, down, fire.
USED = {
  'asterix': (0, 1, 2, 3, 4),
  'breakout': (0, 1, 3),
  'freeway': (0, 2, 4),
  'space_invaders': (0, 1, 3, 5),
}


@pytest.mark.parametrize('game', USED)
def test_all_six_actions_are_those_of_the_game_or_nothing(game):
  """From many states of a random player, to the bit."""
  few = minatar.make(game)
  six = minatar.make(game, full_action_set=True)
  assert six.actions == Discrete(6)
  state, _ = few.reset(KEY, few.init(KEY))
  few_step, six_step = jax.jit(few.step), jax.jit(six.step)
  for i, key in enumerate(jax.random.split(KEY, 20)):
    for action in range(6):
      used = USED[game]
      same = used.index(action) if action in used else 0
      ours, theirs = six_step(key, state, action), few_step(key, state, same)
      # What was asked for is remembered for sticky actions.
      for after in (ours[0], theirs[0]):
        after.pop('_last_action')
      jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    state, _ = few_step(key, state, i % len(used))


def test_games_come_in_turn_and_round_again():
  games = ('breakout', 'asterix')
  env = registry.make('minatar_sequence', games=games, sticky_action_prob=0.0)
  assert env.observation_shape == (10, 10, 4)
  assert env.actions == Discrete(6)
  state = env.init(KEY)
  step = jax.jit(env.step)
  for game in (*games, games[0]):
    alone = minatar.make(game, 0.0, full_action_set=True)
    state, first = env.reset(KEY, state)
    inner, expected = alone.reset(KEY, alone.init(KEY))
    for key in jax.random.split(KEY, 10):
      np.testing.assert_array_equal(first.observation, expected.observation)
      assert (first.reward, first.step_type, first.discount) == (
        expected.reward,
        expected.step_type,
        expected.discount,
      )
      state, first = step(key, state, 3)
      inner, expected = alone.step(key, inner, 3)
    state = env.switch(KEY, state)


def test_missing_channels_are_empty():
  env = registry.make('minatar_sequence', games=('breakout', 'freeway'))
  assert env.observation_shape == (10, 10, 7)
  state, first = env.reset(KEY, env.init(KEY))
  assert first.observation[..., :4].any()
  assert not first.observation[..., 4:].any()
  _, first = env.reset(KEY, env.switch(KEY, state))
  assert first.observation[..., 4:].any()


def test_the_range_is_that_of_all_games():
  env = registry.make('minatar_sequence', games=('breakout', 'freeway'))
  assert env.return_range == (0, 60) and env.range_frames == 2501


@pytest.mark.slow
def test_permutations_on_top():
  env = registry.make(
    'minatar_sequence', games=('breakout', 'freeway'), permute='inputs'
  )
  state = env.init(KEY)
  switched = env.switch(jax.random.PRNGKey(1), state)
  assert (switched.inputs != state.inputs).any()
  assert (state.inner.playing, switched.inner.playing) == (0, 1)
  jnp.asarray(env.reset(KEY, switched)[1].observation)


def test_bad_input():
  for games, said in (
    (('breakout',), 'two or more'),
    ((), 'two or more'),
    (('breakout', 'asterx'), "'asterx'; did you mean 'asterix'"),
  ):
    with pytest.raises(UserError, match=said):
      registry.make('minatar_sequence', games=games)
