"""Continual backprop (Dohare et al., 2024)."""

from collections.abc import Sequence

from plasticity_rl.interventions import base
from plasticity_rl.interventions import units
from plasticity_rl.methods import continual_backprop as method
from plasticity_rl.methods.units import hidden_layers
from plasticity_rl.types import AgentSpec


def continual_backprop(
  spec: AgentSpec,
  *,
  rate: float = 1e-4,
  maturity: int = 100,
  decay: float = 0.99,
  count: str = 'keep',
  nets: Sequence[str] | None = None,
) -> base.Intervention:
  """Replaces a small fraction of the least useful mature units at each call.

  Of every unit i of a hidden layer, with eta = `decay` and h on the batch:

      u_i <- eta u_i + (1 - eta) mean|h_i| sum_k |w_out,ik|    (contribution)
      f_i <- eta f_i + (1 - eta) mean(h_i)                     (mean activation)
      a_i <- a_i + 1                                           (age, in calls)

  The means are over the batch, and over positions for a channel. Both averages
  are divided by 1 - eta^a_i, their bias. At each call `rate` x (the number of
  units with a_i > `maturity`) is added to what the layer has to replace; the
  whole part of that many mature units of the lowest utility are replaced, the
  fraction waits. A replaced unit's incoming weights are drawn again from its
  layer's initialiser and its outgoing ones become zero; f_i w_out,i goes into
  the next layer's biases, which changes no output if h_i is constant. Its
  utility, mean, age, and the optimizer's moments of its weights become zero.
  Online and target receive the same, the target with its own w_out.

  Dohare et al., "Loss of Plasticity in Deep Continual Learning", Nature 2024;
  meant to happen after every update: `every_updates=1`. Deviations: features
  are those after the update, of one more forward pass; a unit that another
  intervention draws again counts as new. Frozen and thawed heads are left
  alone, and so, while there are any, is the last layer of the encoder, which
  feeds them. Own state: a few numbers a unit.

  Args:
    spec: the agent.
    rate: replacement rate, per call and mature unit, 0 to 1. The paper uses
      1e-4 to 1e-6. With 0 networks never change.
    maturity: calls that a unit is safe for; 100 to 10,000 in the paper.
    decay: eta, 0 to 1, below 1; 0.99 in the paper.
    count: what becomes of the optimizer's counts: 'keep' or 'reset'. The paper
      counts steps by weight, which optax does not; with replacements this
      frequent, groups whose count starts anew each time would hardly move, so
      that the default is to keep them (see `methods.moments`).
    nets: networks to act on; by default those that the agent names.
  """
  method.check_options(rate, maturity, decay, count)
  base.check_able(
    units.check_hidden(spec, nets),
    'biases in the layers that hidden ones feed',
    {
      name: bool(hidden_layers(net.layers))
      and all(
        follower.bias is not None
        for hidden in hidden_layers(net.layers)
        for follower in hidden.followers
      )
      for name, net in spec.nets.items()
    },
  )
  return units.by_method(
    spec,
    nets,
    lambda net: method.continual_backprop(
      net.layers,
      init=net.network.init,
      rate=rate,
      maturity=maturity,
      decay=decay,
      count=count,
    ),
  )
