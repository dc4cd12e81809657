"""Methods and diagnostics on ensembles: each member by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import settings
from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.layers import feeds
from plasticity_rl.layers import get_layer
from plasticity_rl.layers import get_path
from plasticity_rl.layers import put_layer
from plasticity_rl.learner.regularizers import registry as regularizers
from plasticity_rl.losses import parseval
from plasticity_rl.methods import units
from plasticity_rl.types import TrainState
from tests.properties import cases

AGENTS = ('sac_mlp', 'drq_conv')
# A unit of member 1 alone, and for drq_conv one that members share.
DEAD = {
  'sac_mlp': {'dense_0.1': 2},
  'drq_conv': {'trunk': 1, 'dense_0.1': 2},
}


def agent_and_nets(name):
  agent, state, batch = cases.case(name, 'fresh')
  return agent, cases.one_seed(state).nets, batch


def planted(name):
  """With units that are zero whatever they see, in online and target."""
  agent, nets, batch = agent_and_nets(name)
  layers = {x.name: x for x in agent.spec.nets['critic'].layers}

  def dead(params):
    for where, unit in DEAD[name].items():
      own = {
        k: np.array(x) for k, x in get_layer(params, layers[where]).items()
      }
      for x in own.values():
        x[..., unit] = 0
      if where != 'trunk':  # ReLU: below zero for sure.
        own['b'][unit] = -0.5
      params = put_layer(params, layers[where], own)
    return params

  critic = nets['critic']
  critic = critic._replace(
    params=dead(critic.params), target=dead(critic.target)
  )
  return agent, {**nets, 'critic': critic}, batch


def intervene(text, agent, nets, batch):
  intervention = registry.make(expression.parse(text), agent.spec)
  state = TrainState(nets, (), (), (), (), {})
  own = intervention.init(state)
  return intervention.apply(jax.random.PRNGKey(3), state, own, batch)[0].nets


@pytest.mark.parametrize('name', AGENTS)
def test_layers_are_read_and_written_by_member(name):
  agent, nets, _ = agent_and_nets(name)
  params = nets['critic'].params
  for layer in agent.spec.nets['critic'].layers:
    own = get_layer(params, layer)
    whole = get_path(params, layer.path)
    written = put_layer(params, layer, jax.tree.map(lambda x: x + 1, own))
    changed = jax.tree.map(
      lambda a, b: np.asarray(a != b),
      get_path(written, layer.path),
      whole,
    )
    for k, x in own.items():
      if layer.member is None:
        assert changed[k].all()
      else:
        np.testing.assert_array_equal(x, whole[k][layer.member])
        assert changed[k][layer.member].all()
        assert not changed[k][1 - layer.member].any()


@pytest.mark.parametrize('name', AGENTS)
def test_redo_recycles_dead_units_of_one_member(name):
  agent, nets, batch = planted(name)
  after = intervene('redo(tau=0.0, nets="critic")', agent, nets, batch)
  spec = agent.spec.nets['critic']
  inputs = agent.spec.inputs({k: n.params for k, n in nets.items()}, batch)
  for old, new in (
    (nets['critic'].params, after['critic'].params),
    (nets['critic'].target, after['critic'].target),
  ):
    # Dead units had no say, in no member. (Under the trunk's layer norm the
    # others notice a new one.)
    if 'trunk' not in DEAD[name]:
      a, b = (
        spec.network.apply(p, inputs['critic']).outputs for p in (old, new)
      )
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    for layer in spec.layers:
      changed = jax.tree.map(
        lambda a, b: np.asarray(a != b),
        *(get_layer(p, layer) for p in (new, old)),
      )
      wanted = {k: np.zeros(x.shape, bool) for k, x in changed.items()}
      if layer.name in DEAD[name]:
        for x in wanted.values():
          x[..., DEAD[name][layer.name]] = True
      for where, unit in DEAD[name].items():
        source = next(x for x in spec.layers if x.name == where)
        if layer in feeds(source, spec.layers):
          wanted['w'][unit] = True
      for k, x in changed.items():
        # What is set to zero may have been zero.
        assert not np.any(x & ~wanted[k]), (layer.name, k)
      if any(x.any() for x in wanted.values()):
        assert changed['w'].any()


def test_side_inputs_are_no_units():
  """The action's rows behind the trunk's stay, and count for no unit."""
  agent, nets, _ = agent_and_nets('drq_conv')
  net = agent.spec.nets['critic']
  trunk = next(h for h in units.hidden_layers(net.layers) if h.name == 'trunk')
  assert [x.name for x in trunk.followers] == ['dense_0.0', 'dense_0.1']
  params = nets['critic'].params
  w = np.abs(np.asarray(params['head']['dense_0']['w']))  # [2, 3 + 2, units].
  assert w.shape[1] == 3 + cases.ACTION_SIZE
  np.testing.assert_allclose(
    units.outgoing_magnitude(trunk, params), w[:, :3].sum((0, 2)), rtol=1e-5
  )
  weights = units.weights_of(net.layers, params, {'trunk': jnp.ones(3, bool)})
  mask = np.asarray(weights.outgoing['head']['dense_0']['w'])
  assert mask[:, :3].all() and not mask[:, 3:].any()


@pytest.mark.parametrize('name', AGENTS)
def test_dormancy_is_relative_to_the_members_own_mean(name):
  """A member whose features are all a thousandth is not dormant for it."""
  agent, nets, batch = agent_and_nets(name)
  params = nets['critic'].params
  layer = next(
    x for x in agent.spec.nets['critic'].layers if x.name == 'dense_0.1'
  )
  scaled = put_layer(
    params,
    layer,
    jax.tree.map(lambda x: x / 1000, get_layer(params, layer)),
  )
  looks = diagnostics.make(
    agent.spec, agent.update, ('dormant_units', 'weight_norm', 'srank'), {}
  )
  found = [
    looks.measure(
      jax.random.PRNGKey(0),
      {**nets, 'critic': nets['critic']._replace(params=p)},
      batch,
      {},
    )[0]
    for p in (params, scaled)
  ]
  where = 'plasticity/critic/{}/dense_0.1'.format
  for measure in ('dormant_units', 'srank'):
    assert float(found[0][where(measure)]) == float(found[1][where(measure)])
  assert float(found[1][where('weight_norm')]) == pytest.approx(
    float(found[0][where('weight_norm')]) / 1000, rel=1e-4
  )
  assert float(found[0]['plasticity/critic/weight_norm/dense_0.0']) == float(
    found[1]['plasticity/critic/weight_norm/dense_0.0']
  )


def test_the_average_of_a_network_without_layers_is_itself():
  agent, nets, batch = agent_and_nets('sac_mlp')
  after = intervene('hare_and_tortoise(nets="temperature")', agent, nets, batch)
  for a, b in zip(jax.tree.leaves(nets), jax.tree.leaves(after), strict=True):
    np.testing.assert_array_equal(a, b)


def test_networks_without_layers_are_not_measured():
  agent, nets, batch = agent_and_nets('sac_mlp')
  looks = diagnostics.make(
    agent.spec, agent.update, ('weight_norm', 'dormant_overlap'), {}
  )
  own = looks.init(nets)
  assert list(own[diagnostics.MEMORY]) == ['critic', 'actor']
  values, _ = looks.measure(jax.random.PRNGKey(0), nets, batch, own)
  assert {name.split('/')[1] for name in values} == {'critic', 'actor'}


def test_penalties_are_summed_over_members():
  agent, nets, batch = agent_and_nets('sac_mlp')
  net, state = agent.spec.nets['critic'], nets['critic']
  inputs = (batch.s_tm1, batch.a_tm1)
  output = net.network.apply(state.params, inputs)

  def penalty(**config):
    made = regularizers.make(
      settings.RegularizerConfig(**config), net.network, net.layers
    )
    return float(made(state.params, state, inputs, output, None)[0])

  head, encoder = state.params['head'], state.params['encoder']
  assert penalty(parseval=1.0) == pytest.approx(
    sum(
      float(parseval(w[m]))
      for m in (0, 1)
      for w in (encoder['dense_0']['w'], head['dense_1']['w'])
    ),
    rel=1e-5,
  )
  features = [np.asarray(output.layers[f'dense_1.{m}']) for m in (0, 1)]
  assert penalty(feature_norm=1.0) == pytest.approx(
    sum((h**2).sum() / len(h) for h in features), rel=1e-5
  )
  assert penalty(spectral_norm=1.0, power_iterations=50) == pytest.approx(
    sum(
      np.linalg.norm(get_layer(state.params, x)['w'], 2) ** 2 / 2
      for x in net.layers
    ),
    rel=1e-3,
  )


def test_the_last_layer_is_all_members():
  agent, nets, batch = agent_and_nets('sac_mlp')
  after = intervene('reset(scope="last", nets="critic")', agent, nets, batch)[
    'critic'
  ].params
  old, new = nets['critic'].params['head'], after['head']
  assert np.all(new['dense_2']['w'] != old['dense_2']['w'])
  np.testing.assert_array_equal(new['dense_1']['w'], old['dense_1']['w'])
