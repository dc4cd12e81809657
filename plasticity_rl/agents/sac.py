"""Soft actor-critic with a learned temperature (Haarnoja et al., 2018).

With critics Q_j, their targets Q'_j, the policy pi and temperature alpha:

    y = r_t + discount_t (min_j Q'_j(s_t, a_t) - alpha log pi(a_t | s_t))
    critic: sum_j (Q_j(s_tm1, a_tm1) - y)^2
    actor: alpha log pi(a | s_tm1) - min_j Q_j(s_tm1, a)
    temperature: alpha (-log pi(a | s_tm1) - target entropy)

a_t and a are sampled from pi; the gradient of the actor's loss goes through the
sample (reparameterisation). Haarnoja et al., "Soft Actor-Critic Algorithms and
Applications", 2018. An update changes the critic, then its target, then the
actor (with the new critic), then the temperature. Two choices follow the public
code that made the learning curves that we compare with: the loss of the
temperature has the factor alpha, not log alpha, and the squared errors of the
critics are summed, neither halved nor averaged.

With `bins`, Q_j is the mean of a distribution of returns (`categorical`): the
target is that of the critic with the lowest mean, moved by the same equation,
and the loss the sum over critics of the cross-entropy with it.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import squashed_gaussian
from plasticity_rl.agents.categorical import Bins
from plasticity_rl.networks.actor_critic import Gaussian
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

_NOISE, _EXPLORATION = 0, 1  # Folded into an example's key.


# Views of s_tm1 and views of s_t, arrays `[B, ...]` as in the batch.
Views = tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]]
# Views of s_tm1, K views of s_t, and noise `[B, K + 1, A]`.
Draw = tuple[tuple[jax.Array, ...], tuple[jax.Array, ...], jax.Array]


class ObservationViews:
  """Maps observations to the inputs of networks; here, without any change.

  Attributes:
    num_targets: number of views of `s_t`.
  """

  num_targets = 1

  def actor_inputs(self, critic: Any, observations: jax.Array) -> jax.Array:
    """Inputs of the actor, `[B, ...]`, given the critic's parameters."""
    del critic
    return observations

  def views(self, keys: jax.Array, batch: Transition) -> Views:
    """Views of s_tm1 and s_t, which losses and targets are averaged over.

    Args:
      keys: one key for each example, `[B, 2]`, consumed.
      batch: transitions.

    Returns:
      Views of s_tm1, over which the loss is averaged, and views of s_t, over
      which the target is averaged.
    """
    del keys
    return (batch.s_tm1,), (batch.s_t,)


def example_noise(keys: jax.Array, stream: int, *shape: int) -> jax.Array:
  """Standard normal noise, `[B, *shape]`, from one key for each example."""
  return jax.vmap(
    lambda key: jax.random.normal(jax.random.fold_in(key, stream), shape)
  )(keys)


