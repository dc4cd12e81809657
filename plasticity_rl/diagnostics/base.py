"""What a diagnostic is given and what it returns."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl.interventions.units import unit_activity as unit_activity
from plasticity_rl.types import Key
from plasticity_rl.types import Loss
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Params


class Probe(NamedTuple):
  """One network looked at on a probe batch.

  Attributes:
    net: what is static of it.
    state: its online parameters (the target's, where that is looked at),
      optimizer state and initial weights.
    inputs: what it is fed, `[B, ...]`.
    output: what it returns on the inputs; of an injected head the layers are
      those of the part that learns.
    loss: what it is trained on, on the probe batch.
    updated: `() -> NetState`, its state after one more update on the probe
      batch, as in training.
    key: for diagnostics that draw; to be consumed by one of them (each is
      given its own).
  """

  net: NetSpec
  state: NetState
  inputs: Any
  output: NetworkOutput
  loss: Loss | None = None
  updated: Callable[[], NetState] | None = None
  key: Key | None = None

  @property
  def params(self) -> Params:
    """The parameters looked at."""
    return self.state.params


Diagnostic = Callable[[Probe], dict[str, jax.Array]]


def by_hidden_layer(
    probe: Probe, measure: Callable[[jax.Array], jax.Array]
) -> dict[str, jax.Array]:
  """A per-unit measure `[U]` averaged by layer, and over units by part.

  Returns:
    A value for each hidden layer's name, and one for each of 'encoder' and
    'head' that has hidden layers.
  """
  values, parts = {}, {}
  for layer in probe.net.layers:
    if layer.hidden:
      units = measure(probe.output.layers[layer.name])
      values[layer.name] = units.mean()
      parts.setdefault(layer.path[0], []).append(units)
  for part, units in parts.items():
    values[part] = jnp.concatenate(units).mean()
  return values
