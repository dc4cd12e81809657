"""DQN and Double DQN (van Hasselt et al., 2016)."""

import jax
import jax.numpy as jnp
import rlax

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec


def td_errors(
  q_tm1: jax.Array,
  a_tm1: jax.Array,
  r_t: jax.Array,
  discount_t: jax.Array,
  q_t_value: jax.Array,
  q_t_selector: jax.Array,
) -> jax.Array:
  """r_t + discount_t q_t_value[argmax q_t_selector] - q_tm1[a_tm1], `[B]`.

  Action values are `[B, A]`, the rest `[B]`. The selector is the online
  network in Double DQN, the target itself in DQN.
  """
  return jax.vmap(rlax.double_q_learning)(
    q_tm1, a_tm1, r_t, discount_t, q_t_value, q_t_selector
  )


def make(
  net: NetSpec, config: settings.DQNConfig, *, slots: int = 0
) -> base.Agent:
  """The agent whose only network 'q' is `net`, of outputs `[B, A]`."""

  def losses(key, nets, batch):
    del key
    target = nets['q'].target

    def loss(params):
      output = net.network.apply(params, batch.s_tm1)
      q_t = net.network.apply(target, batch.s_t).outputs
      if config.double:
        selector = net.network.apply(
          jax.lax.stop_gradient(params), batch.s_t
        ).outputs
      else:
        selector = q_t
      errors = td_errors(
        output.outputs,
        batch.a_tm1,
        batch.r_t,
        batch.discount_t,
        q_t,
        selector,
      )
      shape = rlax.huber_loss if config.loss == 'huber' else rlax.l2_loss
      return shape(errors), output

    return {'q': loss}

  spec = AgentSpec(
    nets={'q': net},
    default_nets=('q',),
    encoder_net='q',
    inputs=lambda params, batch: {'q': batch.s_tm1},
    policy=lambda params, batch: jnp.argmax(
      net.network.apply(params['q'], batch.s_tm1).outputs, -1
    ),
    losses=losses,
    slots=slots,
  )

  def epsilon_greedy(key, nets, observations, epsilon):
    q = net.network.apply(nets['q'].params, observations).outputs
    explore_key, action_key = jax.random.split(key)
    shape = q.shape[:1]
    random = jax.random.randint(action_key, shape, 0, q.shape[-1])
    explore = jax.random.uniform(explore_key, shape) < epsilon
    return jnp.where(explore, random, jnp.argmax(q, -1).astype(jnp.int32))

  def act(key, nets, observations, step):
    since, decay = step - config.epsilon_hold_steps, config.epsilon_decay_steps
    progress = jnp.clip(since / decay, 0, 1) if decay else since >= 0
    epsilon = config.epsilon_begin + progress * (
      config.epsilon_end - config.epsilon_begin
    )
    return epsilon_greedy(key, nets, observations, epsilon)

  def act_greedily(key, nets, observations):
    return epsilon_greedy(key, nets, observations, config.epsilon_evaluation)

  def update(key, nets, batch, updates):
    state, metrics, q = base.gradient_step(
      net,
      nets['q'],
      lambda part: (losses(key, nets, part)['q'], part.s_tm1),
      batch,
    )
    state = base.copy_periodically(
      state, updates + 1, config.target_period_updates
    )
    return {'q': state}, {**metrics, 'q_mean': q.mean()}

  return base.Agent(
    spec=spec,
    init=lambda key: {'q': base.init_net(key, net, slots)},
    act=act,
    act_greedily=act_greedily,
    update=update,
  )
