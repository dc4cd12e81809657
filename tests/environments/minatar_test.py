"""MinAtar: pgx follows recorded games of the `minatar` package."""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import base
from plasticity_rl.environments import minatar
from plasticity_rl.environments import minatar_seaquest
from plasticity_rl.errors import UserError

pytest.importorskip('pgx', reason='pgx is not installed')

DATA = pathlib.Path(__file__).parents[1] / 'data' / 'minatar'
EPISODES = {
  'asterix': 4,
  'breakout': 5,
  'freeway': 3,
  'seaquest': 10,
  'space_invaders': 5,
}
WRECK = 10  # The episode of Seaquest after those: pgx departs from it.

# What each correction of Seaquest changes in pgx's state after a step, and an
# episode that cannot be followed without it.
PARTS = {
  'bullets': ('_e_bullets',),
  'ends': ('_terminal', 'terminated'),
  'gauge': ('observation',),
  'ramp': ('_move_speed',),
}
PLAIN = {'bullets': 8, 'ends': 5, 'gauge': 4, 'ramp': 7}
GAMES = tuple(EPISODES)
KEY = jax.random.PRNGKey(0)


@functools.cache
def load(game):
  """Recorded episodes of a game: `[{name: array}]`, see record_minatar.py."""
  episodes = {}
  with np.load(DATA / f'{game}.npz') as arrays:
    for path, array in arrays.items():
      index, name = path.split('/', 1)
      episodes.setdefault(int(index), {})[name] = array
  return [episodes[i] for i in range(len(episodes))]


def group(episode, prefix):
  """The recorded draws, in the dtypes in which pgx takes them."""
  booleans = {'lr', 'is_gold', 'enemy_lr', 'is_sub', 'diver_lr'}
  names = [name for name in episode if name.startswith(f'{prefix}/')]
  return {
    name.split('/')[1]: episode[name].astype(
      bool if name.split('/')[1] in booleans else np.int32
    )
    for name in names
  }


def place(state, start):
  """Sets in our state what the recording set in MinAtar's after its reset."""
  state = dict(state)
  for name, value in start.items():
    old = state[f'_{name}']
    if name.endswith('_map'):
      value = np.zeros((10, 10))
      value[tuple(np.transpose(start[name]))] = 1
    elif old.ndim:  # A list of objects: the rest of the slots are free.
      rows = np.full(old.shape, -1)
      rows[: len(value)] = value
      value = rows
    state[f'_{name}'] = jnp.asarray(value, old.dtype)
  return state


def outcomes_given(monkeypatch, module):
  """Makes pgx take draws in the place of keys.

  The functions of pgx that turn a key into draws are replaced by those that
  take the draws. Nothing else is, neither in pgx nor here.
  """
  monkeypatch.setattr(
    module,
    '_step',
    lambda state, action, key, _: module._step_det(state, action, **key),
  )
  if hasattr(module, '_init'):
    monkeypatch.setattr(module, '_init', lambda rng: module._init_det(**rng))


@functools.cache
def play(game):
  """Plays every recorded episode, open-loop: the actions and draws are given.

  Returns:
    For each episode the first observation (None where the start was set up)
    and the time steps. The last ones, for Seaquest alone, are those of
    `PLAIN`, each with a part of our corrections left out.
  """
  with pytest.MonkeyPatch.context() as monkeypatch:
    env = minatar.make(game, sticky_action_prob=0.0)
    outcomes_given(monkeypatch, minatar._import(game))
    left_out = []  # The traced choice of a part, for `partly` to find.
    correct = minatar_seaquest.correct

    def partly(before, after):
      corrected = correct(before, after)
      values = {}
      for i, names in enumerate(PARTS.values()):
        for name in names:
          values[name] = jnp.where(
            left_out[-1] == i, getattr(after, name), getattr(corrected, name)
          )
      return corrected.replace(**values)

    monkeypatch.setattr(minatar_seaquest, 'correct', partly)

    @jax.jit
    def scan(part, state, actions, draws):
      left_out.append(part)

      def one(state, inputs):
        action, outcome = inputs
        return env.step(outcome, state, action)

      return jax.lax.scan(one, state, (actions, draws))[1]

    episodes = load(game)
    longest = max(len(episode['action']) for episode in episodes)

    def run(episode, part=-1):
      # Padded to one length, so that the scan compiles once.
      length = len(episode['action'])
      pad = functools.partial(_pad, length=longest)
      state, first = jax.jit(env.reset)(group(episode, 'reset') or KEY, None)
      start = json.loads(str(episode['start']))
      timesteps = jax.device_get(
        scan(
          part,
          place(state, start),
          pad(episode['action']),
          jax.tree.map(pad, group(episode, 'step')),
        )
      )
      timesteps = jax.tree.map(lambda x: x[:length], timesteps)
      # What is seen at a start that was set up, no function of ours returns.
      return None if start else np.asarray(first.observation), timesteps

    played = [run(episode) for episode in episodes]
    if game == 'seaquest':
      for part, index in PLAIN.items():
        played.append(run(episodes[index], list(PARTS).index(part)))
    return played


def _pad(array, length):
  return np.concatenate(
    [array, np.repeat(array[-1:], length - len(array), axis=0)]
  )


