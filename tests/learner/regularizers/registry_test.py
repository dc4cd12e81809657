"""Penalties as a config asks for them, on a network that learns."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.errors import UserError
from plasticity_rl.learner import optimizers
from plasticity_rl.learner.regularizers import registry
from plasticity_rl.learner.regularizers.infer import infer
from plasticity_rl.losses import l2
from plasticity_rl.losses import l2_init
from plasticity_rl.losses import parseval
from plasticity_rl.losses import spectral_norm
from plasticity_rl.networks import sequential
from plasticity_rl.types import NetSpec

KEY = jax.random.PRNGKey(3)
X = jax.random.normal(KEY, [4, 5, 4, 2])
# Of weights, features and one batch; `c_chain_test.py` has the other.
NAMES = tuple(name for name in registry.REGISTRY if name != 'c_chain')


def build(
  split=1,
  convolutions=((3, 2, 1),),
  hidden=(4,),
  weight_norm=False,
  **options,
):
  """A network of a convolution and two dense layers, with its penalty."""
  config = settings.RegularizerConfig(**options)
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(5, 4, 2),
      convolutions=convolutions,
      hidden=hidden,
      num_outputs=2,
      split=split,
      infer_heads=registry.infer_heads(config),
      weight_norm=weight_norm,
    )
  )
  return NetSpec(
    network,
    optimizers.make(settings.OptimizerConfig(name='sgd')),
    layers,
    has_target=False,
    penalty=registry.make(config, network, layers),
  )


def state_of(net):
  """Trained a little, so that it is not where it began."""
  state = base.init_net(KEY, net, 0)
  moved = jax.tree.map(lambda x: x + 0.1, state.params)
  return state._replace(params=moved)


def value_of(net, state):
  value, metrics = net.penalty(
    state.params, state, X, net.network.apply(state.params, X), None
  )
  assert metrics == {}
  return value


def test_nothing_is_on_by_default():
  net = build()
  assert net.penalty is None
  assert set(base.init_net(KEY, net, 0).params['encoder']) == {'conv_0'}


@pytest.mark.parametrize('name', NAMES)
def test_each_is_what_its_function_says(name):
  net = build(
    **{name: 0.5}, infer_heads=3, power_iterations=4, parseval_scale=1.5
  )
  state = state_of(net)
  params, initial = state.params, state.initial
  output = net.network.apply(params, X)
  ws = [
    params['encoder']['conv_0']['w'],
    params['head']['dense_1']['w'],
    params['head']['dense_2']['w'],
  ]
  expected = {
    'l2': lambda: l2(params),
    'l2_init': lambda: l2_init(params, initial),
    'parseval': lambda: sum(parseval(w, 1.5) for w in ws[:2]),
    'spectral_norm': lambda: sum(spectral_norm(w, 4) for w in ws),
    'feature_norm': lambda: (output.layers['dense_1'] ** 2).sum() / 4,
    'infer': lambda: infer(output, net.network.apply(initial, X), 100.0),
  }[name]()
  assert expected > 0
  np.testing.assert_allclose(value_of(net, state), 0.5 * expected, rtol=1e-5)


def test_they_add_up():
  both = build(l2=0.5, spectral_norm=2.0)
  state = state_of(both)
  np.testing.assert_allclose(
    value_of(both, state),
    value_of(build(l2=0.5), state) + value_of(build(spectral_norm=2.0), state),
    rtol=1e-6,
  )


@pytest.mark.parametrize('name', ('parseval', 'spectral_norm'))
def test_of_weight_norm_the_weights_that_count(name):
  net = build(**{name: 1.0}, weight_norm=True)
  state = state_of(net)

  def scaled(which):
    return state._replace(
      params=jax.tree_util.tree_map_with_path(
        lambda path, x: x * 2 if path[-1].key == which else x, state.params
      )
    )

  np.testing.assert_allclose(
    value_of(net, scaled('w')), value_of(net, state), rtol=1e-5
  )
  assert value_of(net, scaled('g')) > 1.5 * value_of(net, state)


def test_features_of_the_encoder():
  net = build(feature_norm=1.0, feature_norm_of='encoder')
  state = state_of(net)
  output = net.network.apply(state.params, X)
  np.testing.assert_allclose(
    value_of(net, state), (output.layers['conv_0'] ** 2).sum() / 4, rtol=1e-6
  )


@pytest.mark.parametrize('name', NAMES)
def test_frozen_heads_do_not_change_it(name):
  """Nor, for what is of the weights, does anything else an injection does."""
  net = build(**{name: 0.5})
  state = state_of(net)
  params, opt_state = injection.inject(
    KEY, net.network, state.params, net.optimizer, state.opt_state
  )
  fresh = {**state.initial, 'head': injection.trainable(params)['head']}
  state = state._replace(params=params, opt_state=opt_state, initial=fresh)
  large = jax.tree.map(
    lambda learns, p: p if learns else p + 10.0,
    injection.trainable_mask(params),
    params,
  )
  np.testing.assert_array_equal(
    value_of(net, state), value_of(net, state._replace(params=large))
  )


def test_heads_of_infer_are_the_encoders_and_regress_to_their_beginning():
  net = build(infer=1.0, infer_heads=3, infer_scale=2.0)
  state = base.init_net(KEY, net, 0)
  heads = state.params['encoder']['infer']
  assert heads['w'].shape == (4 * 3 * 3, 3)
  output = net.network.apply(state.params, X)
  features_ = output.layers['conv_0'].reshape(4, -1)
  np.testing.assert_allclose(
    output.layers['infer'], features_ @ heads['w'] + heads['b'], rtol=1e-5
  )
  # At the start the distance from twice itself is itself.
  np.testing.assert_allclose(
    value_of(net, state), (output.layers['infer'] ** 2).sum() / 4, rtol=1e-5
  )


@pytest.mark.parametrize('name', NAMES)
def test_descending_lowers_it_and_reports_it(name):
  net = build(**{name: 1e-3})
  state = state_of(net)

  def loss(params):
    output = net.network.apply(params, X)
    return 0 * output.outputs.sum(-1), output

  step = jax.jit(
    lambda state: base.gradient_step(net, state, lambda x: (loss, x), X)[:2]
  )
  penalties = []
  for _ in range(5):
    state, metrics = step(state)
    assert set(metrics) == {'loss', 'penalty'} and metrics['loss'] == 0
    penalties.append(float(metrics['penalty']))
  assert all(np.diff(penalties) < 0), penalties


@pytest.mark.parametrize(
  'options, message',
  (
    ({'infer': 1.0, 'split': 0}, 'regularizer.infer needs an encoder'),
    (
      {'feature_norm': 1.0, 'feature_norm_of': 'encoder', 'split': 0},
      "feature_norm_of is 'encoder'",
    ),
    (
      {'feature_norm': 1.0, 'convolutions': (), 'hidden': (), 'split': 0},
      "feature_norm_of is 'penultimate'",
    ),
    (
      {'parseval': 1.0, 'convolutions': (), 'hidden': (), 'split': 0},
      'parseval: the network has no hidden layer',
    ),
  ),
)
def test_what_the_network_lacks_is_refused(options, message):
  with pytest.raises(UserError, match=message):
    build(**options)


def test_initial_weights_are_no_part_of_the_gradient():
  net = build(infer=1.0, l2_init=1.0)
  state = state_of(net)
  before = jax.tree.map(jnp.copy, state.initial)
  after, _, _ = base.gradient_step(
    net,
    state,
    lambda x: (lambda params: (jnp.zeros(4), net.network.apply(params, x)), x),
    X,
  )
  jax.tree.map(np.testing.assert_array_equal, after.initial, before)
