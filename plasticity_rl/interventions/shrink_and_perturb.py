"""Shrink and perturb (Ash and Adams, "On Warm-Starting...", 2020)."""

from collections.abc import Sequence

import jax

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.interventions import base
from plasticity_rl.methods import shrink_and_perturb as method
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

NOISES = ('initializer', 'gaussian')


def shrink_and_perturb(
  spec: AgentSpec,
  *,
  shrink: method.Factor = 0.5,
  perturb: method.Factor = 0.5,
  noise: str = 'initializer',
  nets: Sequence[str] | None = None,
  optimizer: str = 'reset',
) -> base.Intervention:
  """theta <- shrink * theta + perturb * noise, for all that learns.

  Online and target receive the same noise. Frozen heads stay as they are.

  Hard, once in a while, as the defaults are for: `every_steps=...`. Soft, after
  every update, by little and without touching the optimizer:
  `shrink=0.9999, perturb=1e-3, optimizer="keep", every_updates=1`.

  By part, as Schwarzer et al., "Bigger, Better, Faster", 2023, reset the head
  and mix the encoder with a fresh draw: `shrink={"encoder": 0.5, "head": 0.0},
  perturb={"encoder": 0.5, "head": 1.0}`. With S = 1 - a and P = a this is one
  scale of each part, from 0, which keeps it, to 1, which resets it; by layer
  where those of a part are named.

  Args:
    spec: the agent.
    shrink: S, 0 to 1: a number, or numbers by part as above. The injection
      paper found S = 1, P = 0.01 best on Atari; the defaults are for small
      networks that have lost most of their plasticity.
    perturb: P, not negative; as S.
    noise: 'initializer' for a fresh draw of the initialisers, 'gaussian' for
      independent normal noise of standard deviation 1 (so P is its scale).
    nets: networks to act on; by default those that the agent names.
    optimizer: 'reset' starts the optimizer's state anew, 'keep' keeps it.
  """
  checks.choice('noise', noise, NOISES)
  checks.choice('optimizer', optimizer, base.OPTIMIZER)
  for name in base.check_nets(spec, nets):
    method.check_options(
      shrink,
      perturb,
      jax.eval_shape(spec.nets[name].network.init, jax.random.PRNGKey(0)),
    )

  def transform(key: Key, net: NetSpec, state: NetState) -> NetState:
    def change(params: Params) -> Params:
      return method.shrink_and_perturb(
        key,
        params,
        init=net.network.init if noise == 'initializer' else None,
        shrink=shrink,
        perturb=perturb,
      )

    state = state._replace(
      params=change(state.params),
      target=None if state.target is None else change(state.target),
    )
    if optimizer == 'reset':
      return base.reset_groups(net, state, ('encoder', core.HEAD))
    return state

  return base.on_nets(spec, nets, transform)
