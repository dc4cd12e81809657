"""The state of a run before its first step."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.agents.base import Agent
from plasticity_rl.errors import UserError
from plasticity_rl.learner import learner
from plasticity_rl.training.trainer import AXES
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Keys
from plasticity_rl.types import TrainState


def init_seed(
  key: Key,
  agent: Agent,
  init_data: Callable[[Key], tuple[Any, Any]],
  hooks: learner.Hooks = (),
) -> TrainState:
  """Initialises the state of one seed. The key is consumed.

  Args:
    key: consumed.
    agent: the agent.
    init_data: `(key) -> (env, replay)`.
    hooks: interventions whose states are initialised too.
  """
  nets_key, data_key, run_key, event_key = jax.random.split(key, 4)
  env, replay = init_data(data_key)
  # Each counter needs its own buffer, because the state is donated.
  zeros = Counters(*(jnp.array(0, jnp.int32) for _ in Counters._fields))
  return attach(
    TrainState(
      nets=agent.init(nets_key),
      replay=replay,
      env=env,
      keys=Keys(run_key, event_key),
      counters=zeros,
      interventions={},
    ),
    hooks,
  )


def adopt(agent: Agent, state: TrainState) -> TrainState:
  """A state of all seeds with what this agent's optimizers keep.

  What they keep and the state lacks is as at the start; all else goes on.

  Raises:
    UserError: the state keeps something that they do not.
  """
  nets = dict(state.nets)
  for name, net in agent.spec.nets.items():
    old, init = state.nets[name], jax.vmap(net.optimizer.init)
    wanted = jax.eval_shape(init, old.params)
    if jax.tree.structure(wanted) == jax.tree.structure(old.opt_state):
      continue
    by_path = dict(jax.tree_util.tree_leaves_with_path(old.opt_state))
    new = jax.tree_util.tree_map_with_path(
      lambda path, fresh, kept=by_path: kept.pop(path, fresh), init(old.params)
    )
    if by_path:
      path = jax.tree_util.keystr(next(iter(by_path)))
      raise UserError(f'the optimizer of {name!r} has no place for {path}')
    nets[name] = old._replace(opt_state=new)
  return state._replace(nets=nets)


def attach(state: TrainState, hooks: learner.Hooks) -> TrainState:
  """Initialises missing states of hooks, for one seed."""
  new = {
    # Copies, because a state that holds weights must not share their buffers.
    hook.label: jax.tree.map(jnp.copy, hook.intervention.init(state))
    for hook in hooks
    if hook.label not in state.interventions
  }
  return state._replace(interventions={**state.interventions, **new})


def init(
  seeds: jax.Array,
  agent: Agent,
  init_data: Callable[[Key], tuple[Any, Any]],
  hooks: learner.Hooks = (),
) -> TrainState:
  """Initialises the state of all seeds.

  Args:
    seeds: int32 `[S]`.
    agent: the agent.
    init_data: `(key) -> (env, replay)`.
    hooks: interventions whose states are initialised too.
  """
  return jax.vmap(
    lambda seed: init_seed(jax.random.PRNGKey(seed), agent, init_data, hooks),
    out_axes=AXES,
  )(seeds)
