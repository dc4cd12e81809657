"""Atari: the protocol of DQN, ends of episodes, seeds, the 57 games."""

import sys

import numpy as np
import pytest

from plasticity_rl.environments import atari
from plasticity_rl.environments import atari_games
from plasticity_rl.environments import host_registry
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError

envpool = pytest.importorskip('envpool', reason='envpool is not installed')

SEEDS = np.array([1, 2**32 - 2], np.uint32)


def make(game, num_envs=1, *, evaluation=False, **options):
  return host_registry.make(
    f'atari_{game}', num_envs, evaluation=evaluation, **options
  )


def play(envs, steps, seeds=SEEDS, actions=None):
  """First observations, and a list of steps, with random actions if none."""
  first = envs.begin(seeds[: envs.num_envs])
  number = envs.spaces.actions.num_actions
  rng = np.random.default_rng(0)
  if actions is None:
    actions = rng.integers(number, size=(steps, envs.num_envs), dtype=np.int32)
  return first, [envs.step(a) for a in actions[:steps]]


def assert_same(rows, others):
  for row, other in zip(rows, others, strict=True):
    for a, b in zip(row, other, strict=True):
      np.testing.assert_array_equal(a, b)


@pytest.fixture(name='invaders', scope='module')
def fixture_invaders():
  """Two random players of Space Invaders, learning and evaluated."""
  played = {}
  for evaluation in (False, True):
    envs = make('space_invaders', 2, evaluation=evaluation)
    played[evaluation] = play(envs, 500)
    envs.close()
  return played


def test_observations_are_stacks_of_gray_frames(invaders):
  first, steps = invaders[False]
  assert first.shape == (2, 84, 84, 4) and first.dtype == np.uint8
  assert all((first[..., k] == first[..., 3]).all() for k in range(3))
  before = first
  for step in steps:
    # Newest last; the others are those before, never of another episode.
    np.testing.assert_array_equal(step.observation[..., :-1], before[..., 1:])
    before = step.next_observation
    for i in np.flatnonzero(step.last):
      fresh = before[i]
      assert all((fresh[..., k] == fresh[..., 3]).all() for k in range(3))
      assert (fresh != step.observation[i]).any()
    going = ~step.last
    np.testing.assert_array_equal(step.observation[going], before[going])
  # The picture moves, is upright (lives are at the bottom), and is gray.
  assert len(np.unique(first)) > 5
  assert (steps[50].observation[..., 0] != steps[50].observation[..., 3]).any()


def test_learning_and_evaluation_differ_by_protocol_alone(invaders):
  lost, over = 0, 0
  for a, b in zip(invaders[False][1], invaders[True][1], strict=True):
    np.testing.assert_array_equal(a.observation, b.observation)
    np.testing.assert_array_equal(a.next_observation, b.next_observation)
    np.testing.assert_array_equal(a.score, b.score)
    np.testing.assert_array_equal(a.last, b.last)
    np.testing.assert_array_equal(a.reward, np.sign(a.score))
    np.testing.assert_array_equal(b.reward, b.score)
    # A game that is over is the only end here.
    np.testing.assert_array_equal(b.discount, ~b.last)
    assert (a.discount[a.last] == 0).all()
    lost += ((a.discount == 0) & ~a.last).sum()
    over += a.last.sum()
  assert max(step.score.max() for step in invaders[False][1]) >= 5
  assert over >= 1
  assert 2 * over <= lost <= 2 * over + 4  # Three lives a game.
  step = invaders[False][1][0]
  dtypes = [x.dtype for x in step]
  assert dtypes == ['u1', 'f4', 'f4', 'bool', 'u1', 'f4']


def test_options_of_the_protocol(invaders):
  envs = make(
    'space_invaders', 2, clip_rewards=False, zero_discount_on_life_loss=False
  )
  _, steps = play(envs, 500)
  for a, b in zip(steps, invaders[True][1], strict=True):
    np.testing.assert_array_equal(a.reward, b.reward)
    np.testing.assert_array_equal(a.discount, b.discount)
  envs = make('pong', stack_frames=2, full_action_set=True, action_repeat=2)
  assert envs.spaces.observation_shape == (84, 84, 2)
  assert envs.spaces.actions == Discrete(18)
  assert envs.frames_per_step == 2
  assert make('pong').spaces.actions == Discrete(6)


def test_one_environment_does_not_disturb_another(invaders):
  """The second's episode ends at other times than the first's."""
  actions = np.random.default_rng(0).integers(6, size=(500, 2), dtype=np.int32)
  alone = make('space_invaders')
  first, steps = play(alone, 500, SEEDS[1:], actions[:, 1:])
  together = invaders[False][1]
  assert any(s.last[0] != s.last[1] for s in together)
  np.testing.assert_array_equal(first[0], invaders[False][0][1])
  for a, b in zip(steps, together, strict=True):
    for x, y in zip(a, b, strict=True):
      np.testing.assert_array_equal(x[0], y[1])


