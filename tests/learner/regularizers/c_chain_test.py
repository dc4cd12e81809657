"""C-CHAIN by hand, on its batch, before and after interventions."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import dqn
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.interventions import base as interventions
from plasticity_rl.learner import learner
from plasticity_rl.learner import optimizers
from plasticity_rl.learner.regularizers import c_chain
from plasticity_rl.learner.regularizers import registry
from plasticity_rl.methods.moments import reset_moments
from plasticity_rl.networks import sequential
from plasticity_rl.shard import Shard
from plasticity_rl.training import agent_builder
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Transition

KEY = jax.random.PRNGKey(6)
X = jax.random.normal(KEY, [8, 3])
SECOND = jax.random.normal(jax.random.fold_in(KEY, 1), [8, 3])
RATIO = 0.5
EXACT = {'rtol': 1e-4, 'atol': 1e-6}


def build(ratio=RATIO, **optimizer):
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(3,),
      hidden=(4,),
      num_outputs=2,
      split=1,
      activation='tanh',
    )
  )
  optimizer = {'learning_rate': 0.05, **optimizer}
  return NetSpec(
    network,
    optimizers.make(settings.OptimizerConfig(**optimizer), remember=ratio > 0),
    layers,
    has_target=False,
    penalty=registry.make(
      settings.RegularizerConfig(c_chain=ratio), network, layers
    ),
    has_reference=ratio > 0,
  )


def step(net, state, data=X, reference=SECOND, **options):
  def make_loss(x):
    def loss(params):
      output = net.network.apply(params, x)
      # Negative, as an actor's may be: the ratio is to its size.
      return (output.outputs**2).sum(-1) - 5, output

    return loss, x

  return base.gradient_step(
    net, state, make_loss, data, reference=reference, **options
  )


def trained(net, steps=3):
  state, states, metrics = base.init_net(KEY, net, slots=0), [], []
  advance = jax.jit(lambda state: step(net, state)[:2])
  for _ in range(steps):
    states.append(state)
    state, found = advance(state)
    metrics.append({k: float(v) for k, v in found.items()})
  return state, states, metrics


def outputs(net, params, x=SECOND):
  return np.asarray(net.network.apply(params, x).outputs)


def assert_close(a, b):
  jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, **EXACT), a, b)


def test_is_the_mean_over_examples_and_outputs():
  now = {'mean': jnp.array([[1.0, 3.0]]), 'std': jnp.array([[2.0]])}
  before = {'mean': jnp.array([[0.0, 1.0]]), 'std': jnp.array([[2.0]])}
  np.testing.assert_allclose(c_chain.c_chain(now, before), 5 / 3, rtol=1e-6)
  to_now, to_before = jax.grad(c_chain.c_chain, (0, 1))(now, before)
  np.testing.assert_allclose(to_now['mean'], [[2 / 3, 4 / 3]], rtol=1e-6)
  assert not any(x.any() for x in jax.tree.leaves(to_before))
  with pytest.raises(AssertionError):  # It would broadcast.
    c_chain.c_chain(jnp.zeros([2, 3]), jnp.zeros([1, 3]))


@pytest.mark.parametrize(
  'optimizer',
  (
    {'name': 'adam', 'decay_updates': 10},
    {'name': 'sgd', 'max_gradient_norm': 0.1},
    {'name': 'adamw', 'weight_decay': 0.5},
  ),
  ids=lambda options: options['name'],
)
def test_the_network_before_is_that_before_the_last_update(optimizer):
  net = build(**optimizer)
  state, states, _ = trained(net)
  assert_close(c_chain.previous_params(state), states[-1].params)
  start = base.init_net(KEY, net, slots=0)
  assert_close(c_chain.previous_params(start), start.params)


def test_by_hand():
  """Churn on the second batch; the coefficient follows earlier sums."""
  net = build()
  _, states, metrics = trained(net, 5)
  decay = 1 - 1 / 50_000
  losses = churns = 0.0
  previous = states[0]
  for state, found in zip(states, metrics, strict=True):
    difference = outputs(net, state.params) - outputs(net, previous.params)
    churn = np.square(difference).mean()
    np.testing.assert_allclose(found['churn'], churn, rtol=1e-3, atol=1e-9)
    c = RATIO * losses / churns if churns else 0.0
    np.testing.assert_allclose(found['penalty'], c * churn, rtol=2e-3)
    np.testing.assert_allclose(
      found['loss'],
      ((outputs(net, state.params, X) ** 2).sum(-1) - 5).mean(),
      rtol=1e-4,
    )
    losses = decay * losses + abs(found['loss'])
    churns = decay * churns + churn
    previous = state
  assert metrics[0]['churn'] == 0 < metrics[1]['churn']
  assert metrics[1]['penalty'] == 0 < metrics[2]['penalty']


def test_an_update_changes_other_outputs_less():
  net, plain = build(ratio=20.0), build(ratio=0.0)
  state, _, _ = trained(net, 4)
  start = outputs(net, c_chain.previous_params(state))
  # The same weights and moments, without what is remembered.
  fresh = plain.optimizer.init(state.params)
  groups = {k: state.opt_state[k] for k in ('encoder', 'head')}
  without = step(plain, state._replace(opt_state={**fresh, **groups}))[0]
  with_it = step(net, state)[0]
  near, far = (
    np.square(outputs(net, s.params) - start).mean() for s in (with_it, without)
  )
  assert near < 0.9 * far


def test_after_an_injection_the_head_before_is_the_new_one():
  net = build()
  state, states, _ = trained(net)
  params, opt_state = injection.inject(
    KEY, net.network, state.params, net.optimizer, state.opt_state
  )
  injected = state._replace(params=params, opt_state=opt_state)
  before = c_chain.previous_params(injected)
  assert_close(before['encoder'], states[-1].params['encoder'])
  jax.tree.map(
    np.testing.assert_array_equal, before['head'], injected.params['head']
  )
  # Sums go on, so that the coefficient is what it was.
  assert c_chain.coefficient(injected, RATIO) == c_chain.coefficient(
    state, RATIO
  )
  after, metrics, _ = step(net, injected)
  assert 0 < metrics['penalty'] < 100
  for name in ('frozen', 'signs'):
    jax.tree.map(
      np.testing.assert_array_equal,
      getattr(after.params['head'], name),
      getattr(params['head'], name),
    )
  assert_close(c_chain.previous_params(after), params)


def test_a_reset_forgets_the_update_of_what_it_draws():
  net = build()
  state, states, _ = trained(net)
  reset = interventions.reset_groups(net, state, ('head',))
  before = c_chain.previous_params(reset)
  jax.tree.map(
    np.testing.assert_array_equal, before['head'], state.params['head']
  )
  assert_close(before['encoder'], states[-1].params['encoder'])
  mask = jax.tree.map(lambda x: jnp.zeros(x.shape, bool), state.params)
  mask['head']['dense_1']['w'] = mask['head']['dense_1']['w'].at[0].set(True)
  opt_state = reset_moments(state.opt_state, mask, count='keep')
  before = c_chain.previous_params(state._replace(opt_state=opt_state))
  now = state.params['head']['dense_1']['w']
  same = before['head']['dense_1']['w'] == now
  assert same[0].all() and not same[1:].any()


def test_in_parts_and_on_devices_as_the_whole_batch():
  net = build()
  state, _, _ = trained(net)
  whole, metrics, _ = step(net, state)
  parts, in_parts, _ = step(dataclasses.replace(net, microbatches=4), state)
  spread, on_devices, _ = jax.vmap(
    lambda x, second: step(net, state, x, second, shard=Shard('devices', 2)),
    axis_name='devices',
  )(X.reshape(2, 4, 3), SECOND.reshape(2, 4, 3))
  assert_close((parts.params, parts.opt_state), (whole.params, whole.opt_state))
  assert_close(in_parts, metrics)
  for device in (0, 1):
    one = jax.tree.map(lambda x, d=device: x[d], spread)
    assert_close((one.params, one.opt_state), (whole.params, whole.opt_state))
  assert_close(on_devices['churn'].mean(), metrics['churn'])


def test_the_learner_draws_a_second_batch():
  drawn = []

  def sample(key, i):
    drawn.append((key, i))
    x = jax.random.normal(key, [4, 3])
    zeros = jnp.zeros([4])
    return Transition(x, zeros.astype(int), zeros, zeros, x)

  given = []

  class Agent(dqn.DQN):
    def update(self, key, nets, batch, updates, shard, reference):
      given.append((batch, reference))
      return super().update(key, nets, batch, updates, shard, reference)

  for ratio in (RATIO, 0.0):
    net = dataclasses.replace(build(ratio), has_target=True)
    agent = Agent(net, settings.DQNConfig())
    _, _, metrics = learner.learn(KEY, agent, agent.init(KEY), {}, sample, 0, 1)
    assert ('churn' in metrics) == (ratio > 0)
  batch, reference = given[0]
  assert not np.array_equal(batch.s_tm1, reference.s_tm1)
  assert sorted(int(i) for _, i in drawn) == [0, 0, 1]
  # Without it, batches are those that they always were.
  assert given[1][1] is None
  np.testing.assert_array_equal(drawn[2][0], jax.random.split(KEY)[0])


def test_networks_of_sac_each_on_what_they_see_of_the_second_batch():
  config = settings.default_config('sac', 'pendulum')
  config.network.hidden, config.network.split = (4,), 1
  config.regularizer.c_chain = RATIO
  agent = agent_builder.make(
    settings.resolve(config), Spaces((3,), np.float32, Continuous(2))
  )
  draw = np.random.default_rng(0).standard_normal

  def batch():
    return Transition(
      draw([4, 3], np.float32),
      np.tanh(draw([4, 2], np.float32)),
      draw([4], np.float32),
      np.full(4, 0.9, np.float32),
      draw([4, 3], np.float32),
    )

  update = jax.jit(
    lambda nets, *data: agent.update(KEY, nets, data[0], 0, reference=data[1])
  )
  first = agent.init(KEY)
  second, metrics = update(first, batch(), batch())
  assert metrics['churn'] == metrics['actor_churn'] == 0
  assert 'temperature_churn' not in metrics
  reference = batch()
  _, metrics = update(second, batch(), reference)
  for name, prefix, x in (
    ('critic', '', (reference.s_tm1, reference.a_tm1)),
    ('actor', 'actor_', reference.s_tm1),
  ):
    network = agent.spec.nets[name].network
    old, new = (
      np.concatenate(
        jax.tree.leaves(network.apply(nets[name].params, x).outputs), -1
      )
      for nets in (first, second)
    )
    np.testing.assert_allclose(
      metrics[f'{prefix}churn'], np.square(new - old).mean(), rtol=1e-2
    )
