"""Soft actor-critic with a learned temperature (Haarnoja et al., 2018).

With critics Q_j, their targets Q'_j, the policy pi and temperature alpha:

    y = r_t + discount_t (min_j Q'_j(s_t, a_t) - alpha log pi(a_t | s_t))
    critic: sum_j (Q_j(s_tm1, a_tm1) - y)^2
    actor: alpha log pi(a | s_tm1) - min_j Q_j(s_tm1, a)
    temperature: alpha (-log pi(a | s_tm1) - target entropy)

a_t and a are drawn from pi, through which the actor's loss is differentiated.
Haarnoja et al., "Soft Actor-Critic Algorithms and Applications", 2018. An
update is of the critic, then its target, then the actor against the new
critic, then the temperature. As in the public code by which the curves that we
compare with were made, alpha and not log alpha multiplies in its loss, and the
critic's squares are neither halved nor averaged over members.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import squashed_gaussian
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Transition

_NOISE, _EXPLORATION = 0, 1  # Folded into an example's key.


class ObservationViews(NamedTuple):
  """What becomes of observations before networks are fed them.

  Attributes:
    actor_inputs: `(critic's params, s [B, ...]) -> inputs [B, ...]`.
    views: `(keys [B, 2], batch) -> (s_tm1, s_t)`, tuples of arrays as in the
      batch: losses are averaged over the first, targets over the second.
    num_targets: how many the second holds.
  """

  actor_inputs: Callable[[Any, jax.Array], jax.Array]
  views: Callable[
    [jax.Array, Transition],
    tuple[tuple[jax.Array, ...], tuple[jax.Array, ...]],
  ]
  num_targets: int


PLAIN = ObservationViews(
  actor_inputs=lambda critic, observations: observations,
  views=lambda keys, batch: ((batch.s_tm1,), (batch.s_t,)),
  num_targets=1,
)


def noise_of(keys: jax.Array, stream: int, *shape: int) -> jax.Array:
  """Standard normal noise of each example by its key, `[B, *shape]`."""
  return jax.vmap(
    lambda key: jax.random.normal(jax.random.fold_in(key, stream), shape)
  )(keys)


def make(
  nets: Mapping[str, NetSpec],
  config: settings.SACConfig,
  action_size: int,
  *,
  slots: int = 0,
  sight: ObservationViews = PLAIN,
) -> base.Agent:
  """The agent.

  Args:
    nets: 'critic', `(s, a) -> [B, critics]`, with a target; 'actor', whose
      outputs are a `Gaussian` of `[B, A]`; 'temperature', log alpha.
    config: settings.
    action_size: A.
    slots: injections to allocate.
    sight: how observations are seen.
  """
  critic, actor, temperature = (
    nets[name].network for name in ('critic', 'actor', 'temperature')
  )
  target_entropy = config.target_entropy_per_action * action_size
  bounded = squashed_gaussian.bound(config)

  def alpha_of(nets):
    return jnp.exp(temperature.apply(nets['temperature'].params, ()).outputs)

  def see(params, observations):
    return jax.lax.stop_gradient(
      sight.actor_inputs(params['critic'], observations)
    )

  def params_of(nets):
    return {name: net.params for name, net in nets.items()}

  def act_of(params, observations):
    inputs = see(params, observations)
    return actor.apply(params['actor'], inputs).outputs

  def targets(nets, batch, s_t, noise):
    """y, `[B]`, averaged over views of `s_t`, each with noise `[B, A]`."""
    params, alpha = params_of(nets), alpha_of(nets)
    total = 0.0
    for k, view in enumerate(s_t):
      a_t, log_pi = squashed_gaussian.sample(
        act_of(params, view), noise[:, k], bounded
      )
      value = critic.apply(nets['critic'].target, (view, a_t)).outputs.min(-1)
      total += value - alpha * log_pi if config.backup_entropy else value
    return jax.lax.stop_gradient(
      batch.r_t + batch.discount_t * total / len(s_t)
    )

  def critic_loss(targets, s_tm1, a_tm1):
    def loss(params):
      outputs = [critic.apply(params, (view, a_tm1)) for view in s_tm1]
      errors = sum(
        jnp.square(output.outputs - targets[:, None]).sum(-1)
        for output in outputs
      )
      return errors / len(s_tm1), outputs[0]

    return loss

  def actor_loss(nets, inputs, view, noise):
    alpha = alpha_of(nets)

    def loss(params):
      output = actor.apply(params, inputs)
      a, log_pi = squashed_gaussian.sample(output.outputs, noise, bounded)
      q = critic.apply(nets['critic'].params, (view, a)).outputs.min(-1)
      return alpha * log_pi - q, output

    return loss

  def temperature_loss(log_pi):
    excess = jax.lax.stop_gradient(-log_pi - target_entropy)

    def loss(params):
      output = temperature.apply(params, ())
      return jnp.exp(output.outputs) * excess, output

    return loss

  def draw(key, batch):
    """Views and noise of each example; the last noise is the actor's."""
    keys = base.example_keys(key, batch.r_t.shape[0])
    noise = noise_of(keys, _NOISE, sight.num_targets + 1, action_size)
    return *sight.views(keys, batch), noise

  def losses(key, nets, batch):
    s_tm1, s_t, noise = draw(key, batch)
    params = params_of(nets)
    inputs = see(params, s_tm1[0])
    _, log_pi = squashed_gaussian.sample(
      actor.apply(params['actor'], inputs).outputs, noise[:, -1], bounded
    )
    return {
      'critic': critic_loss(
        targets(nets, batch, s_t, noise), s_tm1, batch.a_tm1
      ),
      'actor': actor_loss(nets, inputs, s_tm1[0], noise[:, -1]),
      'temperature': temperature_loss(log_pi),
    }

  def inputs(params, batch):
    return {
      'critic': (batch.s_tm1, batch.a_tm1),
      'actor': see(params, batch.s_tm1),
      'temperature': (),
    }

  spec = AgentSpec(
    nets=nets,
    default_nets=('critic', 'actor'),
    encoder_net='critic',
    inputs=inputs,
    policy=lambda params, batch: squashed_gaussian.mode(
      act_of(params, batch.s_tm1)
    ),
    losses=losses,
    slots=slots,
  )

  def act(key, nets, observations, step):
    keys = base.example_keys(key, observations.shape[0])
    action, _ = squashed_gaussian.sample(
      act_of(params_of(nets), observations),
      noise_of(keys, _NOISE, action_size),
      bounded,
    )
    random = jax.vmap(
      lambda key: jax.random.uniform(
        jax.random.fold_in(key, _EXPLORATION), [action_size], minval=-1.0
      )
    )(keys)
    return jnp.where(step < config.random_steps, random, action)

  def act_greedily(key, nets, observations):
    del key
    return squashed_gaussian.mode(act_of(params_of(nets), observations))

  def update(key, old, batch, updates):
    del updates
    drawn = draw(key, batch)
    new, metrics = dict(old), {}

    def gradient_step(name, loss_of, data):
      new[name], metrics[name], outputs = base.gradient_step(
        nets[name], old[name], loss_of, data
      )
      return outputs

    def of_critic(data):
      batch, (s_tm1, s_t, noise) = data
      y = targets(old, batch, s_t, noise)
      inputs = (s_tm1[0], batch.a_tm1)
      return critic_loss(y, s_tm1, batch.a_tm1), inputs

    def of_actor(data):
      s_tm1, _, noise = data
      inputs = see(params_of(new), s_tm1[0])
      return actor_loss(new, inputs, s_tm1[0], noise[:, -1]), inputs

    q = gradient_step('critic', of_critic, (batch, drawn))
    new['critic'] = base.polyak_update(new['critic'], config.tau)
    outputs = gradient_step('actor', of_actor, drawn)
    # Of the actor that the loss was of, with the same noise.
    noise = drawn[-1][:, -1]
    _, log_pi = squashed_gaussian.sample(outputs, noise, bounded)
    gradient_step('temperature', lambda x: (temperature_loss(x), ()), log_pi)
    return new, {
      **metrics['critic'],
      **{f'actor_{k}': v for k, v in metrics['actor'].items()},
      'q_mean': q.mean(),
      'entropy': -log_pi.mean(),
      'temperature': alpha_of(old),
    }

  def init(key):
    keys = jax.random.split(key, len(nets))
    return {
      name: base.init_net(one, net, slots if net.layers else 0)
      for one, (name, net) in zip(keys, nets.items(), strict=True)
    }

  return base.Agent(
    spec=spec,
    init=init,
    act=act,
    act_greedily=act_greedily,
    update=update,
  )
