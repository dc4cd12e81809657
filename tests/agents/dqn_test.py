"""DQN beside the same computation in NumPy, on a linear Q-function."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import dqn
from plasticity_rl.networks import sequential
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import Transition

KEY = jax.random.PRNGKey(3)
CONFIG = settings.DQNConfig(
  target_period_updates=3,
  epsilon_begin=0.9,
  epsilon_end=0.1,
  epsilon_decay_steps=100,
  epsilon_evaluation=0.3,
)


@pytest.fixture(name='net', scope='module')
def fixture_net():
  """Q = x W + b for two inputs and three actions; SGD with a rate of 1."""
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(2,), hidden=(), num_outputs=3, split=0
    )
  )
  optimizer = injection.grouped(
    optax.identity(), after=optax.scale_by_learning_rate(1.0)
  )
  return NetSpec(network, optimizer, layers, has_target=True)


def linear(w, b):
  return {
    'encoder': {},
    'head': {
      'dense_0': {
        'w': jnp.array(w, jnp.float32),
        'b': jnp.array(b, jnp.float32),
      }
    },
  }


# Online and target prefer different actions in s_t, so that Double DQN and DQN
# differ; errors lie within and beyond Huber's limit.
ONLINE = linear([[1.0, 0.0, 2.0], [0.0, 1.0, -1.0]], [0.5, 0.0, 0.0])
TARGET = linear([[0.0, 3.0, 1.0], [1.0, 0.0, 0.5]], [0.0, 0.1, 0.2])
BATCH = Transition(
  s_tm1=jnp.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0], [1.0, 1.0]]),
  a_tm1=jnp.array([0, 2, 1, 1]),
  r_t=jnp.array([1.0, 0.0, -0.5, 2.0]),
  discount_t=jnp.array([0.9, 0.9, 0.0, 0.5]),
  s_t=jnp.array([[1.0, -1.0], [0.2, 0.1], [5.0, 5.0], [1.0, 0.0]]),
)


def expected(double, loss):
  """Errors, loss and gradients of W and b, without JAX."""
  x, a, r, d, y = (np.array(v, float) for v in BATCH)
  a = a.astype(int)

  def q(params, x):
    layer = params['head']['dense_0']
    return x @ np.array(layer['w'], float) + np.array(layer['b'], float)

  rows = np.arange(len(a))
  best = (q(ONLINE, y) if double else q(TARGET, y)).argmax(-1)
  errors = r + d * q(TARGET, y)[rows, best] - q(ONLINE, x)[rows, a]
  size = np.abs(errors)
  if loss == 'huber':
    losses = np.where(size <= 1, errors**2 / 2, size - 0.5)
    slope = np.clip(errors, -1, 1)
  else:
    losses, slope = errors**2 / 2, errors
  w, b = np.zeros([2, 3]), np.zeros(3)
  for i in rows:
    w[:, a[i]] -= slope[i] * x[i] / len(a)
    b[a[i]] -= slope[i] / len(a)
  return errors, losses.mean(), w, b


def test_errors_by_hand():
  q_tm1 = jnp.array([[1.0, 5.0], [2.0, 0.0]])
  value = jnp.array([[3.0, 7.0], [4.0, 6.0]])
  selector = jnp.array([[9.0, 0.0], [0.0, 9.0]])
  errors = dqn.td_errors(
    q_tm1,
    jnp.array([1, 0]),
    jnp.array([0.5, -1.0]),
    jnp.array([0.5, 0.0]),
    value,
    selector,
  )
  # 0.5 + 0.5 * 3 - 5, and after a termination -1 - 2.
  assert errors.tolist() == [-3.0, -3.0]


@pytest.mark.parametrize('loss', ('huber', 'squared'))
@pytest.mark.parametrize('double', (True, False))
def test_update_is_the_gradient_by_hand(net, double, loss):
  config = dataclasses.replace(CONFIG, double=double, loss=loss)
  agent = dqn.DQN(net, config)
  nets = {'q': NetState(ONLINE, TARGET, net.optimizer.init(ONLINE), None)}
  nets, metrics = jax.jit(agent.update)(KEY, nets, BATCH, 0)
  errors, value, w, b = expected(double, loss)
  # The test would be blind otherwise.
  assert np.abs(errors).min() < 1 < np.abs(errors).max()
  np.testing.assert_allclose(metrics['loss'], value, rtol=1e-6)
  q = BATCH.s_tm1 @ ONLINE['head']['dense_0']['w'] + jnp.array([0.5, 0, 0])
  np.testing.assert_allclose(metrics['q_mean'], q.mean(), rtol=1e-6)
  new, old = nets['q'].params['head']['dense_0'], ONLINE['head']['dense_0']
  np.testing.assert_allclose(old['w'] - new['w'], w, rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(old['b'] - new['b'], b, rtol=1e-5, atol=1e-6)


def test_double_and_single_differ():
  assert abs(expected(True, 'squared')[1] - expected(False, 'squared')[1]) > 0.1


def test_target_is_copied_every_period(net):
  agent = dqn.DQN(net, CONFIG)
  nets = {'q': NetState(ONLINE, TARGET, net.optimizer.init(ONLINE), None)}
  update = jax.jit(agent.update)
  copied = []
  for updates in range(7):
    before = nets['q'].target
    nets, _ = update(KEY, nets, BATCH, updates)
    target = nets['q'].target['head']['dense_0']['w']
    same = (target == before['head']['dense_0']['w']).all()
    new = (target == nets['q'].params['head']['dense_0']['w']).all()
    assert same != new
    copied.append(bool(new))
  assert copied == [False, False, True, False, False, True, False]


def frequencies(act, *args):
  """How often each action is taken in 20,000 equal environments."""
  nets = {'q': NetState(ONLINE, None, None, None)}
  observations = jnp.tile(jnp.array([1.0, 0.0]), (20_000, 1))
  actions = jax.jit(act)(KEY, nets, observations, *args)
  assert actions.dtype == jnp.int32
  return np.bincount(actions, minlength=3) / len(actions)


@pytest.mark.parametrize(
  'step, epsilon', ((0, 0.9), (50, 0.5), (100, 0.1), (1_000_000, 0.1))
)
def test_exploration_decays_linearly(net, step, epsilon):
  found = frequencies(dqn.DQN(net, CONFIG).act, step)
  third = epsilon / 3
  # Action 2 is the best one; three standard errors.
  np.testing.assert_allclose(
    found, [third, third, third + 1 - epsilon], atol=0.0105
  )


@pytest.mark.parametrize(
  'decay, step, epsilon',
  (
    (100, 0, 0.9),
    (100, 30, 0.9),
    (100, 80, 0.5),
    (100, 130, 0.1),
    (0, 29, 0.9),
    (0, 30, 0.1),
  ),
)
def test_exploration_may_be_held_before_it_decays(net, decay, step, epsilon):
  config = dataclasses.replace(
    CONFIG, epsilon_hold_steps=30, epsilon_decay_steps=decay
  )
  found = frequencies(dqn.DQN(net, config).act, step)
  np.testing.assert_allclose(found[:2], [epsilon / 3, epsilon / 3], atol=0.0105)


def test_exploration_without_decay_begins_at_its_end(net):
  config = dataclasses.replace(CONFIG, epsilon_decay_steps=0)
  found = frequencies(dqn.DQN(net, config).act, 0)
  np.testing.assert_allclose(
    found, [0.1 / 3, 0.1 / 3, 1 - 0.2 / 3], atol=0.0105
  )


def test_exploration_in_evaluation_is_its_own(net):
  found = frequencies(dqn.DQN(net, CONFIG).act_greedily)
  np.testing.assert_allclose(found, [0.1, 0.1, 0.8], atol=0.0105)
  config = dataclasses.replace(CONFIG, epsilon_evaluation=0.0)
  found = frequencies(dqn.DQN(net, config).act_greedily)
  assert found.tolist() == [0, 0, 1]


def test_environments_explore_each_by_itself(net):
  config = dataclasses.replace(CONFIG, epsilon_begin=1.0)
  agent = dqn.DQN(net, config)
  nets = {'q': NetState(ONLINE, None, None, None)}
  x = jnp.ones([50, 2])
  one = agent.act(KEY, nets, x, 0)
  two = agent.act(jax.random.PRNGKey(4), nets, x, 0)
  assert len(set(one.tolist())) == 3
  assert (one != two).any()
  np.testing.assert_array_equal(one, agent.act(KEY, nets, x, 0))


def test_spec_tells_what_interventions_may_know(net):
  spec = dqn.DQN(net, CONFIG, slots=2).spec
  assert tuple(spec.nets) == spec.default_nets == (spec.encoder_net,) == ('q',)
  assert spec.slots == 2
  params = {'q': ONLINE}
  assert spec.inputs(params, BATCH)['q'] is BATCH.s_tm1
  q = net.network.apply(ONLINE, BATCH.s_tm1).outputs
  assert spec.policy(params, BATCH).tolist() == q.argmax(-1).tolist()


@pytest.mark.parametrize('wrong', range(6))
def test_td_errors_refuse_a_wrong_rank(wrong):
  # Of q_tm1, a_tm1, r_t, discount_t, q_t_value and q_t_selector.
  arguments = [
    jnp.zeros([4, 3]),
    jnp.zeros([4], int),
    *jnp.zeros([2, 4]),
    *jnp.zeros([2, 4, 3]),
  ]
  assert dqn.td_errors(*arguments).shape == (4,)
  arguments[wrong] = arguments[wrong][..., None]
  with pytest.raises(AssertionError):
    dqn.td_errors(*arguments)
