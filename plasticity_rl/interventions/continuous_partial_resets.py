"""Continuous partial resets, CPR: units of little gradient are mixed anew."""

from collections.abc import Sequence

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.interventions.gradients import on_gradients
from plasticity_rl.methods import continuous_partial_resets as method
from plasticity_rl.methods.base import GradientMethod
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec


def continuous_partial_resets(
  spec: AgentSpec,
  *,
  rate: float = 0.012,
  sharpness: float = 16.0,
  threshold: float = 0.95,
  decay: float = 0.99,
  period: int = 1000,
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Moves units a little towards fresh ones, the less gradient the more (CPR).

  Of every unit i of a hidden layer, with G_i of `regrama` and u_i from 1:

      u_i <- decay u_i + (1 - decay) G_i                       (at each call)
      r_i  = rate x min(exp(-sharpness (u_i - threshold)), 1)
      w   <- (1 - r_in) (1 - r_out) w + r_in w_fresh,  u_i <- 1
                                                  (at every `period`-th call)

  r_in of the unit that a weight leads into and r_out of the one that it comes
  from, 0 where there is none: incoming weights are mixed with a fresh draw of
  their layer's initialiser, outgoing ones decay; online and target receive the
  same draw. Biases, normalisation, the optimizer's state and initial weights
  stay. With weight normalisation w is what the layer multiplies by, and `g`
  follows.

  We know CPR, "Continuous Partial Resets", from its published code
  (github.com/LucMc/continual-learning) alone, of which equations and defaults
  are; there are other forms of r_i in it than the exponential one, its default.
  It is meant to happen after every update: `every_updates=1`. Deviations: the
  gradient is computed anew after each update, a backward pass more; a unit that
  another intervention draws again counts as new. Frozen and thawed heads are
  left alone, and so, while there are any, is the last layer of the encoder,
  which feeds them. Own state: two numbers a unit and a count.

  Args:
    spec: the agent.
    rate: the largest share of a unit that is replaced at a time, 0 to 1. With
      0 networks never change.
    sharpness: how fast the share falls with the utility; 0 for all alike.
    threshold: the utility up to which it is the largest.
    decay: of the utility, 0 to below 1.
    period: in calls, at least 1.
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(rate, sharpness, threshold, decay, period)

  def on(net: NetSpec) -> GradientMethod:
    return method.continuous_partial_resets(
      net.layers,
      init=net.network.init,
      rate=rate,
      sharpness=sharpness,
      threshold=threshold,
      decay=decay,
      period=period,
    )

  return on_gradients(
    spec, units.check_hidden(spec, nets), *base.of_method(on, 'gradient')
  )
