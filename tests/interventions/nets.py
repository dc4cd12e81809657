"""Agents with networks whose layers differ in fan-in, and planted dead units.

A state is that of one seed, every weight and moment another than at the start.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import dqn
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry
from plasticity_rl.layers import get_path
from plasticity_rl.layers import put_path
from plasticity_rl.learner import optimizers
from plasticity_rl.types import Counters
from plasticity_rl.types import NetSpec
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition
from tests.properties import cases

BATCH = 8
SHAPES = {'mlp': (3,), 'conv': (6, 5, 2)}
NETWORKS = {
  # Encoders of two layers, heads of two.
  'mlp': {'convolutions': (), 'hidden': (20, 6, 5), 'split': 2},
  'conv': {
    'convolutions': ((5, 2, 1), (4, 2, 1)),
    'hidden': (7,),
    'split': 2,
  },
}
DEAD = {
  'mlp': {'dense_0': (1, 4), 'dense_1': (2,), 'dense_2': (0, 3)},
  'conv': {'conv_0': (1,), 'conv_1': (0, 2), 'dense_2': (5,)},
}
# What feeds the head, and so frozen heads.
LAST_OF_ENCODER = {'mlp': 'dense_1', 'conv': 'conv_1'}


@functools.cache
def agent(kind, slots=0, **optimizer):
  network, layers = cases.split_network(SHAPES[kind], **NETWORKS[kind])
  config = settings.OptimizerConfig(**{'name': 'adam', **optimizer})
  net = NetSpec(network, optimizers.make(config), layers, has_target=True)
  return dqn.DQN(net, settings.DQNConfig(), slots=slots)


@functools.cache
def batch(kind):
  rng = np.random.default_rng(0)
  shape = SHAPES[kind]
  return Transition(
    s_tm1=rng.standard_normal((BATCH, *shape), np.float32),
    a_tm1=rng.integers(0, cases.ACTIONS, BATCH).astype(np.int32),
    r_t=rng.standard_normal(BATCH, np.float32),
    discount_t=np.full(BATCH, 0.9, np.float32),
    s_t=rng.standard_normal((BATCH, *shape), np.float32),
  )


@functools.cache
def state(kind, history='fresh', seed=0):
  """After some training; injected before it, or with slots, still closed."""
  made = agent(kind, 1 if history in ('closed', 'open') else 0)
  result = TrainState(
    made.init(jax.random.PRNGKey(seed)),
    (),
    (),
    (),
    Counters(*(jnp.array(7) for _ in range(4))),
    {},
  )
  if history in ('injected', 'open'):
    result = apply('injection', made, result, kind)
  elif history == 'thawed':
    result = apply('injection(freeze_original=False)', made, result, kind)
  elif history == 'summed':  # No frozen head, but a former one that learns.
    result = apply(
      'injection(freeze_original=False, third_term=False)',
      made,
      result,
      kind,
    )
  return cases.moved(result, seed)


def plant(state, kind, layers=None):
  """Units that are zero whatever they see, in online and target."""
  net = agent(kind).spec.nets['q']

  def dead(params):
    plain = injection.trainable(params)
    for layer in net.layers:
      if layer.name in (layers or DEAD[kind]):
        units = list(DEAD[kind][layer.name])
        w, b = (np.array(get_path(plain, layer.path)[k]) for k in 'wb')
        w[..., units], b[units] = 0, -0.5
        plain = put_path(plain, layer.path, {'w': w, 'b': b})
    return injection.replace_trainable(params, plain)

  q = state.nets['q']
  return state._replace(
    nets={'q': q._replace(params=dead(q.params), target=dead(q.target))}
  )


def apply(text, made, state, kind, key=1):
  """The state after an intervention whose own state is new."""
  return calls(text, made, state, kind, key=key)[0]


def calls(text, made, state, kind, times=1, own=None, key=1, inputs=None):
  """`(state, own)` after an intervention has happened some times."""
  intervention = registry.make(expressions.parse(text), made.spec)
  own = intervention.init(state) if own is None else own
  data = batch(kind)
  if inputs is not None:
    data = data._replace(s_tm1=inputs)
  for i in range(times):
    state, own = intervention.apply(
      jax.random.PRNGKey(key + i), state, own, data
    )
  return state, own


def predict(made, params, kind, inputs=None):
  inputs = batch(kind).s_tm1 if inputs is None else inputs
  return made.spec.nets['q'].network.apply(params, inputs)


def weights(net, params):
  """{layer: {'w', 'b'}} of what learns, as NumPy."""
  plain = injection.trainable(params)
  return {
    layer.name: jax.tree.map(np.asarray, get_path(plain, layer.path))
    for layer in net.layers
  }


def gradient(made, state, kind):
  """That of the mean loss by the weights, by layer."""
  q = state.nets['q']

  def loss(params):
    found = made.spec.losses(
      jax.random.PRNGKey(0),
      {'q': q._replace(params=params)},
      batch(kind),
    )
    return found['q'](params)[0].mean()

  return weights(made.spec.nets['q'], jax.grad(loss)(q.params))


def masks(kind, names=None):
  """Those of the planted units, by layer."""
  net = agent(kind).spec.nets['q']
  params = net.network.init(jax.random.PRNGKey(0))
  found = {}
  for name, units in DEAD[kind].items():
    width = weights(net, params)[name]['b'].shape[0]
    chosen = np.zeros(width, bool)
    if names is None or name in names:
      chosen[list(units)] = True
    found[name] = chosen
  return found


def weight_masks(kind, units):
  """(incoming, outgoing) by layer and 'w' or 'b', by hand."""
  net = agent(kind).spec.nets['q']
  like = weights(net, net.network.init(jax.random.PRNGKey(0)))
  incoming, outgoing = (
    {
      n: {k: np.zeros(x.shape, bool) for k, x in p.items()}
      for n, p in like.items()
    }
    for _ in range(2)
  )
  for layer, follower in zip(net.layers, net.layers[1:], strict=False):
    for unit in np.flatnonzero(units.get(layer.name, ())):
      incoming[layer.name]['w'][..., unit] = True
      incoming[layer.name]['b'][unit] = True
      out = outgoing[follower.name]['w']
      if out.ndim == 2:  # Of each position, where it was an image.
        out[unit :: like[layer.name]['b'].size] = True
      else:
        out[..., unit, :] = True
  return incoming, outgoing
