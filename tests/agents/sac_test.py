"""SAC beside the same computation in NumPy, and on a toy task."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import sac
from plasticity_rl.agents import squashed_gaussian
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.learner import optimizers
from plasticity_rl.networks.actor_critic import Gaussian
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition
from tests.agents.actor_critic import ACTIONS
from tests.agents.actor_critic import BATCH
from tests.agents.actor_critic import KEY
from tests.agents.actor_critic import batch
from tests.agents.actor_critic import init
from tests.agents.actor_critic import layers_of
from tests.agents.actor_critic import make
from tests.agents.actor_critic import mlp

CONFIG = settings.SACConfig(tau=0.25, target_entropy_per_action=-0.5)
ADAM = optimizers.make(settings.OptimizerConfig(learning_rate=3e-3))


@pytest.fixture(name='agent', scope='module')
def fixture_agent():
  return make(CONFIG)


@pytest.fixture(name='nets', scope='module')
def fixture_nets(agent):
  return init(agent)


@pytest.fixture(name='update', scope='module')
def fixture_update(agent):
  return jax.jit(agent.update)


# --- The policy -------------------------------------------------------------


def test_log_probability_is_that_of_the_density():
  """The probability of a small interval around the action, one dimension."""
  outputs = Gaussian(jnp.array([[0.3]]), jnp.array([[-0.5]]))
  action, log_pi = squashed_gaussian.sample(
    outputs, jnp.array([[0.7]]), lambda x: x
  )
  normal = scipy.stats.norm(0.3, np.exp(-0.5))
  a = float(action[0, 0])
  assert a == pytest.approx(np.tanh(0.3 + 0.7 * np.exp(-0.5)), rel=1e-6)
  width = 1e-5
  mass = normal.cdf(np.arctanh(a + width)) - normal.cdf(np.arctanh(a - width))
  assert float(log_pi[0]) == pytest.approx(np.log(mass / (2 * width)), abs=1e-4)


def test_log_probabilities_add_up_and_stay_finite():
  far = Gaussian(jnp.array([[40.0, -40.0]]), jnp.zeros([1, 2]))
  action, log_pi = squashed_gaussian.sample(far, jnp.zeros([1, 2]), lambda x: x)
  assert action.tolist() == [[1.0, -1.0]]
  # log(1 - tanh(u)^2) is log 4 - 2 |u| out there.
  wanted = 2 * (-0.5 * np.log(2 * np.pi) - (np.log(4) - 80))
  assert float(log_pi[0]) == pytest.approx(wanted, rel=1e-6)


def test_sample_refuses_noise_of_another_shape():
  outputs = Gaussian(jnp.zeros([4, 2]), jnp.zeros([4, 2]))
  with pytest.raises(AssertionError):  # It would broadcast.
    squashed_gaussian.sample(outputs, jnp.zeros([1, 2]), lambda x: x)
  with pytest.raises(AssertionError):
    squashed_gaussian.sample(
      Gaussian(jnp.zeros(2), jnp.zeros(2)), jnp.zeros(2), lambda x: x
    )


def test_bounds_of_the_spread():
  x = jnp.array([-100.0, 0.0, 1.0, 100.0])
  by_tanh = squashed_gaussian.bound(settings.SACConfig())(x)
  np.testing.assert_allclose(
    by_tanh, [-10, -4, -4 + 6 * np.tanh(1), 2], rtol=1e-6
  )
  clip = settings.SACConfig(log_std_bound='clip', log_std_min=-5.0)
  assert squashed_gaussian.bound(clip)(x).tolist() == [-5, 0, 1, 2]


def in_numpy(nets, key, config=CONFIG):
  """Targets, losses by example, entropy: all of `losses`, in NumPy."""
  data = jax.tree.map(lambda x: np.asarray(x, float), batch())
  keys = base.example_keys(key, BATCH)
  noise = np.asarray(sac.example_noise(keys, 0, 2, ACTIONS), float)
  alpha = np.exp(float(nets['temperature'].params['head']['log_alpha']))

  def sample(s, noise):
    mean, raw = np.split(mlp(layers_of(nets['actor'].params), s), 2, -1)
    log_std = -10 + 6 * (1 + np.tanh(raw))
    u = mean + np.exp(log_std) * noise
    log_pi = scipy.stats.norm(mean, np.exp(log_std)).logpdf(u)
    return np.tanh(u), (log_pi - np.log(1 - np.tanh(u) ** 2)).sum(-1)

  def q(params, s, a):
    x = np.concatenate([s, a], -1)
    return np.stack([mlp(layers_of(params, m), x)[:, 0] for m in (0, 1)], -1)

  a_t, log_pi_t = sample(data.s_t, noise[:, 0])
  value = q(nets['critic'].target, data.s_t, a_t).min(-1)
  if config.backup_entropy:
    value = value - alpha * log_pi_t
  y = data.r_t + data.discount_t * value
  q_tm1 = q(nets['critic'].params, data.s_tm1, data.a_tm1)
  a, log_pi = sample(data.s_tm1, noise[:, 1])
  return (
    {
      'critic': ((q_tm1 - y[:, None]) ** 2).sum(-1),
      'actor': alpha * log_pi - q(nets['critic'].params, data.s_tm1, a).min(-1),
      'temperature': alpha * (-log_pi + 0.5 * ACTIONS),
    },
    -log_pi.mean(),
    q_tm1.mean(),
  )


@pytest.mark.parametrize('backup_entropy', (True, False))
def test_losses_by_hand(nets, backup_entropy):
  config = dataclasses.replace(CONFIG, backup_entropy=backup_entropy)
  losses = make(config).spec.losses(KEY, nets, batch())
  wanted, *_ = in_numpy(nets, KEY, config)
  assert list(losses) == list(wanted)
  for name, loss in losses.items():
    found, _ = loss(nets[name].params)
    np.testing.assert_allclose(
      found, wanted[name], rtol=1e-4, atol=1e-5, err_msg=name
    )


def test_an_update_descends_in_order(nets, update, agent):
  """Critic, target, then the actor against the new critic, temperature."""
  new, metrics = update(KEY, nets, batch(), 0)
  wanted, entropy, q_mean = in_numpy(nets, KEY)
  assert float(metrics['loss']) == pytest.approx(
    wanted['critic'].mean(), rel=1e-4
  )
  assert float(metrics['entropy']) == pytest.approx(entropy, rel=1e-4)
  assert float(metrics['q_mean']) == pytest.approx(q_mean, rel=1e-4)
  with_critic = {**nets, 'critic': new['critic']}
  wanted, *_ = in_numpy(with_critic, KEY)
  assert float(metrics['actor_loss']) == pytest.approx(
    wanted['actor'].mean(), rel=1e-3
  )
  # With a rate of 1, what changes is the gradient of the mean loss. (The
  # temperature has an optimizer of its own.)
  for name, seen in (('critic', nets), ('actor', with_critic)):
    loss = agent.spec.losses(KEY, seen, batch())[name]
    gradient = jax.grad(lambda p, f=loss: f(p)[0].mean())(nets[name].params)
    for old, now, g in zip(
      *map(jax.tree.leaves, (nets[name].params, new[name].params, gradient)),
      strict=True,
    ):
      np.testing.assert_allclose(old - g, now, rtol=1e-3, atol=1e-4)


def test_the_target_moves_by_tau_and_stays_where_equal(nets, update):
  new, _ = update(KEY, nets, batch(), 0)
  for online, old, now in zip(
    *map(
      jax.tree.leaves,
      (new['critic'].params, nets['critic'].target, new['critic'].target),
    ),
    strict=True,
  ):
    np.testing.assert_allclose(
      now, 0.75 * old + 0.25 * online, rtol=1e-5, atol=1e-5
    )
  state = NetState(nets['critic'].params, nets['critic'].params, None, None)
  for _ in range(10):
    state = base.polyak_update(state, 0.005)
  for a, b in zip(
    jax.tree.leaves(state.params), jax.tree.leaves(state.target), strict=True
  ):
    np.testing.assert_array_equal(a, b)


def test_a_loss_moves_its_own_network_alone(agent, nets):
  """Gradients of one network's loss by the others' parameters are zero."""

  def total(params, name):
    seen = {k: nets[k]._replace(params=params[k]) for k in nets}
    # Its own parameters are the argument of the loss.
    return agent.spec.losses(KEY, seen, batch())[name](nets[name].params)[
      0
    ].mean()

  params = {name: net.params for name, net in nets.items()}
  through_targets = jax.grad(total)(params, 'critic')
  assert not any(jnp.any(g) for g in jax.tree.leaves(through_targets))
  of_temperature = jax.grad(total)(params, 'temperature')
  assert not any(jnp.any(g) for g in jax.tree.leaves(of_temperature))


@pytest.mark.slow
@pytest.mark.parametrize('target, rises', ((50.0, True), (-50.0, False)))
def test_temperature_rises_where_entropy_is_too_low(nets, target, rises):
  config = dataclasses.replace(CONFIG, target_entropy_per_action=target)
  new, _ = jax.jit(make(config).update)(KEY, nets, batch(), 0)
  old, now = (
    float(x['temperature'].params['head']['log_alpha']) for x in (nets, new)
  )
  assert (now > old) == rises and now != old


# --- Keys -------------------------------------------------------------------


@pytest.mark.slow
def test_noise_is_each_examples_own(agent, nets, update):
  """Two devices, each with its slice of keys and batch, equal one."""
  keys = base.example_keys(KEY, BATCH)
  assert base.example_keys(keys, BATCH) is keys
  np.testing.assert_array_equal(base.example_keys(KEY, 3), keys[:3])
  losses = agent.spec.losses(KEY, nets, batch())
  for begin, end in ((0, 2), (2, BATCH)):
    part = jax.tree.map(lambda x: x[begin:end], batch())  # noqa: B023
    mine = agent.spec.losses(keys[begin:end], nets, part)
    for name in losses:
      np.testing.assert_allclose(
        mine[name](nets[name].params)[0],
        losses[name](nets[name].params)[0][begin:end],
        rtol=1e-5,
        atol=1e-5,
      )
  whole, _ = update(KEY, nets, batch(), 0)
  by_example, _ = update(keys, nets, batch(), 0)
  for a, b in zip(
    jax.tree.leaves(whole), jax.tree.leaves(by_example), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_actions_are_random_at_first_and_then_the_policys(agent, nets):
  observations = jnp.zeros([2000, 3])
  act = jax.jit(agent.act)
  first = np.asarray(act(KEY, nets, observations, CONFIG.random_steps - 1))
  assert (
    scipy.stats.kstest(first.ravel(), scipy.stats.uniform(-1, 2).cdf).pvalue
    > 1e-3
  )
  later = np.asarray(act(KEY, nets, observations, CONFIG.random_steps))
  mean, raw = np.split(
    mlp(layers_of(nets['actor'].params), np.zeros([1, 3])), 2, -1
  )
  std = np.exp(-10 + 6 * (1 + np.tanh(raw)))
  scores = (np.arctanh(later.astype(float)) - mean) / std
  assert scipy.stats.kstest(scores[:, 0], 'norm').pvalue > 1e-3
  assert abs(np.corrcoef(scores.T)[0, 1]) < 0.1
  greedy = agent.act_greedily(KEY, nets, observations[:1])
  np.testing.assert_allclose(greedy, np.tanh(mean), rtol=1e-5)


# --- Ensembles and injection ------------------------------------------------


def test_members_are_drawn_independently(agent):
  critic = agent.init(KEY)['critic'].params
  for layer in layers_of(critic):
    assert not np.any(layer['w'][0] == layer['w'][1])
  # The target starts as a copy.
  assert jax.tree.all(
    jax.tree.map(
      lambda a, b: bool((a == b).all()),
      critic,
      agent.init(KEY)['critic'].target,
    )
  )


@pytest.mark.slow
@pytest.mark.parametrize('split', (0, 1, -1))
@pytest.mark.parametrize('slots', (0, 1))
def test_injection_changes_no_output(split, slots):
  agent = make(CONFIG, slots=slots, split=split)
  nets = agent.init(KEY)
  state = TrainState(nets, (), (), (), (), {})
  intervention = registry.make(expression.parse('injection'), agent.spec)
  after, _ = jax.jit(intervention.apply)(KEY, state, (), batch())
  inputs = agent.spec.inputs(
    {name: net.params for name, net in nets.items()}, batch()
  )
  for name in ('critic', 'actor'):
    assert isinstance(after.nets[name].params['head'], injection.InjectedHead)
    apply = jax.jit(agent.spec.nets[name].network.apply)
    for kind in ('params', 'target'):
      old, new = (getattr(x[name], kind) for x in (nets, after.nets))
      if old is None:
        continue
      for a, b in zip(
        *map(
          jax.tree.leaves,
          (
            apply(old, inputs[name]).outputs,
            apply(new, inputs[name]).outputs,
          ),
        ),
        strict=True,
      ):
        # Up to rounding: XLA may compute the product of one head and of a
        # stack of heads differently, by its version and the processor.
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=2e-7)
  # Members of the new head are drawn independently too.
  fresh = layers_of(injection.trainable(after.nets['critic'].params))[-1]['w']
  assert not np.any(fresh[0] == fresh[1])
  assert after.nets['temperature'] is not None
  assert not isinstance(
    after.nets['temperature'].params['head'], injection.InjectedHead
  )


def test_spec_tells_what_interventions_may_know(agent, nets):
  spec = agent.spec
  assert list(spec.nets) == ['critic', 'actor', 'temperature']
  assert spec.default_nets == ('critic', 'actor')
  assert [net.has_target for net in spec.nets.values()] == [True, False, False]
  params = {name: net.params for name, net in nets.items()}
  mean, _ = np.split(
    mlp(layers_of(params['actor']), batch().s_tm1.astype(float)), 2, -1
  )
  np.testing.assert_allclose(
    spec.policy(params, batch()), np.tanh(mean), rtol=1e-4
  )


# --- Learning ---------------------------------------------------------------


@pytest.mark.slow
def test_learns_to_brake_at_the_origin():
  """A point on a line, pushed: 10 steps, a reward of -|x| each.

  A random policy drifts about; what is learned pushes towards zero from where
  it starts, with all steps and updates in one program.
  """
  config = settings.SACConfig(random_steps=0, tau=0.02, initial_temperature=0.1)
  agent = make(config, hidden=(32, 32))
  agent = sac.SAC(
    {
      name: dataclasses.replace(net, optimizer=ADAM)
      for name, net in agent.spec.nets.items()
    },
    config,
    ACTIONS,
  )

  def begin(key):
    return jax.random.uniform(key, [64, 1], minval=-1.0)

  def seen(x):
    return jnp.concatenate([x, jnp.abs(x), jnp.ones_like(x)], -1)

  def push(x, action):
    x = jnp.clip(x + 0.3 * action[:, :1], -2, 2)
    return x, -jnp.abs(x[:, 0])

  def returns(act, key):
    def step(x, key):
      x, reward = push(x, act(key, seen(x)))
      return x, reward

    return (
      jax.lax.scan(step, begin(key), jax.random.split(key, 10))[1].sum(0).mean()
    )

  def train(key):
    def one(nets, key):
      start_key, act_key, update_key = jax.random.split(key, 3)
      # Off the policy's own path: any state may be the start.
      x = 2 * begin(start_key)
      action = agent.act(act_key, nets, seen(x), 1)
      after, reward = push(x, action)
      nets, _ = agent.update(
        update_key,
        nets,
        Transition(seen(x), action, reward, jnp.full(64, 0.9), seen(after)),
        0,
      )
      return nets, None

    keys = jax.random.split(key, 600)
    return jax.lax.scan(one, agent.init(key), keys)[0]

  nets = jax.jit(train)(KEY)
  random = returns(
    lambda key, s: jax.random.uniform(key, [64, ACTIONS], minval=-1.0), KEY
  )
  learned = returns(lambda key, s: agent.act_greedily(key, nets, s), KEY)
  fresh = agent.init(KEY)
  untrained = returns(lambda key, s: agent.act_greedily(key, fresh, s), KEY)
  # From |x| = 1/2 on average, at 0.3 a step, the best is about -0.7.
  assert float(learned) > -1.2
  assert float(random) < -3 and float(untrained) < -3
