"""Records episodes of the `minatar` package for `minatar_test.py` to follow.

Run it from the root of the repository, where `minatar` 1.0.15 is installed:

  python tests/environments/record_minatar.py

Sticky actions are off, difficulty ramps. Each game gets episodes of a random
player, episodes of one that looks ahead (so that they last, and the difficulty
rises), and episodes from a given start, for what is rare otherwise. Next to
actions, observations, rewards and ends, every random draw of the game is
recorded, in the terms of pgx, which are simple: where something spawns, and
what. A file holds the episodes of a game one after the other.
"""

import copy
import json
import pathlib

import numpy as np
from minatar import environment

OUT = pathlib.Path(__file__).parents[1] / 'data' / 'minatar'

# Per episode: the player, the most steps, and attributes set after the reset.
_ALIENS = [[6, 4], [6, 5], [2, 1]]
_DEEP, _NEAR, _HIGH = ({'sub_y': y, 'surface': False} for y in (4, 2, 1))
EPISODES = {
  'asterix': [
    ('random', 200, {}),
    ('random', 200, {}),
    ('careful', 450, {}),
    ('careful', 120, {'spawn_speed': 2, 'move_speed': 2, 'ramp_timer': 3}),
  ],
  'breakout': [
    ('random', 200, {}),
    ('random', 200, {}),
    ('random', 200, {}),
    ('follow', 400, {}),
    ('follow', 200, {'brick_map': [[2, 6], [3, 1]]}),
  ],
  'freeway': [
    ('upwards', 500, {}),
    ('upwards', 250, {}),
    ('random', 120, {'terminate_timer': 60, 'pos': 3}),
  ],
  'seaquest': [
    ('random', 200, {}),
    ('random', 200, {}),
    ('careful', 500, {}),
    ('careful', 250, _DEEP | {'diver_count': 6}),
    # Runs out of oxygen below; surfaces with none left; surfaces in time.
    ('below', 40, _DEEP | {'oxygen': 8}),
    ('above', 40, _NEAR | {'oxygen': 1, 'diver_count': 3}),
    ('above', 40, _NEAR | {'oxygen': 2, 'diver_count': 6}),
    # Surfaces again and again (MinAtar allows it with less than no divers), and
    # so the enemies become fast.
    (
      'bobbing',
      60,
      _HIGH | {'diver_count': 6, 'e_spawn_timer': 0, 'e_spawn_speed': 6},
    ),
    (
      'careful',
      300,
      _DEEP
      | {
        'diver_count': 3,
        'e_spawn_speed': 3,
        'move_speed': 2,
        'ramp_index': 17,
      },
    ),
    (
      'careful',
      300,
      _DEEP
      | {
        'diver_count': 3,
        'e_spawn_speed': 6,
        'move_speed': 3,
        'ramp_index': 14,
      },
    ),
    # A submarine due to fire moves onto a bullet: where pgx is known to depart.
    (
      'wait',
      8,
      _HIGH | {'f_bullets': [[5, 5, True]], 'e_subs': [[7, 5, False, 0, 0]]},
    ),
  ],
  'space_invaders': [
    ('random', 200, {}),
    ('random', 200, {}),
    ('careful', 600, {}),
    ('careful', 150, {'alien_map': _ALIENS, 'enemy_move_interval': 7}),
    ('random', 150, {'alien_map': [[8, 9], [7, 0]]}),
  ],
}


class LoggedRandom:
  """A numpy generator that remembers what it drew."""

  def __init__(self, seed):
    self._random = np.random.RandomState(seed)
    self.draws = []

  def rand(self, *args):
    self.draws.append(self._random.rand(*args))
    return self.draws[-1]

  def randint(self, *args, **kwargs):
    self.draws.append(self._random.randint(*args, **kwargs))
    return copy.copy(self.draws[-1])


def choose(player, game, actions, rng):
  """The player's next action, an index into the minimal action set."""
  if player == 'random':
    return rng.randint(len(actions))
  if player == 'wait':
    return 0
  if player == 'follow':  # The ball, or where it is about to be.
    ahead = rng.randint(2) * (1 if game.ball_dir in (1, 2) else -1)
    return actions.index(
      {-1: 1, 0: 0, 1: 3}[np.sign(game.ball_x + ahead - game.pos)]
    )
  if player in ('upwards', 'above', 'below', 'bobbing'):
    up, down = actions.index(2), actions.index(4)
    if player == 'upwards':
      return up if rng.rand() < 0.85 else rng.randint(len(actions))
    if player == 'bobbing':
      return down if game.sub_y == 0 else up
    return up if player == 'above' else actions.index(rng.choice([0, 5]))
  return look_ahead(game, actions, rng)


