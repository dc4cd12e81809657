"""FIRE: weights become the nearest isometries (Han et al., 2026)."""

from collections.abc import Sequence

import jax

from plasticity_rl import checks
from plasticity_rl import injection as core
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import base
from plasticity_rl.interventions.reset import redraw
from plasticity_rl.layers import Layer
from plasticity_rl.layers import get_path
from plasticity_rl.methods import fire as method
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Params

DENSE = ('project', 'reset', 'keep', 'reset_head', 'keep_head')


def fire(
  spec: AgentSpec,
  *,
  iterations: int = 10,
  dense: str = 'project',
  nets: Sequence[str] | None = None,
  optimizer: str = 'reset',
) -> base.Intervention:
  """W <- s polar(W): each layer's weights become the nearest isometry, scaled.

      polar(W) = U V^T of W = U S V^T,   s = sqrt(d_out / d_in) / (height width)

  is the matrix with orthonormal columns (rows, where there are more columns)
  that is nearest to W in the Frobenius norm; of a convolution, at each position
  of its kernel by itself, with s over their number. It is approximated by
  Newton-Schulz, `iterations` of X <- 1.5 X - 0.5 X X^T X from W / ||W||_F:
  after 10, singular values of W above 0.036 ||W||_F are within 1 % of 1, and
  smaller ones have grown 58 times at most. Nothing is drawn but what
  `dense="reset"` draws.

  Biases, scales and offsets of layer normalisation stay; of weight
  normalisation, `g` becomes the norm of each unit of the isometry. The target
  receives the online network's weights; its biases stay its own. Frozen heads
  stay as they are, and what is added to them is another function afterwards.

  Han et al., "FIRE: Frobenius-Isometry Reinitialization for Balancing the
  Stability-Plasticity Tradeoff", 2026, who do it once, halfway. We could read
  what others wrote of the paper and its published code, of which iterations,
  scale, convolutions and what becomes of the target are. There SAC projects
  every dense layer and starts the optimizer anew: the defaults. DQN on Atari
  projects convolutions, draws dense layers again and keeps the optimizer:
  `dense="reset", optimizer="keep"`, except that their dense layers return to
  the network's own first draw.

  Args:
    spec: the agent.
    iterations: of Newton-Schulz, at least 1.
    dense: what becomes of layers that are no convolutions: 'project' as
      convolutions are, 'keep', or 'reset', drawn again as `reset` does (frozen
      heads are dropped where that touches the head). With 'keep_head' and
      'reset_head' that is of those in the head alone, and others are projected.
    nets: networks to act on; by default those that the agent names.
    optimizer: 'reset' starts the optimizer's state anew, 'keep' keeps it.
  """
  method.check_options(iterations)
  checks.choice('dense', dense, DENSE)
  checks.choice('optimizer', optimizer, base.OPTIMIZER)
  names = base.check_nets(spec, nets)
  base.check_able(
    names, 'layers', {name: net.layers for name, net in spec.nets.items()}
  )
  if not any(
    _projected(
      spec.nets[name],
      jax.eval_shape(spec.nets[name].network.init, jax.random.PRNGKey(0)),
      dense,
    )
    for name in names
  ):
    raise UserError(
      f'fire: dense={dense!r} leaves nothing to project, since there are no'
      f' convolutions in {", ".join(names)}: take dense="project"'
    )

  def transform(key: Key, net: NetSpec, state: NetState) -> NetState:
    projected = _projected(net, core.trainable(state.params), dense)
    others = [layer.path for layer in net.layers if layer not in projected]
    if dense in ('reset', 'reset_head') and others:
      state = redraw(key, net, state, others, 'keep', slots=spec.slots > 0)
    if projected:
      new = method.fire(
        state.params, projected, iterations=iterations, target=state.target
      )
      state = state._replace(params=new.params, target=new.target)
    if optimizer == 'reset':
      return base.reset_groups(net, state, ('encoder', core.HEAD))
    return state

  return base.on_nets(spec, names, transform)


def _projected(net: NetSpec, plain: Params, dense: str) -> tuple[Layer, ...]:
  """The layers that are projected, of parameters without frozen heads."""

  def is_dense(layer: Layer) -> bool:
    own = get_path(plain, layer.path)[layer.weight]
    return own.ndim - (layer.member is not None) == 2

  def is_projected(layer: Layer) -> bool:
    in_encoder = layer.path[0] != core.HEAD and dense.endswith('_head')
    return dense == 'project' or in_encoder or not is_dense(layer)

  return tuple(layer for layer in net.layers if is_projected(layer))
