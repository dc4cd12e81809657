"""Interventions that have a state while a segment runs."""

import functools

import jax

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner import learner
from plasticity_rl.training import initial_state
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.types import Transition


def hooks(settings: settings_lib.Settings, agent: Agent) -> learner.Hooks:
  """The interventions that happen inside the loop.

  Raises:
    UserError: one of them changes more than networks.
  """
  found = []
  for one in schedule_lib.schedule(settings).interventions:
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


def check_hooks(agent: Agent, hooks: learner.Hooks, batch: Transition) -> None:
  """Refuses hooks that change the structure of the network.

  Raises:
    UserError: one of them does.
  """
  key = jax.ShapeDtypeStruct((2,), 'uint32')

  def run(key, batch, hook):
    state = initial_state.init_seed(key, agent, lambda key: ((), ()), (hook,))
    return learner.run_hook(
      hook, key, state.nets, state.interventions, batch, 1
    )

  for hook in hooks:
    jax.eval_shape(functools.partial(run, hook=hook), key, batch)


def waiting(settings: settings_lib.Settings, agent: Agent) -> learner.Hooks:
  """Interventions that wait for something, for their states."""
  return tuple(
    learner.Hook(
      one.expression.label,
      0,
      interventions.make(one.expression, agent.spec),
    )
    for one in schedule_lib.schedule(settings).interventions
    if one.when
  )
