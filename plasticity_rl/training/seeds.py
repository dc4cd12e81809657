"""All seeds of a program at once, or one after another."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.types import Params
from plasticity_rl.types import TrainState

# On one core of a CPU, eight seeds in turn took 1.22 times as long as eight at
# once with SAC's layers of 64 x 64, but .92 of it with 128 x 128, .79 with
# 256 x 256, and .78 with MinAtar's 1024 x 128. Of priming's updates, which no
# environment is stepped between, 1.00, .70 (256 x 256) and .73 (MinAtar).
LARGE_LAYER = 128 * 128

Step = Callable[[TrainState], tuple[TrainState, Any]]


def are_better_in_turn(params: Params) -> bool:
  """Whether seeds should train in turn on this backend.

  Args:
    params: of all networks, or their shapes, of one seed.
  """
  largest = max(x.size for x in jax.tree.leaves(params))
  return jax.default_backend() == 'cpu' and largest >= LARGE_LAYER


def in_turn(step: Step) -> Step:
  """`step` of a state with any number of seeds, one seed after another.

  The state is changed in place, so that one seed's data are copied, not all.

  Args:
    step: `(state) -> (state, metrics)`; metrics have an axis of seeds, and
      counters change alike for all seeds.
  """

  def run(state: TrainState) -> tuple[TrainState, Any]:
    counters, rest = state.counters, state._replace(counters=())
    count = jax.tree.leaves(rest)[0].shape[0]

    def one(rest: TrainState, seed: Any) -> tuple[TrainState, Any]:
      own = jax.tree.map(
        lambda x: jax.lax.dynamic_slice_in_dim(x, seed, 1), rest
      )
      return step(own._replace(counters=counters))

    def body(seed: Any, carry: Any) -> Any:
      rest, metrics, _ = carry
      own, measured = one(rest, seed)
      rest, metrics = jax.tree.map(
        lambda x, new: jax.lax.dynamic_update_slice_in_dim(x, new, seed, 0),
        (rest, metrics),
        (own._replace(counters=()), measured),
      )
      return rest, metrics, own.counters

    shapes = jax.eval_shape(lambda: one(rest, 0)[1])
    metrics = jax.tree.map(
      lambda x: jnp.zeros((count, *x.shape[1:]), x.dtype), shapes
    )
    rest, metrics, counters = jax.lax.fori_loop(
      0, count, body, (rest, metrics, counters)
    )
    return rest._replace(counters=counters), metrics

  return run
