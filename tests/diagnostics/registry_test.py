"""All diagnostics together: names, targets, keys, what is remembered."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import settings
from plasticity_rl.agents import dqn
from plasticity_rl.agents import supervised
from plasticity_rl.diagnostics import registry
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression
from plasticity_rl.learner import optimizers
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Transition
from tests.diagnostics.probes import FEATURES
from tests.diagnostics.probes import KEY
from tests.diagnostics.probes import LAYERS
from tests.diagnostics.probes import NETWORK
from tests.diagnostics.probes import TWO_LAYERS
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import squared
from tests.diagnostics.probes import two_layers
from tests.properties import cases

ALL = tuple(registry.REGISTRY)
QUICK = {
  'target_fitting': {'steps': 2, 'draws': 2},
  'hessian': {'iterations': 3},
  'gradient_covariance': {'examples': 4},
  'ntk_rank': {'examples': 4},
  'ntk_condition': {'examples': 4},
  # Half of the units and more are dormant.
  'dormant_units': {'tau': 1.0},
  'dormant_overlap': {'tau': 1.0},
}


class Network:
  """Features that grow with the input; stands for a `SplitNetwork`."""

  @staticmethod
  def apply(params, x):
    del params
    return NetworkOutput(
      None, {k: x * jnp.array(v, jnp.float32) for k, v in FEATURES.items()}
    )


def test_every_network_is_measured_by_name():
  net = NetSpec(Network, None, LAYERS, has_target=False)
  spec = AgentSpec(
    nets={'a': net, 'b': net},
    default_nets=('a',),
    encoder_net='a',
    inputs=lambda params, batch: {'a': batch.s_tm1, 'b': 0 * batch.s_tm1},
    policy=None,
    losses=lambda key, nets, batch: {'a': None, 'b': None},
  )
  diagnostics = registry.make(
    spec,
    None,
    ('dead_units', 'dormant_units'),
    {'dormant_units': {'tau': 1.0}},
  )
  nets = {name: NetState(None, None, None, None) for name in 'ab'}
  assert diagnostics.init(nets) == {}
  batch = Transition(jnp.array(3.0), None, None, None, None)
  values, own = diagnostics.measure(KEY, nets, batch, {})
  values = floats(values)
  assert values['plasticity/a/dead_units/conv'] == pytest.approx(1 / 3)
  assert values['plasticity/b/dead_units/conv'] == 1
  assert values['plasticity/a/dormant_units/first'] == 3 / 4  # By that tau.
  assert {k.split('/')[2] for k in values} == {'dead_units', 'dormant_units'}
  assert own == {}


def test_unknown_diagnostic_is_refused_with_the_nearest():
  with pytest.raises(UserError, match="'sranc'; did you mean 'srank'"):
    registry.make(None, None, ('dead_units', 'sranc'), {})


def agent_of(net):
  """An agent of one network; an update adds the number of examples to all."""

  def update(key, nets, batch, updates):
    del key, updates
    add = float(len(batch.s_tm1))
    params = jax.tree.map(lambda x: x + add, nets['net'].params)
    return {'net': nets['net']._replace(params=params)}, {}

  return AgentSpec(
    nets={'net': net},
    default_nets=('net',),
    encoder_net='net',
    inputs=lambda params, batch: {'net': batch.s_tm1},
    policy=lambda params, batch: jnp.argmax(
      NETWORK.apply(params['net'], batch.s_tm1).outputs, -1
    ),
    losses=lambda key, nets, batch: {
      'net': lambda p: squared(p, batch.s_tm1, batch.a_tm1)
    },
  ), update


X, Y = [[1.0], [-1.0], [1.0], [-1.0]], [[5.0], [7.0], [0.0], [0.0]]
BATCH = Transition(jnp.array(X), jnp.array(Y), None, None, None)


def test_updates_and_losses_are_on_as_many_examples_as_are_asked_for():
  spec, update = agent_of(NetSpec(NETWORK, None, TWO_LAYERS, has_target=False))
  nets = {'net': NetState(two_layers(), None, None, two_layers())}
  diagnostics = registry.make(
    spec,
    update,
    ('update_ratio', 'churn', 'gradient_covariance'),
    {'gradient_covariance': {'examples': 2}},
  )
  values = floats(diagnostics.measure(KEY, nets, BATCH, {})[0])
  # Four examples: every one of ten weights by 4, over their norm.
  norm = (4 + 1 + 1 + 9 + 25 + 16) ** 0.5
  assert values['plasticity/net/update_ratio/trainable'] == pytest.approx(
    4 * 10**0.5 / norm, rel=1e-5
  )
  # Two examples: w = 4, 1, 2; b = 2, 2, 1; w = 5, 7, 6; b = 2, on the last
  # two, x = 1 and -1: y = 30 + 21 + 18 + 2 and 0 + 7 + 0 + 2, from 6 and 5.
  assert values['plasticity/net/churn/value'] == pytest.approx((65 + 4) / 2)
  assert values['plasticity/net/gradient_covariance/cosine'] == pytest.approx(
    -2 / (23 * 208) ** 0.5, rel=1e-5
  )


def test_targets_are_measured_where_that_is_asked_for():
  net = NetSpec(NETWORK, None, TWO_LAYERS, has_target=True)
  spec, update = agent_of(net)
  # No unit of it is dead, unlike the online network's third.
  target = jax.tree.map(lambda x: -2 * x, two_layers())
  nets = {'net': NetState(two_layers(), target, None, two_layers())}
  names = ('weight_growth', 'dead_units', 'gradient_l1', 'update_ratio')
  values, _ = registry.make(spec, update, names, {}, target=True).measure(
    KEY, nets, BATCH, {}
  )
  values = floats(values)
  assert values['plasticity/net/weight_growth/trainable'] == 1
  assert values['plasticity/net_target/weight_growth/trainable'] == 2
  assert values['plasticity/net/dead_units/first'] == pytest.approx(1 / 3)
  assert values['plasticity/net_target/dead_units/first'] == 0
  measured = {tuple(k.split('/')[1:3]) for k in values}
  assert measured == {
    *(('net', name) for name in names),
    ('net_target', 'weight_growth'),
    ('net_target', 'dead_units'),
  }


def test_targets_of_an_agent_without_any_are_refused():
  spec, update = agent_of(NetSpec(NETWORK, None, TWO_LAYERS, has_target=False))
  with pytest.raises(UserError, match='has a target: net'):
    registry.make(spec, update, ('weight_norm',), {}, target=True)


def test_dormant_sets_are_remembered():
  spec, update = agent_of(NetSpec(NETWORK, None, TWO_LAYERS, has_target=False))
  nets = {'net': NetState(two_layers(), None, None, two_layers())}
  diagnostics = registry.make(
    spec, update, ('dormant_overlap',), {'dormant_overlap': {'tau': 0.9}}
  )
  empty = diagnostics.init(nets)
  values, own = diagnostics.measure(KEY, nets, BATCH, empty)
  where = 'plasticity/net/dormant_overlap/first'
  assert np.isnan(values[where])
  # Mean |h| 1, 1/2, 0, scores 2, 1, 0.
  assert own[registry.MEMORY]['net']['first'].tolist() == [False, False, True]
  assert jax.tree.structure(own) == jax.tree.structure(empty)
  values, again = diagnostics.measure(KEY, nets, BATCH, own)
  assert float(values[where]) == 1
  assert again[registry.MEMORY]['net']['first'].tolist() == [False, False, True]


def test_no_label_of_an_intervention_is_that_of_the_memory():
  with pytest.raises(UserError):
    expression.parse(f'{registry.MEMORY}=control')
  with pytest.raises(UserError):
    expression.parse(registry.MEMORY)


def applicable(spec):
  """All diagnostics but that of bounded activations, where there are none."""
  bounded = any(x.bounds for net in spec.nets.values() for x in net.layers)
  return ALL if bounded else registry.FOR_ALL


def diagnosed(agent_name, history):
  """`(networks of all seeds, init, measure)`, of every diagnostic."""
  agent, state, batch = cases.case(agent_name, history)
  diagnostics = registry.make(
    agent.spec,
    agent.update,
    applicable(agent.spec),
    QUICK,
    target=agent_name != 'classifier',
  )

  def measure(key, nets, own):
    return diagnostics.measure(key, nets, batch, own)

  return state.nets, diagnostics.init, measure


@pytest.mark.parametrize('agent_name, history', cases.pairs())
def test_every_agent_is_measured(agent_name, history):
  nets, init, measure = diagnosed(agent_name, history)
  nets = jax.tree.map(lambda x: x[0], nets)
  empty = jax.eval_shape(init, nets)
  metrics, own = jax.eval_shape(measure, KEY, nets, empty)
  names = {key.split('/')[2] for key in metrics}
  agent, _, _ = cases.case(agent_name, history)
  assert names == set(applicable(agent.spec))
  assert {x.shape for x in metrics.values()} == {()}
  assert own == empty


@pytest.mark.slow
@pytest.mark.parametrize(
  'agent_name, history',
  (
    ('dqn_mlp', 'fresh'),
    ('dqn_conv', 'slots'),
    ('classifier', 'injected'),
    ('sac_mlp', 'injected'),
  ),
)
def test_what_is_measured_is_a_number(agent_name, history):
  nets, init, measure = diagnosed(agent_name, history)
  measure = jax.jit(jax.vmap(measure))
  # Twice, so that sets are remembered.
  _, own = measure(cases.keys(5), nets, jax.vmap(init)(nets))
  metrics, _ = measure(cases.keys(5), nets, own)
  for key, values in metrics.items():
    assert values.shape == (cases.SEEDS,)
    assert np.isfinite(values).all(), key
    # Two seeds are two networks; counts may agree.
    if key.endswith(('weight_norm/all', 'hessian/largest')):
      assert values[0] != values[1], key
    if '/dormant_overlap/' in key:
      assert (values == 1).all(), key


@pytest.mark.parametrize(
  'config',
  (
    {'hidden': (), 'split': 0},
    {'hidden': (4,), 'split': 0},
    {'hidden': (), 'split': 1, 'convolutions': ((2, 2, 1),)},
  ),
)
def test_networks_without_this_or_that_are_measured(config):
  """No hidden layer, no encoder, no hidden layer in the head."""
  config = {'convolutions': (), **config}
  shape = (3, 3, 1) if config['convolutions'] else (6,)
  network, layers = cases.split_network(shape, **config)
  for has_target in (True, False):
    net = NetSpec(
      network, optimizers.make(settings.OptimizerConfig()), layers, has_target
    )
    agent = (
      dqn.DQN(net, settings.DQNConfig())
      if has_target
      else supervised.Supervised(net)
    )
    diagnostics = registry.make(
      agent.spec,
      agent.update,
      applicable(agent.spec),
      QUICK,
      target=has_target,
    )
    batch = Transition(
      jnp.ones([4, *shape]),
      jnp.zeros(4, int),
      *[jnp.ones(4)] * 2,
      jnp.ones([4, *shape]),
    )

    def look(key, diagnostics=diagnostics, agent=agent, batch=batch):
      nets = agent.init(key)
      return diagnostics.measure(key, nets, batch, diagnostics.init(nets))

    metrics, _ = jax.eval_shape(look, KEY)
    assert any('/target_fitting/' in key for key in metrics)
