"""Interventions in the training loop, and those that a criterion triggers."""

import functools

import jax

from plasticity_rl.agents.base import Agent
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner import learner
from plasticity_rl.training import initial_state
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.types import Transition


def make(schedule: schedule_lib.EventSchedule, agent: Agent) -> learner.Hooks:
  """Makes the interventions with `every_updates`, inside the loop.

  Raises:
    UserError: an intervention changes more than networks, or does not fit the
      agent.
  """
  found = []
  for one in schedule.interventions:
    if not one.every_updates:
      continue
    intervention = interventions.make(one.expression, agent.spec)
    text = one.expression.text
    if not intervention.nets_only:
      raise UserError(
        f'config.interventions: {text!r} changes more than networks, so that '
        'it cannot happen every_updates; take at_steps, every_steps or when'
      )
    found.append(
      learner.Hook(one.expression.label, one.every_updates, intervention)
    )
  return tuple(found)


def check(agent: Agent, hooks: learner.Hooks, batch: Transition) -> None:
  """Checks that no hook changes the structure of a network.

  Args:
    agent: the agent.
    hooks: the hooks.
    batch: shapes of the batch of an update.

  Raises:
    UserError: a hook changes it.
  """
  key = jax.ShapeDtypeStruct((2,), 'uint32')

  def run(key, batch, hook):
    state = initial_state.init_seed(key, agent, lambda key: ((), ()), (hook,))
    return learner.run_hook(
      hook, key, state.nets, state.interventions, batch, 1
    )

  for hook in hooks:
    jax.eval_shape(functools.partial(run, hook=hook), key, batch)


def triggered(
  schedule: schedule_lib.EventSchedule, agent: Agent
) -> learner.Hooks:
  """Makes the interventions with a criterion (`when`).

  Raises:
    UserError: an intervention does not fit the agent.
  """
  return tuple(
    learner.Hook(
      one.expression.label,
      0,
      interventions.make(one.expression, agent.spec),
    )
    for one in schedule.interventions
    if one.when
  )
