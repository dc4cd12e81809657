"""A sequence of tasks: one control problem under changing physics.

A task multiplies some constants of the problem (gravity, length, mass...), each
by its own factor. Unlike permutations, tasks are not equally hard: compare a
network with a fresh one on the same task, as a fork does.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl.environments import base
from plasticity_rl.environments import control
from plasticity_rl.environments import gradual
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key


class State(NamedTuple):
  """The problem's state and the task.

  Attributes:
    inner: state of the problem.
    factors: float32 `[V]`, of the constants that vary.
    change: of the factors' logarithms, if they change gradually; else None.
  """

  inner: Any
  factors: jax.Array
  change: gradual.Change | None = None


def vary(
  system: control.System,
  names: Sequence[str],
  factor: float,
  gradual_steps: int = 0,
) -> base.Environment:
  """Turns a control problem into a sequence of tasks, drawn by `switch`.

  `init` draws the first task as `switch` draws the others.

  Args:
    system: the problem.
    names: V constants, fields of `system.physics`.
    factor: each is multiplied by a factor within 1 / factor and factor, whose
      logarithm is uniform. At least 1.
    gradual_steps: steps in which a task turns into the next one, which `switch`
      draws: logarithms of factors move evenly, from episode to episode. 0 for
      the new task at once.

  Returns:
    The environment, which has a `switch`. A reset keeps the task, unless it
    changes gradually.

  Raises:
    UserError: `factor` is below 1.
  """
  if not factor >= 1:
    raise UserError(f'vary_factor must be at least 1: {factor!r}')
  bound = math.log(factor)

  def draw(key: Key) -> jax.Array:
    return jax.random.uniform(key, [len(names)], minval=-bound, maxval=bound)

  def init(key: Key) -> State:
    inner_key, task_key = jax.random.split(key)
    inner = system.start(inner_key)
    if gradual_steps:
      change = gradual.begin(task_key, draw)
      return State(inner, jnp.exp(change.before), change)
    return State(inner, jnp.exp(draw(task_key)))

  def reset(key: Key, state: State) -> tuple[State, dm_env.TimeStep]:
    inner, factors, change = system.start(key), state.factors, state.change
    if change is not None:
      done = gradual.share(change, gradual_steps)
      factors = jnp.exp((1 - done) * change.before + done * change.after)
    return State(inner, factors, change), base.restart(system.observe(inner))

  def step(
    key: Key, state: State, action: jax.Array
  ) -> tuple[State, dm_env.TimeStep]:
    del key  # Nothing random happens within an episode.
    physics = system.physics._replace(
      **{
        name: getattr(system.physics, name) * state.factors[i]
        for i, name in enumerate(names)
      }
    )
    inner, reward, terminated = system.advance(physics, state.inner, action)
    change = state.change
    if change is not None:
      change = gradual.step(change)
    return (
      State(inner, state.factors, change),
      base.transition(reward, terminated, system.observe(inner)),
    )

  def switch(key: Key, state: State) -> State:
    if state.change is None:
      return state._replace(factors=jnp.exp(draw(key)))
    change = gradual.switch(key, state.change, draw)
    return state._replace(factors=jnp.exp(change.before), change=change)

  env = control.environment(system._replace(max_frames=0))
  return control.limited(
    system, env._replace(init=init, reset=reset, step=step, switch=switch)
  )
