"""Churn reduction (C-CHAIN): outputs stay what they were an update ago.

The network before the last update is not stored. The optimizer remembers its
last update, which is taken back; so it is among the optimizer's states, and an
intervention that draws weights again makes it zero for them. After an
injection or a reset the previous head is the new one.
"""

from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import optax

from plasticity_rl import injection
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

LOSS, CHURN = 'loss', 'churn'  # Metrics of an update.
_DECAY = 1 - 1 / 50_000


class LastUpdateState(NamedTuple):
  """State of `remember`.

  Attributes:
    last_update: what was added to the parameters, in their structure.
    losses: discounted sum of |loss|.
    churns: discounted sum of the penalty of `c_chain`.
  """

  last_update: Any
  losses: jax.Array
  churns: jax.Array


def c_chain(outputs: Any, previous_outputs: Any) -> jax.Array:
  """Mean over examples and outputs of (f(x; theta_t) - f(x; theta_t-1))^2.

      coefficient = ratio * sum |loss| / sum penalty

  Tang et al., "Mitigating Plasticity Loss in Continual Reinforcement Learning
  by Reducing Churn", 2025 (C-CHAIN), after their code for Double DQN. theta_t-1
  are the parameters before the last update, and x a second batch that is drawn
  like the first, so that an update may change what it is made on, and not
  other outputs. f are action values, and of an actor means and log standard
  deviations before these are bounded. The sums run over earlier updates, so
  that the penalty is about `ratio` times the loss (of its own network); the
  authors have 0.01 on MinAtar. Where values have to move by hundreds, as SAC's
  on Pendulum, that is too much: the loss is large because the critic has far to
  go, and the penalty grows with it (critic loss 100 instead of 1).
  `train/churn` is the penalty without its coefficient.

  Deviations: sums are discounted, by 1 - 1 / 50,000 for each update, where the
  authors take means over the last 50,000 updates; and the coefficient follows
  their ratio from the start, where the authors' is 50 for the first 10,000
  updates. theta_t-1 is theta_t minus the update, to rounding. Frozen heads,
  which do not change, are part of both outputs.

  Args:
    outputs: f(x; theta_t), `[B, ...]` or a tree of such arrays.
    previous_outputs: the same of theta_t-1, a constant.

  Returns:
    The penalty, `[]`.
  """
  chex.assert_trees_all_equal_shapes(outputs, previous_outputs)
  squares = jax.tree.map(
    lambda now, before: jnp.square(now - jax.lax.stop_gradient(before)),
    outputs,
    previous_outputs,
  )
  leaves = jax.tree.leaves(squares)
  return sum(x.sum() for x in leaves) / sum(x.size for x in leaves)


def remember() -> optax.GradientTransformationExtraArgs:
  """Remembers the update, and sums losses; the last stage of an optimizer.

  Its `update` takes `metrics`, those of the update, as an extra argument.
  """

  def init(params: Params) -> LastUpdateState:
    return LastUpdateState(
      optax.tree.zeros_like(params), jnp.zeros([]), jnp.zeros([])
    )

  def update(updates, state, params=None, *, metrics=None, **extra):
    del params, extra
    losses, churns = state.losses, state.churns
    if metrics is not None:
      losses = _DECAY * losses + jnp.abs(metrics[LOSS])
      churns = _DECAY * churns + metrics[CHURN]
    return updates, LastUpdateState(updates, losses, churns)

  return optax.GradientTransformationExtraArgs(init, update)


def previous_params(state: NetState) -> Params:
  """The parameters before the last update, frozen heads as they are."""
  last = injection.trainable(_get(state, 'last_update'))
  return injection.replace_trainable(
    state.params,
    jax.tree.map(jnp.subtract, injection.trainable(state.params), last),
  )


def coefficient(state: NetState, ratio: float) -> jax.Array:
  """ratio * sum |loss| / sum churn, `[]`; zero while there was no churn."""
  losses, churns = _get(state, 'losses'), _get(state, 'churns')
  seen = churns > 0
  return jnp.where(seen, ratio * losses / jnp.where(seen, churns, 1), 0)


def _get(state: NetState, name: str) -> Any:
  """A field of the only `LastUpdateState` among the optimizer's states."""
  return optax.tree.get(state.opt_state['after'], name)