class SAC(base.Agent):
  """SAC, with the networks of `networks.actor_critic`."""

  def __init__(
    self,
    nets: Mapping[str, NetSpec],
    config: settings.SACConfig,
    action_size: int,
    *,
    slots: int = 0,
    observations: ObservationViews | None = None,
  ):
    """Builds nothing on a device.

    Args:
      nets: 'critic', `(s, a) -> [B, critics]`, with a target; 'actor', whose
        outputs are a `Gaussian` of `[B, A]`; 'temperature', log alpha.
      config: settings.
      action_size: A.
      slots: number of injections to allocate from the start.
      observations: maps observations to inputs of networks; by default they are
        not changed.
    """
    self._nets, self._config, self._action_size = nets, config, action_size
    self._critic, self._actor, self._temperature = (
      nets[name].network for name in ('critic', 'actor', 'temperature')
    )
    self._observations = observations or ObservationViews()
    self._target_entropy = config.target_entropy_per_action * action_size
    self._bounded = squashed_gaussian.bound(config)
    self._bins = Bins(config.bins, config.v_max) if config.bins else None
    self.spec = AgentSpec(
      nets=nets,
      default_nets=('critic', 'actor'),
      encoder_net='critic',
      inputs=self._inputs,
      policy=lambda params, batch: squashed_gaussian.mode(
        self._gaussian(params, batch.s_tm1)
      ),
      losses=self._losses,
      slots=slots,
    )

  def init(self, key: Key) -> base.Nets:
    """See `Agent`."""
    slots = self.spec.slots
    keys = jax.random.split(key, len(self._nets))
    return {
      name: base.init_net(net_key, net, slots if net.layers else 0)
      for net_key, (name, net) in zip(keys, self._nets.items(), strict=True)
    }

  def act(
    self, key: Key, nets: base.Nets, observations: jax.Array, step: jax.Array
  ) -> jax.Array:
    """Samples from pi, `[E, A]`; uniform in the first `random_steps` steps."""
    keys = base.example_keys(key, observations.shape[0])
    action, _ = self._sample(
      self._gaussian(_params(nets), observations),
      example_noise(keys, _NOISE, self._action_size),
    )
    random = jax.vmap(
      lambda key: jax.random.uniform(
        jax.random.fold_in(key, _EXPLORATION), [self._action_size], minval=-1.0
      )
    )(keys)
    return jnp.where(step < self._config.random_steps, random, action)

  def act_greedily(
    self, key: Key, nets: base.Nets, observations: jax.Array
  ) -> jax.Array:
    """The mode of pi, `[E, A]`."""
    del key
    return squashed_gaussian.mode(self._gaussian(_params(nets), observations))

  def update(
    self,
    key: Key,
    nets: base.Nets,
    batch: Transition,
    updates: jax.Array,
    shard: Shard = UNSHARDED,
    reference: Transition | None = None,
  ) -> tuple[base.Nets, dict[str, jax.Array]]:
    """See `Agent`. Updates critic, target, actor and temperature, in order."""
    del updates
    drawn = self._draw(key, batch)
    old, new, metrics = nets, dict(nets), {}

    second = batch if reference is None else reference

    def gradient_step(name: str, make_loss: base.MakeLoss, data: Any) -> Any:
      inputs = self._inputs(_params(new), second)[name]
      new[name], metrics[name], outputs = base.gradient_step(
        self._nets[name], old[name], make_loss, data, shard, inputs
      )
      return outputs

    def critic_loss(data: Any) -> tuple[Loss, Any]:
      batch, (s_tm1, s_t, noise) = data
      y = self._targets(old, batch, s_t, noise)
      inputs = (s_tm1[0], batch.a_tm1)
      return self._critic_loss(y, s_tm1, batch.a_tm1), inputs

    def actor_loss(data: Any) -> tuple[Loss, Any]:
      s_tm1, _, noise = data
      inputs = self._actor_inputs(_params(new), s_tm1[0])
      return self._actor_loss(new, inputs, s_tm1[0], noise[:, -1]), inputs

    q = gradient_step('critic', critic_loss, (batch, drawn))
    new['critic'] = base.polyak_update(new['critic'], self._config.tau)
    outputs = gradient_step('actor', actor_loss, drawn)
    # The actions of the actor's loss: old parameters, the same noise.
    _, log_pi = self._sample(outputs, drawn[-1][:, -1])
    gradient_step(
      'temperature', lambda x: (self._temperature_loss(x), ()), log_pi
    )
    return new, {
      **metrics['critic'],
      **{f'actor_{k}': v for k, v in metrics['actor'].items()},
      'q_mean': self._values(q).mean(),
      'entropy': -log_pi.mean(),
      'temperature': self._alpha(old),
    }

  # --- Losses ---

  def _losses(
    self, key: Key, nets: Mapping[str, NetState], batch: Transition
  ) -> dict[str, Loss]:
    s_tm1, s_t, noise = self._draw(key, batch)
    params = _params(nets)
    inputs = self._actor_inputs(params, s_tm1[0])
    _, log_pi = self._sample(
      self._actor.apply(params['actor'], inputs).outputs, noise[:, -1]
    )
    return {
      'critic': self._critic_loss(
        self._targets(nets, batch, s_t, noise), s_tm1, batch.a_tm1
      ),
      'actor': self._actor_loss(nets, inputs, s_tm1[0], noise[:, -1]),
      'temperature': self._temperature_loss(log_pi),
    }

  def _targets(
    self,
    nets: Mapping[str, NetState],
    batch: Transition,
    s_t: tuple[jax.Array, ...],
    noise: jax.Array,
  ) -> jax.Array:
    """The target y, `[B]`, a mean over views of `s_t`, each with its noise.

    Of a distribution of returns, its probabilities, `[B, bins]`.
    """
    params, alpha = _params(nets), self._alpha(nets)
    total: Any = 0.0
    for k, view in enumerate(s_t):
      a_t, log_pi = self._sample(self._gaussian(params, view), noise[:, k])
      outputs = self._critic.apply(nets['critic'].target, (view, a_t)).outputs
      cost = alpha * log_pi
      if not self._config.backup_entropy:
        cost = jnp.zeros_like(cost)
      if self._bins is None:
        total += outputs.min(-1) - cost
      else:
        total += self._bins.target(outputs, -cost, batch.r_t, batch.discount_t)
    mean = total / len(s_t)
    return jax.lax.stop_gradient(
      mean if self._bins else batch.r_t + batch.discount_t * mean
    )

  def _critic_loss(
    self,
    targets: jax.Array,
    s_tm1: tuple[jax.Array, ...],
    a_tm1: jax.Array,
  ) -> Loss:
    def loss(params: Params) -> tuple[jax.Array, NetworkOutput]:
      outputs = [self._critic.apply(params, (view, a_tm1)) for view in s_tm1]
      errors: Any = sum(
        self._errors(output.outputs, targets) for output in outputs
      )
      return errors / len(s_tm1), outputs[0]

    return loss

  def _errors(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
    """The loss of each example, `[B]`, a sum over critics."""
    if self._bins is None:
      return jnp.square(outputs - targets[:, None]).sum(-1)
    return self._bins.errors(outputs, targets)

  def _values(self, outputs: jax.Array) -> jax.Array:
    """Q of each critic, `[B, critics]`, from the critics' outputs."""
    return outputs if self._bins is None else self._bins.means(outputs)

  def _actor_loss(
    self,
    nets: Mapping[str, NetState],
    inputs: Any,
    view: jax.Array,
    noise: jax.Array,
  ) -> Loss:
    alpha = self._alpha(nets)

    def loss(params: Params) -> tuple[jax.Array, NetworkOutput]:
      output = self._actor.apply(params, inputs)
      a, log_pi = self._sample(output.outputs, noise)
      q = self._critic.apply(nets['critic'].params, (view, a)).outputs
      return alpha * log_pi - self._values(q).min(-1), output

    return loss

  def _temperature_loss(self, log_pi: jax.Array) -> Loss:
    excess = jax.lax.stop_gradient(-log_pi - self._target_entropy)

    def loss(params: Params) -> tuple[jax.Array, NetworkOutput]:
      output = self._temperature.apply(params, ())
      return jnp.exp(output.outputs) * excess, output

    return loss

  # --- Networks ---

  def _alpha(self, nets: Mapping[str, NetState]) -> jax.Array:
    params = nets['temperature'].params
    return jnp.exp(self._temperature.apply(params, ()).outputs)

  def _actor_inputs(
    self, params: Mapping[str, Params], observations: jax.Array
  ) -> Any:
    return jax.lax.stop_gradient(
      self._observations.actor_inputs(params['critic'], observations)
    )

  def _gaussian(
    self, params: Mapping[str, Params], observations: jax.Array
  ) -> Gaussian:
    """The outputs of the actor."""
    inputs = self._actor_inputs(params, observations)
    outputs: Gaussian = self._actor.apply(params['actor'], inputs).outputs
    return outputs

  def _sample(
    self, gaussian: Gaussian, noise: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Actions `[B, A]` and log pi `[B]`, from noise `[B, A]`."""
    return squashed_gaussian.sample(gaussian, noise, self._bounded)

  def _draw(self, key: Key, batch: Transition) -> Draw:
    """Views and noise; the last noise is for the actor's loss."""
    keys = base.example_keys(key, batch.r_t.shape[0])
    noise = example_noise(
      keys, _NOISE, self._observations.num_targets + 1, self._action_size
    )
    return *self._observations.views(keys, batch), noise

  def _inputs(
    self, params: Mapping[str, Params], batch: Transition
  ) -> dict[str, Any]:
    return {
      'critic': (batch.s_tm1, batch.a_tm1),
      'actor': self._actor_inputs(params, batch.s_tm1),
      'temperature': (),
    }


def _params(nets: Mapping[str, NetState]) -> dict[str, Params]:
  return {name: net.params for name, net in nets.items()}
