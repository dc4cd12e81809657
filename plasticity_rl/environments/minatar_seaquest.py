"""Corrects pgx's Seaquest to the rules of MinAtar.

pgx 2.6 (and pgx-minatar 0.5.1, the same code) differs from MinAtar 1.0.15 in
four ways that can be undone from the states before and after a step:

1. Enemy bullets that leave the board are never removed (the test asks for
   `x < 0` and `y > 9`). One that left on the left sits at x = -1, which marks a
   free slot: until a new bullet takes that slot, bullets stored in or after it
   stand still and hit nobody. Those that left on the right fill the slots for
   good; with all 25 filled, no enemy bullet moves or hits any more.
2. MinAtar terminates at the step that begins with no oxygen left, pgx one step
   of diving later, or not at all where the player surfaces in time.
3. At that extra step oxygen is -1, for which pgx draws a gauge of nine cells
   and MinAtar none.
4. Surfacing makes enemies faster every second time. MinAtar speeds them up at
   the 2nd, 4th, ... surfacing, pgx at the 1st, 3rd, ...
"""

from typing import Any

import jax
import jax.numpy as jnp

_FASTEST_INTERVAL = 2  # Steps between the moves of an enemy, at the least.
_GAUGE_ROW, _GAUGE_CHANNEL = 9, 7


def correct(before: Any, after: Any) -> Any:
  """Corrects a step of pgx to the step that MinAtar would take.

  Args:
    before: pgx's state before the step, itself corrected.
    after: pgx's state after the step, its observation included.

  Returns:
    The state after the step by MinAtar's rules.
  """
  suffocated = before._oxygen <= 0
  gauge = after.observation[_GAUGE_ROW, :, _GAUGE_CHANNEL]
  return after.replace(
    _e_bullets=_on_board(after._e_bullets),
    _move_speed=_move_interval(before, after),
    _terminal=after._terminal | suffocated,
    terminated=after.terminated | suffocated,
    observation=after.observation.at[_GAUGE_ROW, :, _GAUGE_CHANNEL].set(
      gauge & (after._oxygen >= 0)
    ),
  )


def _on_board(bullets: jax.Array) -> jax.Array:
  """Frees the slots of bullets off the board, `[N, 3]`, and keeps the order."""
  inside = (bullets[:, 0] >= 0) & (bullets[:, 0] <= 9)
  order = jnp.argsort(~inside, stable=True)
  return jnp.where(inside[order, None], bullets[order], -1)


def _move_interval(before: Any, after: Any) -> jax.Array:
  """Steps between an enemy's moves, shortened at every second surfacing."""
  surfaced = after._ramp_index > before._ramp_index
  is_second = before._ramp_index % 2 == 1
  faster = surfaced & is_second & (before._move_speed > _FASTEST_INTERVAL)
  return before._move_speed - faster
