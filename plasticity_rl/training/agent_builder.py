"""Builds the agent of an experiment from its settings."""

import dataclasses

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents import dqn
from plasticity_rl.agents import drq
from plasticity_rl.agents import sac
from plasticity_rl.agents import supervised
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.learner import optimizers
from plasticity_rl.learner.regularizers import registry as regularizers
from plasticity_rl.networks import actor_critic
from plasticity_rl.networks import convolution
from plasticity_rl.networks import pixels
from plasticity_rl.networks import precision
from plasticity_rl.networks import sequential
from plasticity_rl.networks import sizing
from plasticity_rl.networks.sequential import Sequential
from plasticity_rl.types import NetSpec


def _sees_images(spaces):
  return len(spaces.observation_shape) == 3


# The spaces that each agent supports.
_SUPPORTS = {
  'dqn': lambda spaces: isinstance(spaces.actions, Discrete),
  'sac': lambda spaces: (
    isinstance(spaces.actions, Continuous) and not _sees_images(spaces)
  ),
  'drq': lambda spaces: (
    isinstance(spaces.actions, Continuous) and _sees_images(spaces)
  ),
}


def check(name: str, spaces: Spaces) -> None:
  """Checks that an agent supports the spaces of the environment.

  Raises:
    UserError: it does not. The message names the agents that do.
  """
  if name == 'supervised' or _SUPPORTS[name](spaces):
    return
  actions = spaces.actions
  described = (
    f'{actions.num_actions} discrete actions'
    if isinstance(actions, Discrete)
    else f'continuous actions of size {actions.size}'
  )
  able = [agent for agent, supports in _SUPPORTS.items() if supports(spaces)]
  raise UserError(
    f'config.agent.name: {name!r} cannot take observations of shape '
    f'{spaces.observation_shape} and {described}; what can: ' + ', '.join(able)
  )


def make(
  settings: settings_lib.Settings, spaces: Spaces, *, in_loop: bool = True
) -> Agent:
  """Builds the agent of these settings.

  In supervised learning, discrete actions are classes. An agent that fits
  recorded values has a single output.

  Args:
    settings: settings of the run.
    spaces: spaces of its environments.
    in_loop: whether the agent runs inside a compiled loop or for several seeds
      at once. It decides the form of convolutions if that is 'auto'.

  Raises:
    UserError: the agent does not support the spaces, or the settings do not fit
      together.
  """
  name, slots = settings.agent.name, settings.network.slots
  check(name, spaces)
  network = settings.network
  settings = dataclasses.replace(
    settings,
    network=dataclasses.replace(
      network, convolution=convolution.resolve(network.convolution, in_loop)
    ),
  )
  if name == 'sac':
    return sac.SAC(
      _sac_nets(settings, spaces),
      settings.agent,
      spaces.actions.size,
      slots=slots,
    )
  if name == 'drq':
    return drq.DrQ(
      _drq_nets(settings, spaces),
      settings.agent,
      spaces.actions.size,
      slots=slots,
    )
  values = settings.environment.name == 'recorded_values'
  outputs = 1 if values else spaces.actions.num_actions
  net = _net(
    settings,
    sequential.build(
      _sized(
        settings,
        dataclasses.replace(
          network_config(settings, spaces), num_outputs=outputs
        ),
      )
    ),
    has_target=name == 'dqn',
  )
  if values:
    return supervised.Supervised(
      net, slots=slots, name='value', error=supervised.squared_error
    )
  if name == 'supervised':
    return supervised.Supervised(net, slots=slots)
  return dqn.DQN(net, settings.agent, slots=slots)


def network_config(
  settings: settings_lib.Settings, spaces: Spaces
) -> Sequential:
  """The architecture that the settings describe, with a single output."""
  return Sequential(
    **vars(settings.network),
    observation_shape=spaces.observation_shape,
    num_outputs=1,
    infer_heads=regularizers.infer_heads(settings.regularizer),
  )


def _sized(settings, config):
  """Scales widths as `network.sized_for_injections` describes."""
  network = settings.network
  if not network.sized_for_injections:
    return config
  count = sizing.parameter_count(config, network.sized_for_injections)
  return sizing.nearest(config, count, network.sized_part)


def _net(settings, built, *, has_target=False, regularizer=None):
  network, layers = built
  network = precision.compute_in(settings.network.precision, network)
  regularizer = regularizer or settings.regularizer
  return NetSpec(
    network,
    optimizers.make(
      settings.optimizer,
      remember=bool(regularizer.c_chain),
      on_sphere=settings.network.hyperspherical,
    ),
    layers,
    has_target,
    on_sphere=settings.network.hyperspherical,
    has_reference=bool(regularizer.c_chain),
    penalty=regularizers.make(regularizer, network, layers),
    microbatches=settings.optimizer.microbatches,
    sam_radius=settings.optimizer.sam_radius,
  )


def _temperature(settings):
  """The temperature; it always uses Adam, without decay, clipping or SAM."""
  adam = dataclasses.replace(
    settings.optimizer, name='adam', max_gradient_norm=0.0
  )
  return NetSpec(
    actor_critic.temperature(settings.agent.initial_temperature),
    optimizers.make(adam),
    layers=(),
    has_target=False,
  )


def _sac_nets(settings, spaces):
  size, config = spaces.actions.size, network_config(settings, spaces)
  if config.convolutions:
    raise UserError(
      'sac sees vectors: network.convolutions must be (): '
      f'{config.convolutions}'
    )
  bins = settings.agent.bins
  if bins == 1:
    raise UserError('config.agent.bins must be 0 or at least 2: 1')
  critic = _sized(settings, actor_critic.critic_config(config, size, bins or 1))
  actor = _sized(settings, actor_critic.actor_config(config, size))
  return {
    'critic': _net(
      settings,
      actor_critic.critic(critic, size, settings.agent.critics),
      has_target=True,
    ),
    'actor': _net(settings, actor_critic.actor(actor)),
    'temperature': _temperature(settings),
  }


def _drq_nets(settings, spaces):
  size, config = spaces.actions.size, network_config(settings, spaces)
  if settings.network.sized_for_injections:
    raise UserError('network.sized_for_injections is not for drq')
  if settings.agent.bins:
    raise UserError('agent.bins is for sac; for drq it must be 0')
  latent, actor_regularizer = settings.agent.latent, settings.regularizer
  # The critic has the encoder, so only the critic regularises it.
  actor_regularizer = dataclasses.replace(actor_regularizer, infer=0.0)
  if actor_regularizer.feature_norm_of == 'encoder':
    actor_regularizer = dataclasses.replace(actor_regularizer, feature_norm=0.0)
  return {
    'critic': _net(
      settings,
      pixels.critic(config, latent, size, settings.agent.critics),
      has_target=True,
    ),
    'actor': _net(
      settings,
      pixels.actor(config, latent, size),
      regularizer=actor_regularizer,
    ),
    'temperature': _temperature(settings),
  }
