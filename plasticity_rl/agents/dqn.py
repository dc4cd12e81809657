"""DQN and Double DQN (van Hasselt et al., 2016)."""

from collections.abc import Mapping

import chex
import jax
import jax.numpy as jnp
import rlax

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Key
from plasticity_rl.types import Loss
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Params
from plasticity_rl.types import Transition


def td_errors(
  q_tm1: jax.Array,
  a_tm1: jax.Array,
  r_t: jax.Array,
  discount_t: jax.Array,
  q_t_value: jax.Array,
  q_t_selector: jax.Array,
) -> jax.Array:
  """r_t + discount_t q_t_value[argmax q_t_selector] - q_tm1[a_tm1], `[B]`.

  Action values are `[B, A]`, all other arguments `[B]`. `q_t_selector` comes
  from the online network in Double DQN, and from the target network in DQN.
  """
  chex.assert_rank([q_tm1, a_tm1, r_t, discount_t], [2, 1, 1, 1])
  chex.assert_equal_shape_prefix([q_tm1, a_tm1, r_t, discount_t], 1)
  chex.assert_equal_shape([q_tm1, q_t_value, q_t_selector])
  return jax.vmap(rlax.double_q_learning)(
    q_tm1, a_tm1, r_t, discount_t, q_t_value, q_t_selector
  )


class DQN(base.Agent):
  """DQN. Its only network is 'q', with outputs `[B, A]`."""

  def __init__(
    self, net: NetSpec, config: settings.DQNConfig, *, slots: int = 0
  ):
    """Builds nothing on a device.

    Args:
      net: the network.
      config: settings.
      slots: number of injections to allocate from the start.
    """
    self._net, self._config = net, config
    self.spec = AgentSpec(
      nets={'q': net},
      default_nets=('q',),
      encoder_net='q',
      inputs=lambda params, batch: {'q': batch.s_tm1},
      policy=lambda params, batch: jnp.argmax(
        self._values(params['q'], batch.s_tm1), -1
      ),
      losses=self._losses,
      slots=slots,
    )

  def init(self, key: Key) -> base.Nets:
    """See `Agent`."""
    return {'q': base.init_net(key, self._net, self.spec.slots)}

  def act(
    self, key: Key, nets: base.Nets, observations: jax.Array, step: jax.Array
  ) -> jax.Array:
    """Epsilon-greedy actions, `[E]`: epsilon is held, then decays linearly."""
    config = self._config
    elapsed = step - config.epsilon_hold_steps
    decay = config.epsilon_decay_steps
    progress = jnp.clip(elapsed / decay, 0, 1) if decay else elapsed >= 0
    epsilon = config.epsilon_begin + progress * (
      config.epsilon_end - config.epsilon_begin
    )
    return self._epsilon_greedy(key, nets, observations, epsilon)

  def act_greedily(
    self, key: Key, nets: base.Nets, observations: jax.Array
  ) -> jax.Array:
    """Epsilon-greedy actions, `[E]`, with the epsilon of evaluations."""
    return self._epsilon_greedy(
      key, nets, observations, self._config.epsilon_evaluation
    )

  def update(
    self,
    key: Key,
    nets: base.Nets,
    batch: Transition,
    updates: jax.Array,
    shard: Shard = UNSHARDED,
    reference: Transition | None = None,
  ) -> tuple[base.Nets, dict[str, jax.Array]]:
    """See `Agent`. Metrics: 'loss', 'penalty' (if any) and 'q_mean'."""
    state, metrics, q = base.gradient_step(
      self._net,
      nets['q'],
      lambda part: (self._losses(key, nets, part)['q'], part.s_tm1),
      batch,
      shard,
      (batch if reference is None else reference).s_tm1,
    )
    state = base.copy_periodically(
      state, updates + 1, self._config.target_period_updates
    )
    return {'q': state}, {**metrics, 'q_mean': q.mean()}

  def _values(self, params: Params, observations: jax.Array) -> jax.Array:
    q: jax.Array = self._net.network.apply(params, observations).outputs
    return q

  def _losses(
    self, key: Key, nets: Mapping[str, NetState], batch: Transition
  ) -> dict[str, Loss]:
    del key
    config = self._config

    def loss(params: Params) -> tuple[jax.Array, NetworkOutput]:
      output = self._net.network.apply(params, batch.s_tm1)
      q_t = self._values(nets['q'].target, batch.s_t)
      selector = q_t
      if config.double:
        selector = self._values(jax.lax.stop_gradient(params), batch.s_t)
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

  def _epsilon_greedy(
    self,
    key: Key,
    nets: base.Nets,
    observations: jax.Array,
    epsilon: jax.Array | float,
  ) -> jax.Array:
    q = self._values(nets['q'].params, observations)
    explore_key, action_key = jax.random.split(key)
    shape = q.shape[:1]
    random = jax.random.randint(action_key, shape, 0, q.shape[-1])
    explore = jax.random.uniform(explore_key, shape) < epsilon
    return jnp.where(explore, random, jnp.argmax(q, -1).astype(jnp.int32))
