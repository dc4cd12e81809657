"""Records and types that the whole package shares.

Shapes are those of one seed. A run of S seeds adds a leading axis of S to every
leaf of a `TrainState`, except to its counters, which all seeds share.
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
    outputs: the predictions of the network, before any non-linearity; any
      pytree, `[B, A]` for action values.
    layers: the output of each named layer, after its activation, `[B, ...]`,
      in the order of the forward pass.
  """

  outputs: Any
  layers: Mapping[str, jax.Array]


class Transition(NamedTuple):
  """A batch of transitions of one or of n steps, with the names of rlax.

  Attributes:
    s_tm1: observation, `[B, ...]`.
    a_tm1: action (or label, in supervised learning), `[B]` or `[B, A]`.
    r_t: (n-step) reward, `[B]`.
    discount_t: factor of the value of `s_t`, `[B]`: zero after a termination,
      not after a truncation.
    s_t: observation one or n steps later, `[B, ...]`; at the end of an episode
      its last observation, not the first one of the next episode.
  """

  s_tm1: Any
  a_tm1: Any
  r_t: jax.Array
  discount_t: jax.Array
  s_t: Any


class NetState(NamedTuple):
  """One network in training.

  Attributes:
    params: `{'encoder': ..., 'head': ...}`; the head may be an
      `InjectedHead`.
    target: parameters of the target network, in the same structure; None for a
      network without a target.
    opt_state: the state of the network's optimizer.
    initial: the initial values of the trainable parameters, in the structure
      of `injection.trainable(params)`. An intervention that reinitialises
      weights replaces them here too. Diagnostics measure distances from these
      values, and regularisers pull towards them.
  """

  params: Params
  target: Params | None
  opt_state: Any
  initial: Params


class Keys(NamedTuple):
  """Keys from which the keys of steps and events are derived by `fold_in`.

  Attributes:
    run: the key of all randomness of training.
    event: the key of the randomness of events (evaluations, diagnostics,
      interventions). Because it is separate, an event never changes the random
      numbers of training.
  """

  run: Key
  event: Key


class Counters(NamedTuple):
  """Scalars that all seeds of a run share.

  Attributes:
    step: agent decisions of one seed so far, summed over its environments.
    updates: optimizer updates of one seed so far.
    stored: rows written to the replay so far.
    cleared: value of `stored` when the replay was last emptied.
  """

  step: jax.Array
  updates: jax.Array
  stored: jax.Array
  cleared: jax.Array


class TrainState(NamedTuple):
  """The whole state of a run.

  A checkpoint saves it, a fork copies it, and an intervention changes it.

  Attributes:
    nets: the networks by name.
    replay: the replay buffer.
    env: the states of the environments.
    keys: random keys.
    counters: steps and updates so far.
    interventions: states of interventions and diagnostics, by label.
  """

  nets: dict[str, NetState]
  replay: Any
  env: Any
  keys: Keys
  counters: Counters
  interventions: dict[str, Any]


def name_tag(name: str) -> np.uint32:
  """A number for a name, as an argument of `jax.random.fold_in`."""
  return np.uint32(zlib.crc32(name.encode()) & 0x7FFFFFFF)


def structure(tree: Any) -> Any:
  """Tree structure, shapes and dtypes: `jit` compiles once for each."""
  return jax.tree.structure(tree), tuple(
    (x.shape, np.dtype(x.dtype)) for x in jax.tree.leaves(tree)
  )


# `(params) -> (losses [B], output)` on one batch: what a network is trained on.
Loss = Callable[[Params], tuple[jax.Array, NetworkOutput]]
# `(params, state, inputs, output, reference) -> (scalar, metrics)`, added to
# the mean loss. `state` is the network's before the update, `inputs` and
# `output` are those of the loss, and `reference` is inputs of a second batch.
Penalty = Callable[
  [Params, NetState, Any, NetworkOutput, Any],
  tuple[jax.Array, dict[str, jax.Array]],
]


@dataclasses.dataclass(frozen=True)
class NetSpec:
  """The static description of one network of an agent.

  Attributes:
    network: an `injection.SplitNetwork`.
    optimizer: an `injection.GroupedOptimizer` for its parameters.
    layers: its layers with weights, in the order of the forward pass, with the
      members of an ensemble next to each other; () for a network without any.
    has_target: whether it has a target network.
    penalty: a regulariser that is added to its loss, or None.
    has_reference: whether the penalty looks at a second batch.
    microbatches: number of parts in which an update processes its batch, to
      save memory.
    sam_radius: rho of `agents.sam`; 0 for plain gradients.
    on_sphere: whether its weights are unit columns (see `sphere`).
  """

  network: Any
  optimizer: Any
  layers: tuple[Layer, ...]
  has_target: bool
  penalty: Penalty | None = None
  has_reference: bool = False
  microbatches: int = 1
  sam_radius: float = 0.0
  on_sphere: bool = False


@dataclasses.dataclass(frozen=True)
class AgentSpec:
  """The view of an agent that interventions and diagnostics have.

  Attributes:
    nets: the networks by name.
    default_nets: names of the networks that an intervention changes by default.
    encoder_net: the network that trains the encoder. A reset that keeps the
      encoder keeps the encoder of this network.
    inputs: `(params by net, batch) -> input by net`: the input of each network.
    policy: `(params by net, batch) -> actions`, `[B, ...]`, deterministic.
    losses: `(key, nets, batch) -> loss by net`. Each loss is a function of the
      parameters of its own network; the other networks are constants. The key
      is consumed.
    slots: number of injections to allocate from the start; with 0, each
      injection grows the parameter tree.
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

  @property
  def has_reference(self) -> bool:
    """Whether an update is given a second batch."""
    return any(net.has_reference for net in self.nets.values())
