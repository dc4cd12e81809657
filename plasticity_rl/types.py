"""The few records that every room speaks in.

Shapes are written for one seed; a run of S seeds adds a leading axis of S to
every leaf of a `TrainState` but its counters, which all seeds share.
"""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from plasticity_rl.errors import UserError as UserError
from plasticity_rl.layers import Layer

Params = Any  # Any pytree of arrays.
Key = jax.Array  # A raw uint32[2] key, as `jax.random.PRNGKey` makes.


class NetworkOutput(NamedTuple):
  """What a network returns.

  Attributes:
    outputs: the network's predictions, before any non-linearity, `[B, A]` for
      action values; any pytree.
    layers: the output of each named layer, after its activation, `[B, ...]`,
      in the order in which the layers feed one another.
  """

  outputs: Any
  layers: Mapping[str, jax.Array]


class Transition(NamedTuple):
  """A batch of transitions, in rlax's names; n steps may lie between.

  Attributes:
    s_tm1: observation, `[B, ...]`.
    a_tm1: action (or label, in supervised learning), `[B]` or `[B, A]`.
    r_t: (n-step) reward, `[B]`.
    discount_t: what the value of `s_t` is multiplied by, `[B]`: zero after a
      termination, not after a truncation.
    s_t: next observation (the true last one of an episode), `[B, ...]`.
  """

  s_tm1: Any
  a_tm1: Any
  r_t: jax.Array
  discount_t: jax.Array
  s_t: Any


class NetState(NamedTuple):
  """One network in training.

  Attributes:
    params: `{'encoder': ..., 'head': ...}`, the head perhaps injected.
    target: the same structure, or None for a network without a target.
    opt_state: the state of the network's optimizer.
    initial: what learns as it was drawn, in the structure of
      `injection.trainable(params)`; what is drawn again is replaced. Distances
      from the start, and regularisers towards it, are measured from here.
  """

  params: Params
  target: Params | None
  opt_state: Any
  initial: Params


class Keys(NamedTuple):
  """Roots of the random streams; a step's or an event's key is folded in.

  Attributes:
    run: root of all training randomness.
    event: root of the randomness of events, so that an evaluation or an
      intervention never moves the training stream.
  """

  run: Key
  event: Key


class Counters(NamedTuple):
  """Scalars that all seeds of a run share.

  Attributes:
    step: agent decisions of one seed, summed over its environments.
    updates: optimizer updates of one seed.
    stored: rows written to the replay so far.
    cleared: value of `stored` when the replay was last emptied.
  """

  step: jax.Array
  updates: jax.Array
  stored: jax.Array
  cleared: jax.Array


class TrainState(NamedTuple):
  """Everything a run is: save it, fork it, or intervene on it."""

  nets: dict[str, NetState]
  replay: Any
  env: Any
  keys: Keys
  counters: Counters
  interventions: dict[str, Any]


def name_tag(name: str) -> np.uint32:
  """A number for a name, to be folded into a key."""
  return np.uint32(zlib.crc32(name.encode()) & 0x7FFFFFFF)


def structure(tree: Any) -> Any:
  """What decides which program runs: the tree, shapes and dtypes."""
  return jax.tree.structure(tree), tuple(
    (x.shape, np.dtype(x.dtype)) for x in jax.tree.leaves(tree)
  )


# `(params) -> (losses [B], output)` on one batch: what a network is trained on.
Loss = Callable[[Params], tuple[jax.Array, NetworkOutput]]
# `(params, initial, inputs, output) -> scalar`, added to the mean loss.
Penalty = Callable[[Params, Params, Any, NetworkOutput], jax.Array]


@dataclasses.dataclass(frozen=True)
class NetSpec:
  """What is static of one network of an agent.

  Attributes:
    network: an `injection.SplitNetwork`.
    optimizer: an `injection.GroupedOptimizer` over its parameters.
    layers: its layers with weights, in the order of the forward pass, members
      of an ensemble side by side; () for a network without any.
    has_target: whether a target network is kept.
    penalty: a regulariser of its loss, or None.
    microbatches: parts that an update takes that in, one after the other.
  """

  network: Any
  optimizer: Any
  layers: tuple[Layer, ...]
  has_target: bool
  penalty: Penalty | None = None
  microbatches: int = 1


@dataclasses.dataclass(frozen=True)
class AgentSpec:
  """What interventions and diagnostics may know of an agent.

  Attributes:
    nets: the networks by name.
    default_nets: those that an intervention acts on unless told otherwise.
    encoder_net: the network that trains the encoder; resets of all but the
      encoder spare the encoder of that one.
    inputs: `(params by net, batch) -> input by net`, what each network is fed.
    policy: `(params by net, batch) -> decisions`, `[B, ...]`, deterministic.
    losses: `(key, nets, batch) -> loss by net`, each a function of its own
      network's parameters with all else held fixed. The key is consumed.
    slots: injections to allocate beforehand; 0 grows the tree instead.
  """

  nets: Mapping[str, NetSpec]
  default_nets: tuple[str, ...]
  encoder_net: str
  inputs: Callable[[Mapping[str, Params], Transition], Mapping[str, Any]]
  policy: Callable[[Mapping[str, Params], Transition], jax.Array]
  losses: Callable[
    [Key, Mapping[str, NetState], Transition], Mapping[str, Loss]
  ]
  slots: int = 0