def recorded_observations(game, episode):
  """Boolean `[T + 1, 10, 10, C]`."""
  shape = minatar.make(game).observation_shape
  count = (len(episode['action']) + 1) * int(np.prod(shape))
  bits = np.unpackbits(episode['observation'], count=count)
  return bits.astype(bool).reshape(-1, *shape)


def assert_same(game, episode, first, timesteps):
  observations = recorded_observations(game, episode)
  if first is not None:
    np.testing.assert_array_equal(first, observations[0])
  np.testing.assert_array_equal(timesteps.observation, observations[1:])
  np.testing.assert_array_equal(timesteps.reward, episode['reward'])
  np.testing.assert_array_equal(
    timesteps.step_type == base.LAST, episode['terminal']
  )
  np.testing.assert_array_equal(timesteps.discount == 0, episode['terminal'])


# Seaquest takes some seconds to compile.
GAMES_TO_FOLLOW = [
  pytest.param(game, marks=pytest.mark.slow if game == 'seaquest' else ())
  for game in GAMES
]


@pytest.mark.parametrize('game', GAMES_TO_FOLLOW)
def test_follows_every_recorded_episode(game):
  count = EPISODES[game]
  for episode, played in zip(
    load(game)[:count], play(game)[:count], strict=True
  ):
    assert_same(game, episode, *played)


@pytest.mark.slow
@pytest.mark.parametrize('part', PLAIN)
def test_every_correction_of_seaquest_is_needed(part):
  """Without it, and with the others, pgx departs from MinAtar."""
  played = play('seaquest')[len(load('seaquest')) :]
  played = dict(zip(PLAIN, played, strict=True))[part]
  with pytest.raises(AssertionError, match='Arrays are not equal'):
    assert_same('seaquest', load('seaquest')[PLAIN[part]], *played)


@pytest.mark.slow
def test_a_wreck_fires_in_minatar_alone():
  recorded = load('seaquest')[WRECK]
  _, timesteps = play('seaquest')[WRECK]
  ours = timesteps.observation
  theirs = recorded_observations('seaquest', recorded)[1:]
  bullets = 4
  assert not ours[..., bullets].any()
  # It leaves the wreck at column 6 and flies to the left, one cell a step.
  seen = [tuple(cell) for cell in np.argwhere(theirs[..., bullets]).tolist()]
  assert seen == [(t, 5, 5 - t) for t in range(6)]
  np.testing.assert_array_equal(
    np.delete(ours, bullets, -1), np.delete(theirs, bullets, -1)
  )
  np.testing.assert_array_equal(timesteps.reward, recorded['reward'])
  assert timesteps.reward[0] == 1


def test_freeway_ends_by_termination_after_2501_steps():
  env = minatar.make('freeway')
  state, _ = jax.jit(env.reset)(KEY, None)
  assert state['_terminate_timer'] == 2500
  state = {**state, '_terminate_timer': jnp.int32(1)}
  step = jax.jit(env.step)
  state, timestep = step(KEY, state, 0)
  assert timestep.step_type == base.MID and timestep.discount == 1
  state, timestep = step(KEY, state, 0)
  assert timestep.step_type == base.LAST and timestep.discount == 0


@pytest.mark.parametrize('sticky', [0.25, 1.0])
def test_sticky_actions(sticky):
  """Stuck steps repeat the last action; the first can only stick to none."""
  env = minatar.make('breakout', sticky_action_prob=sticky)
  keys = jax.random.split(KEY, 4000)
  state, _ = jax.jit(env.reset)(KEY, None)

  def first_step(key):
    return env.step(key, state, 1)[0]

  after = jax.jit(jax.vmap(first_step))(keys)
  moved = np.mean(np.asarray(after['_pos']) == 3)  # It starts at 4.
  assert abs(moved - (1 - sticky)) < 0.03  # Four standard errors.
  np.testing.assert_array_equal(
    after['_last_action'], np.where(after['_pos'] == 3, 1, 0)
  )


def test_step_after_the_last_keeps_structure():
  env = minatar.make('breakout')
  state, _ = jax.jit(env.reset)(KEY, None)
  ended = {**state, 'terminated': jnp.array(True)}
  after, timestep = jax.jit(env.step)(KEY, ended, 1)
  assert jax.tree.structure(after) == jax.tree.structure(state)
  assert timestep.reward == 0


def test_draws_differ_between_keys():
  env = minatar.make('freeway')
  observations = jax.vmap(lambda key: env.reset(key, None)[1].observation)(
    jax.random.split(KEY, 8)
  )
  assert len(np.unique(np.asarray(observations), axis=0)) == 8


def test_bad_input():
  with pytest.raises(UserError, match='asterix, breakout'):
    minatar.make('pong')
  with pytest.raises(UserError, match='between 0 and 1, not 1.5'):
    minatar.make('breakout', sticky_action_prob=1.5)


def test_says_how_to_install_pgx(monkeypatch):
  def absent(name):
    raise ModuleNotFoundError(f'No module named {name!r}')

  monkeypatch.setattr(minatar.importlib, 'import_module', absent)
  with pytest.raises(UserError, match=r'pip install .*\[minatar\]'):
    minatar.make('breakout')