@pytest.mark.slow
def test_all_follows_from_the_seeds_whatever_the_threads(monkeypatch):
  envs = make('seaquest', 2, sticky_action_prob=0.25, max_episode_steps=20)
  first, steps = play(envs, 50)
  assert (first[0] != first[1]).any()  # Other no-ops.
  again, same = play(envs, 50)
  np.testing.assert_array_equal(first, again)
  assert_same(steps, same)
  monkeypatch.setattr(atari.os, 'cpu_count', lambda: 1)
  single, same = play(envs, 50)
  np.testing.assert_array_equal(first, single)
  assert_same(steps, same)
  _, others = play(envs, 50, SEEDS + 5)
  assert any(
    (a.observation != b.observation).any()
    for a, b in zip(steps, others, strict=True)
  )


@pytest.mark.slow
def test_episodes_begin_with_another_number_of_no_ops():
  def firsts(**options):
    envs = make('freeway', 8, **options)  # Its cars drive from the start.
    first = envs.begin(np.arange(8, dtype=np.uint32))
    return len(np.unique(first.reshape(8, -1), axis=0))

  assert firsts() > 4
  assert firsts(max_noops=1) == 1


def test_sticky_actions_change_the_game():
  def shown(**options):
    _, steps = play(make('breakout', **options), 40)
    return np.array([s.observation for s in steps])

  assert (shown() != shown(sticky_action_prob=0.25)).any()


def test_truncation_is_not_termination():
  envs = make('pong', 2, max_episode_steps=7)
  _, steps = play(envs, 15)
  for t, step in enumerate(steps, 1):
    assert (step.last == (t % 7 == 0)).all()
    assert (step.discount == 1).all()


def test_default_limit_is_108000_frames(monkeypatch):
  asked = {}
  monkeypatch.setattr(
    envpool, 'make_gymnasium', lambda _, **config: asked.update(config)
  )
  for options, limit in (({}, 27_000), ({'max_episode_steps': 0}, 10**9)):
    envs = make('pong', **options)
    with pytest.raises(AttributeError):  # There is no pool.
      envs.begin(SEEDS)
    assert asked['max_episode_steps'] == limit
  assert asked['frame_skip'] == 4 and asked['noop_max'] == 30
  assert not asked['use_fire_reset']
  assert asked['repeat_action_probability'] == 0


def test_a_decision_is_four_frames():
  """Its score is theirs, and a frame of theirs is the newest of ours."""
  actions = np.random.default_rng(1).integers(4, size=(150, 1), dtype=np.int32)
  _, by_four = play(make('space_invaders'), 150, actions=actions)
  envs = make('space_invaders', action_repeat=1)
  _, by_one = play(envs, 600, actions=np.repeat(actions, 4, 0))
  scores = [step.score.item() for step in by_four]
  frames = np.reshape([step.score.item() for step in by_one], (150, 4))
  np.testing.assert_array_equal(scores, frames.sum(1))
  assert sum(scores) > 0
  # Of the last two, the brighter of each pixel: with area means not exactly
  # the brighter of both pictures, but never darker than either by rounding.
  for t, step in enumerate(by_four):
    newest = step.observation[0, ..., -1].astype(int)
    stack = by_one[4 * t + 3].observation[0].astype(int)
    assert (newest >= stack[..., -2:].max(-1) - 1).all()


def test_seed_zero_is_a_seed():
  envs = make('breakout', sticky_action_prob=0.5)
  (a, steps), (b, again) = (
    play(envs, 30, np.array([0], np.uint32)) for _ in range(2)
  )
  np.testing.assert_array_equal(a, b)
  assert_same(steps, again)


def test_it_cannot_be_copied():
  envs = make('pong')
  assert not envs.can_copy
  with pytest.raises(NotImplementedError, match='cannot be copied'):
    envs.get_state()
  with pytest.raises(NotImplementedError, match='cannot be copied'):
    envs.set_state({})


def test_what_is_missing(monkeypatch):
  monkeypatch.setattr(envpool, 'list_all_envs', list)
  with pytest.raises(UserError, match='no ROM of pong.*pip install'):
    make('pong')
  monkeypatch.setitem(sys.modules, 'envpool', None)
  with pytest.raises(UserError, match=r"pip install -e '.*\[atari\]'"):
    make('pong')


def test_scores_are_cut_with_the_episodes():
  random, human = atari_games.SCORES['pong']
  assert make('pong', max_episode_steps=27_000).return_range == (random, human)
  cut = make('pong', max_episode_steps=2700, action_repeat=4)
  assert cut.return_range == pytest.approx((random / 10, human / 10))
  assert cut.range_frames == 10_800


def test_human_normalized_score():
  assert len(atari_games.SCORES) == 57
  for game, (random, human) in atari_games.SCORES.items():
    assert random < human
    assert atari_games.human_normalized_score(game, random) == 0
    assert atari_games.human_normalized_score(game, human) == 1
  # (401.2 - 1.7) / (30.5 - 1.7), DQN on Breakout in its paper.
  score = atari_games.human_normalized_score('breakout', 401.2)
  np.testing.assert_allclose(score, 13.8715278)


@pytest.mark.slow
@pytest.mark.parametrize('game', atari_games.SCORES)
def test_every_game_starts_and_steps(game):
  envs = make(game)
  first, steps = play(envs, 3)
  assert first.shape == (1, 84, 84, 4)
  assert 3 <= envs.spaces.actions.num_actions <= 18
  assert envs.return_range == atari_games.SCORES[game]
  assert steps[-1].observation.any()
  envs.close()