def look_ahead(game, actions, rng, samples=12, horizon=10):
  """First action of the best of some random futures: alive, then rewarded."""
  best, best_value = 0, -np.inf
  for _ in range(samples):
    future = copy.deepcopy(game)
    plan = rng.randint(len(actions), size=horizon)
    value = 0.0
    for action in plan:
      reward, terminal = future.act(actions[action])
      value += float(reward) + 0.1 - 20.0 * terminal
      if terminal:
        break
    if value > best_value:
      best, best_value = plan[0], value
  return int(best)


def outcome_of_reset(name, draws):
  """The draws of a reset by the names that pgx gives them."""
  if name == 'breakout':
    return {'ball_start': draws[0]}
  if name == 'freeway':
    return freeway_cars(draws)
  return {}


def outcome_of_step(name, game, draws):
  """The draws of a step by pgx's names, zeros where nothing was drawn.

  Args:
    name: the game's.
    game: as it was before the step.
    draws: what it drew in the step, in that order.

  Returns:
    A dictionary of integers or arrays.
  """
  if name == 'freeway':
    return freeway_cars(draws or [np.ones(8, int), np.ones(8)])
  if name == 'asterix':
    lr, gold, option = (draws + [0])[:3] if draws else (1.0, 1.0, 0)
    free = [i for i, entity in enumerate(game.entities) if entity is None]
    slot = free[option] if draws and free else 0
    return {'lr': lr < 1 / 2, 'is_gold': gold < 1 / 3, 'slot': slot}
  if name == 'seaquest':
    enemy = [draws.pop(0) for _ in range(3)] if not game.e_spawn_timer else 0
    diver = [draws.pop(0) for _ in range(2)] if not game.d_spawn_timer else 0
    enemy_lr, is_sub, enemy_y = enemy or (1.0, 1.0, 1)
    diver_lr, diver_y = diver or (1.0, 1)
    return {
      'enemy_lr': enemy_lr < 1 / 2,
      'is_sub': is_sub < 1 / 3,
      'enemy_y': enemy_y,
      'diver_lr': diver_lr < 1 / 2,
      'diver_y': diver_y,
    }
  return {}


def freeway_cars(draws):
  speeds, directions = draws
  return {'speeds': speeds, 'directions': np.sign(directions - 0.5)}


def set_attributes(game, start):
  """Sets up a start; maps are given as the cells that are occupied."""
  for name, value in start.items():
    if name.endswith('_map'):
      cells = np.zeros((10, 10))
      cells[tuple(np.transpose(value))] = 1
      value = cells
    setattr(game, name, copy.deepcopy(value))


def record(name, player, max_steps, start, seed):
  """One episode, as a dictionary of arrays over its steps."""
  env = environment.Environment(name, sticky_action_prob=0.0)
  env.seed(seed)
  game = env.env
  game.random = LoggedRandom(seed)
  game.reset()
  first = outcome_of_reset(name, game.random.draws)
  set_attributes(game, start)
  actions = env.minimal_action_set()
  rng = np.random.RandomState(seed + 1000)
  steps = {'action': [], 'reward': [], 'terminal': [], 'observation': []}
  outcomes = []
  observations = [game.state()]
  for _ in range(max_steps):
    action = choose(player, game, actions, rng)
    before = copy.deepcopy(game)
    game.random.draws = []
    reward, terminal = env.act(actions[action])
    outcomes.append(outcome_of_step(name, before, list(game.random.draws)))
    observations.append(game.state())
    for key, value in zip(
      ('action', 'reward', 'terminal'), (action, reward, terminal), strict=True
    ):
      steps[key].append(value)
    if terminal:
      break
  return {
    'action': np.array(steps['action'], np.int8),
    'reward': np.array(steps['reward'], np.int8),
    'terminal': np.array(steps['terminal'], bool),
    'observation': np.packbits(np.array(observations, bool)),
    **{f'reset/{key}': np.int8(value) for key, value in first.items()},
    **{
      f'step/{key}': np.array([o[key] for o in outcomes]).astype(np.int8)
      for key in outcomes[0]
    },
    'start': np.array(json.dumps(start)),
  }


def main():
  OUT.mkdir(parents=True, exist_ok=True)
  for name, episodes in EPISODES.items():
    arrays = {}
    for i, (player, max_steps, start) in enumerate(episodes):
      episode = record(name, player, max_steps, start, seed=i)
      arrays |= {f'{i}/{key}': value for key, value in episode.items()}
      print(
        f'{name} {player}: {len(episode["action"])} steps, '
        f'return {episode["reward"].sum()}, '
        f'{"ended" if episode["terminal"][-1] else "cut"}'
      )
    np.savez_compressed(OUT / f'{name}.npz', **arrays)


if __name__ == '__main__':
  main()
