"""Computing in bfloat16: what is rounded by it, and what is not."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import settings as settings_lib
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.networks import layers
from plasticity_rl.training import agent_builder
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

KEY, BATCH = jax.random.PRNGKey(4), 16
# Of each: the environment, its spaces, and what else is set.
CASES = {
  'dqn': (
    'catch',
    Spaces((6, 6, 2), np.float32, Discrete(3)),
    {
      'network.convolutions': ((4, 3, 1),),
      'network.split': 1,
      'network.layer_norm': True,
    },
  ),
  'sac': (
    'dmc_walker_walk',
    Spaces((5,), np.float32, Continuous(2)),
    {
      'network.split': 1,
      'network.weight_norm': True,
    },
  ),
  'drq': (
    'dmc_pixels_walker_walk',
    Spaces((8, 8, 1), np.uint8, Continuous(2)),
    {
      'network.convolutions': ((4, 3, 2),),
      'network.split': 1,
      'agent.latent': 4,
      'agent.shift': 2,
    },
  ),
  'supervised': (
    'random_labels',
    Spaces((5,), np.float32, Discrete(3)),
    {
      'regularizer.infer': 0.1,
      'network.split': 1,
    },
  ),
}
every_agent = pytest.mark.parametrize('name', CASES)


@functools.cache
def agent_of(name, precision):
  environment, spaces, changes = CASES[name]
  config = settings_lib.default_config(name, environment)
  config.network.hidden = (8, 8)
  config.update_from_flattened_dict({**changes, 'network.precision': precision})
  return agent_builder.make(settings_lib.resolve(config), spaces)


@functools.cache
def nets_of(name):
  """Their parameters do not depend on the precision."""
  return jax.jit(agent_of(name, 'float32').init)(KEY)


def batch_of(name):
  rng, spaces = np.random.default_rng(0), CASES[name][1]
  shape = (BATCH, *spaces.observation_shape)

  def see():
    if spaces.observation_dtype == np.uint8:
      return rng.integers(0, 256, shape, np.uint8)
    return rng.normal(size=shape).astype(np.float32)

  action = rng.integers(0, 3, BATCH).astype(np.int32)
  if isinstance(spaces.actions, Continuous):
    action = rng.uniform(-1, 1, (BATCH, 2)).astype(np.float32)
  r_t, discount_t = rng.uniform(size=(2, BATCH)).astype(np.float32)
  return Transition(see(), action, r_t, discount_t, see())


def outputs_of(agent, nets, batch):
  """What each network returns on a batch."""
  params = {name: net.params for name, net in nets.items()}
  inputs = agent.spec.inputs(params, batch)
  return {
    name: net.network.apply(params[name], inputs[name])
    for name, net in agent.spec.nets.items()
  }


def types_of(tree):
  return {str(x.dtype) for x in jax.tree.leaves(tree)}


@every_agent
def test_outputs_are_close_and_float32(name):
  nets, batch = nets_of(name), batch_of(name)
  exact, rounded = (
    jax.jit(functools.partial(outputs_of, agent_of(name, precision)))(
      nets, batch
    )
    for precision in ('float32', 'bfloat16')
  )
  assert types_of(rounded) == {'float32'}
  assert jax.tree.structure(exact) == jax.tree.structure(rounded)
  for net in agent_of(name, 'float32').spec.default_nets:
    # Eight bits of significand, in a few layers.
    for a, b in zip(
      *map(jax.tree.leaves, (exact[net], rounded[net])), strict=True
    ):
      scale = float(np.abs(a).max()) + 1e-3
      np.testing.assert_allclose(a, b, atol=0.03 * scale)
    same = jax.tree.map(np.array_equal, exact[net], rounded[net])
    assert not all(jax.tree.leaves(same))


@every_agent
def test_what_is_kept_is_float32(name):
  agent, nets, batch = agent_of(name, 'bfloat16'), nets_of(name), batch_of(name)
  assert jax.tree.map(
    lambda x: (x.shape, x.dtype), jax.eval_shape(agent.init, KEY)
  ) == jax.tree.map(lambda x: (x.shape, x.dtype), nets)
  new, metrics = jax.eval_shape(agent.update, KEY, nets, batch, 0)
  assert types_of(new) <= {'float32', 'int32'}
  assert types_of(metrics) == {'float32'}
  for net, loss in agent.spec.losses(KEY, nets, batch).items():
    losses, _ = jax.eval_shape(loss, nets[net].params)
    gradients = jax.eval_shape(
      jax.grad(lambda p, loss=loss: loss(p)[0].mean()), nets[net].params
    )
    assert types_of((losses, gradients)) == {'float32'}


def products(name, precision):
  """Types of the operands of an update's products."""
  agent = agent_of(name, precision)
  text = (
    jax.jit(agent.update).lower(KEY, nets_of(name), batch_of(name), 0).as_text()
  )
  lines = re.findall(
    r'stablehlo\.(?:dot_general|convolution).*: \((.*?)\) ->', text
  )
  return {re.sub(r'tensor<[\dx]*(\w+)>', r'\1', line) for line in lines}


@every_agent
def test_products_are_of_bfloat16(name):
  assert products(name, 'bfloat16') == {'bf16, bf16'}
  assert products(name, 'float32') == {'f32, f32'}


@pytest.mark.parametrize(
  'name, times', (('dqn', 2), ('sac', 1), ('drq', 1), ('supervised', 1))
)
def test_an_injection_changes_no_output(name, times):
  agent, batch = agent_of(name, 'bfloat16'), batch_of(name)
  inject = registry.make(expression.parse('injection'), agent.spec)

  @jax.jit
  def outputs(nets):
    found = outputs_of(agent, nets, batch)
    return {net: found[net].outputs for net in agent.spec.default_nets}

  @jax.jit
  def injected(key, nets):
    state = TrainState(nets, (), (), (), (), {})
    return inject.apply(key, state, inject.init(state), None)[0].nets

  nets = nets_of(name)
  before = outputs(nets)
  for i in range(times):
    nets = injected(jax.random.fold_in(KEY, i), nets)
  for net in agent.spec.default_nets:
    head = nets[net].params['head']
    assert isinstance(head, injection.InjectedHead)
    assert head.signs.shape == (2 * times,)
  jax.tree.map(np.testing.assert_array_equal, before, outputs(nets))


def test_norms_are_not_rounded_within():
  # In bfloat16 the mean of these is 1024, and so is each of them.
  x = jnp.array([[1024.0, 1025, 1026, 1027]]) / 8
  norm = layers.layer_norm(
    *layers._at_least_float32(
      x.astype(jnp.bfloat16), *jnp.array([[1.0] * 4, [0.0] * 4])
    )
  )
  assert norm.dtype == jnp.float32
  w = jnp.array([[300.0], [1.0]], jnp.bfloat16)
  (exact,) = layers._at_least_float32(w)
  assert float(layers.weight_norm.norms(exact)[0]) > 300
