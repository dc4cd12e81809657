"""The five MinAtar games, by wrapping pgx.

MinAtar (Young & Tian, 2019, arXiv:1903.03176) has Atari-like games on a 10 x 10
grid, with a boolean channel for each kind of object. pgx (Koyamada et al.,
2023, arXiv:2303.17503) implements them in JAX. This module uses the minimal
action set of each game, unless told otherwise, and lets the difficulty ramp,
which is MinAtar's default and the only choice in pgx.

Every step uses its key for sticky actions and for the game's random events. pgx
draws at every step, MinAtar only when something spawns, so the two agree in
distribution but not draw by draw. If pgx 2.6's draws are replaced by those of a
recorded game of MinAtar 1.0.15, then observations, rewards and ends are the
same at every step of every recorded episode of the five games
(`tests/environments/minatar_test.py`), with the exceptions below.

Where pgx departs from MinAtar 1.0.15:

* Sticky actions, all games. MinAtar's wrapper remembers the last action across
  resets; in pgx the first step of an episode can only stick to 'no action'.
  Left as it is.
* Seaquest, four departures that `minatar_seaquest` undoes here (they are listed
  there; one of them freezes and disarms enemy bullets in plain pgx), and one
  that is left: where an enemy submarine moves onto a friendly bullet at the
  very step at which it is due to fire, MinAtar still fires from the wreck and
  pgx does not.
* Seaquest, capacity: pgx keeps at most 25 fish, 25 submarines and 25 enemy
  bullets, 5 divers and 5 friendly bullets; one too many overwrites the first.
  MinAtar's lists are unbounded. The rules hardly ever reach these numbers.

Freeway ends after 2501 steps. This is a termination in both packages (discount
0), not a truncation, and so it is here: the remaining time is not observed.
pgx never truncates, and after an end it repeats the last state with reward 0.
"""

import dataclasses
import importlib
from typing import Any

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import minatar_seaquest
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError
from plasticity_rl.errors import install_command
from plasticity_rl.types import Key

# Conventions for margins, not bounds, with the steps that such a return takes:
# an evaluation that is cut earlier has a share. The MinAtar and pgx papers
# publish scores as curves in figures, whose values could not be verified here;
# so these are round numbers from the rules. The low end is no reward at all,
# near which a random player is: 0.5 in Asterix, 0.4 in Breakout, 0.5 in
# Freeway, 0.1 in Seaquest, 4 in Space Invaders (measured here, sticky actions
# at 0.1).
_RETURN_RANGES: dict[str, tuple[tuple[float, float], int]] = {
  # A treasure each third spawn; an agent that lives through the first 8 or 9
  # difficulty levels (900 steps, about 180 spawns) is offered some 60 and can
  # reach about a third of them.
  'asterix': ((0.0, 20.0), 900),
  # The bricks of one full wall; cleared, it is put up again. The ball takes
  # about 14 steps from the paddle to the wall and back.
  'breakout': ((0.0, 30.0), 420),
  # A crossing takes 27 steps if no car is in the way: 92 in an episode at best,
  # of 2501 steps, of which two thirds are taken as a good player's.
  'freeway': ((0.0, 60.0), 2501),
  # Two surfacings with six divers and a full tank would give 20, as would 20
  # enemies shot, of which one comes every 20 steps.
  'seaquest': ((0.0, 20.0), 400),
  # Two waves of 24 aliens; a shot takes 5 steps to reload.
  'space_invaders': ((0.0, 48.0), 240),
}

# Steps that no episode is shorter than, by the rules.
_SHORTEST_EPISODES: dict[str, int] = {
  # The first enemy comes when a timer of 10 steps has run out.
  'asterix': 10,
  # The ball begins six rows above the bottom and falls by at most one a step.
  'breakout': 6,
  'freeway': 2501,
  # To dive and surface without a diver.
  'seaquest': 2,
  # The first shot comes when a timer of 10 steps has run out, and falls by six
  # rows.
  'space_invaders': 16,
}

_CLASSES = {
  'asterix': 'MinAtarAsterix',
  'breakout': 'MinAtarBreakout',
  'freeway': 'MinAtarFreeway',
  'seaquest': 'MinAtarSeaquest',
  'space_invaders': 'MinAtarSpaceInvaders',
}

# Fields of pgx's state that are constant, or that a step computes anew: they
# are not carried. The observation alone would be most of the state's bytes.
_NOT_CARRIED = frozenset(
  {
    'current_player',
    'legal_action_mask',
    'observation',
    'rewards',
    'truncated',
    '_step_count',
  }
)


def make(
  game: str, sticky_action_prob: float = 0.1, full_action_set: bool = False
) -> base.Environment:
  """A MinAtar game.

  Args:
    game: 'asterix', 'breakout', 'freeway', 'seaquest' or 'space_invaders'.
    sticky_action_prob: probability with which a step repeats the action that
      was executed before, in place of the one asked for.
    full_action_set: whether there are all of MinAtar's six actions (none, left,
      up, right, down, fire), of which those that the game does not use do
      nothing.

  Returns:
    The environment; observations are boolean `[10, 10, C]`, the state is a
    flat dictionary of pgx's fields.

  Raises:
    UserError: an argument is not valid, or pgx is not installed.
  """
  if game not in _CLASSES:
    raise UserError(
      f'minatar: game must be one of {", ".join(_CLASSES)}, not {game!r}'
    )
  if not 0 <= sticky_action_prob <= 1:
    raise UserError(
      'minatar: sticky_action_prob must be between 0 and 1, not '
      f'{sticky_action_prob}'
    )
  module = _import(game)
  pgx_env = getattr(module, _CLASSES[game])(
    use_minimal_action_set=not full_action_set,
    sticky_action_prob=sticky_action_prob,
  )
  default = module.State()
  template = default.replace(
    observation=None,
    legal_action_mask=jnp.ones(pgx_env.num_actions, jnp.bool_),
  )
  carried = [
    field.name
    for field in dataclasses.fields(default)
    if field.name not in _NOT_CARRIED and getattr(default, field.name).size
  ]

  def pack(pgx_state: Any) -> dict[str, jax.Array]:
    return {name: getattr(pgx_state, name) for name in carried}

  def init(key: Key) -> base.State:
    return pack(pgx_env.init(key))

  def reset(key: Key, state: base.State) -> tuple[base.State, dm_env.TimeStep]:
    del state  # Episodes have nothing in common.
    pgx_state = pgx_env.init(key)
    return pack(pgx_state), base.restart(pgx_state.observation)

  def step(
    key: Key, state: base.State, action: jax.Array
  ) -> tuple[base.State, dm_env.TimeStep]:
    before = template.replace(**state)
    after = pgx_env.step(before, jnp.asarray(action, jnp.int32), key)
    if game == 'seaquest':
      after = minatar_seaquest.correct(before, after)
    return pack(after), base.transition(
      after.rewards[0], after.terminated, after.observation
    )

  return_range, range_frames = _RETURN_RANGES[game]
  return base.Environment(
    name=f'minatar_{game}',
    observation_shape=tuple(default.observation.shape),
    observation_dtype=jnp.bool_,
    actions=Discrete(pgx_env.num_actions),
    return_range=return_range,
    range_frames=range_frames,
    shortest_episode=_SHORTEST_EPISODES[game],
    init=init,
    reset=reset,
    step=step,
  )


def _import(game: str) -> Any:
  """Imports pgx's module of a game."""
  try:
    return importlib.import_module(f'pgx.minatar.{game}')
  except ImportError as error:
    raise UserError(
      f'minatar_{game} needs pgx 2.6 or later; run: '
      + install_command('minatar')
    ) from error
