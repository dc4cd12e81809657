"""What an update changes on examples that it was not made on."""

import jax
import jax.numpy as jnp

from plasticity_rl.diagnostics.base import Probe


def churn(probe: Probe) -> dict[str, jax.Array]:
  """Change on one half of the probe batch by an update on the other.

  The update is as in training, on the first half (of `probe_size`, not of
  training's batch). Tang & Berseth, "Improving Deep Reinforcement Learning by
  Reducing the Chain Effect of Value and Policy Churn", 2024; Schaul et al.,
  "The Phenomenon of Policy Churn", 2022. Batches are drawn from the replay
  independently, so that the halves may share a transition of a small one.

  Returns:
    'value', the mean |change| of the network's outputs (action values, logits,
    means and log standard deviations before they are squashed) over examples
    and outputs; of the agent's decisions without noise, where they are
    discrete, 'policy', the fraction of examples on which they change, and
    where they are continuous, 'action', the mean |change| of the action over
    examples and dimensions. Zero where the network decides nothing.
  """
  half = jax.tree.leaves(probe.inputs)[0].shape[0] // 2
  after = probe.updated(half).params
  outputs = probe.net.network.apply(after, probe.inputs).outputs
  changes = [
    jnp.abs(new - old)[half:].ravel()
    for new, old in zip(
      jax.tree.leaves(outputs),
      jax.tree.leaves(probe.output.outputs),
      strict=True,
    )
  ]
  values = {'value': jnp.concatenate(changes).mean()}
  old, new = probe.policy(probe.params), probe.policy(after)
  if jnp.issubdtype(old.dtype, jnp.integer):
    changed = (old != new)[half:]
    values['policy'] = changed.reshape(changed.shape[0], -1).any(-1).mean()
  else:
    values['action'] = jnp.abs(new - old)[half:].mean()
  return values
