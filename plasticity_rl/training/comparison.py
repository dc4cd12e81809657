"""Compares the predictions of two states on the same batch."""

from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.agents.base import Agent
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

# Outputs by network, and the actions of the policy.
Predictions = tuple[dict[str, Any], jax.Array]


def predictions(
  agent: Agent, state: TrainState, batch: Transition
) -> Predictions:
  """Outputs of the default networks of interventions, and actions."""
  params = {name: net.params for name, net in state.nets.items()}
  inputs = agent.spec.inputs(params, batch)
  outputs = {
    name: agent.spec.nets[name]
    .network.apply(params[name], inputs[name])
    .outputs
    for name in agent.spec.default_nets
  }
  return outputs, agent.spec.policy(params, batch)


@jax.jit
def differences(
  before: Predictions, after: Predictions
) -> dict[str, jax.Array]:
  """Compares outputs and actions, for each seed `[S]`.

  Returns:
    'largest_output_change', and 'mean_action_change' of continuous actions or
    'greedy_agreement' of discrete ones, the fraction of equal actions.
  """
  (old, old_policy), (new, new_policy) = before, after
  num_seeds = old_policy.shape[0]

  def flat(x):
    return x.reshape(num_seeds, -1)

  change = [
    jnp.abs(flat(a) - flat(b)).max(-1)
    for a, b in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
  ]
  found = {'largest_output_change': jnp.stack(change).max(0)}
  if jnp.issubdtype(old_policy.dtype, jnp.floating):
    moved = jnp.abs(flat(old_policy) - flat(new_policy)).mean(-1)
    return {**found, 'mean_action_change': moved}
  agree = flat(old_policy) == flat(new_policy)
  return {**found, 'greedy_agreement': agree.mean(-1)}
