"""Agents from settings, and the spaces that they can take."""

import dataclasses

import jax
import numpy as np
import pytest

from plasticity_rl import settings
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.training import agent_builder

VECTOR, IMAGE = (3,), (9, 9, 2)
DISCRETE, CONTINUOUS = Discrete(4), Continuous(2)


def spaces(shape, actions):
  return Spaces(shape, np.float32, actions)


def configured(agent, **network):
  return dataclasses.replace(
    settings.Settings(),
    agent=agent,
    network=settings.NetworkConfig(**{'hidden': (4, 4), **network}),
  )


@pytest.mark.parametrize(
  'agent, shape, actions, able',
  (
    (settings.DQNConfig(), VECTOR, CONTINUOUS, 'sac'),
    (settings.DQNConfig(), IMAGE, CONTINUOUS, 'drq'),
    (settings.SACConfig(), IMAGE, CONTINUOUS, 'drq'),
    (settings.SACConfig(), VECTOR, DISCRETE, 'dqn'),
    (settings.DrQConfig(), VECTOR, CONTINUOUS, 'sac'),
    (settings.DrQConfig(), IMAGE, DISCRETE, 'dqn'),
  ),
)
def test_spaces_that_an_agent_cannot_take(agent, shape, actions, able):
  with pytest.raises(UserError) as caught:
    agent_builder.make(configured(agent), spaces(shape, actions))
  message = str(caught.value)
  assert '\n' not in message and repr(agent.name) in message
  assert str(shape) in message and message.endswith(f'what can: {able}')


def weights(agent, name):
  params = jax.eval_shape(agent.init, jax.random.PRNGKey(0))[name].params
  return sum(x.size for x in jax.tree.leaves(params))


def test_what_is_made_has_the_sizes_asked_for():
  agent = agent_builder.make(
    configured(settings.SACConfig(critics=3)), spaces(VECTOR, CONTINUOUS)
  )
  assert weights(agent, 'critic') == 3 * ((5 + 1) * 4 + 5 * 4 + 5)
  assert weights(agent, 'actor') == 4 * 4 + 5 * 4 + 5 * 4
  assert weights(agent, 'temperature') == 1
  agent = agent_builder.make(
    configured(settings.DQNConfig()), spaces(VECTOR, DISCRETE)
  )
  assert weights(agent, 'q') == 4 * 4 + 5 * 4 + 5 * 4


def test_sizes_for_injections_are_each_networks_own():
  plain, sized = (
    agent_builder.make(
      configured(settings.SACConfig(), sized_for_injections=n, hidden=(32, 32)),
      spaces(VECTOR, CONTINUOUS),
    )
    for n in (0, 1)
  )
  for name in ('critic', 'actor'):
    head = jax.eval_shape(plain.init, jax.random.PRNGKey(0))[name].params[
      'head'
    ]
    wanted = weights(plain, name) + 2 * sum(
      x.size for x in jax.tree.leaves(head)
    )
    assert weights(sized, name) == pytest.approx(wanted, rel=0.05)
  with pytest.raises(UserError, match='sized_for_injections is not for drq'):
    agent_builder.make(
      configured(
        settings.DrQConfig(),
        sized_for_injections=1,
        split=1,
        convolutions=((2, 3, 2),),
      ),
      spaces(IMAGE, CONTINUOUS),
    )


def test_vectors_have_no_convolutions():
  with pytest.raises(UserError, match='network.convolutions must be'):
    agent_builder.make(
      configured(settings.SACConfig(), convolutions=((2, 3, 2),)),
      spaces(VECTOR, CONTINUOUS),
    )


def test_only_the_critic_regularises_the_shared_encoder():
  agent = agent_builder.make(
    dataclasses.replace(
      configured(
        settings.DrQConfig(latent=3), split=1, convolutions=((2, 3, 2),)
      ),
      regularizer=settings.RegularizerConfig(
        infer=0.1, feature_norm=0.1, feature_norm_of='encoder'
      ),
    ),
    spaces(IMAGE, CONTINUOUS),
  )
  assert agent.spec.nets['critic'].penalty is not None
  assert agent.spec.nets['actor'].penalty is None


@pytest.mark.parametrize('name', ('adamw', 'adam_upgd', 'upgd', 'sgd'))
def test_the_temperature_is_trained_by_adam(name):
  agent = agent_builder.make(
    dataclasses.replace(
      configured(settings.SACConfig()),
      optimizer=settings.OptimizerConfig(
        name=name,
        learning_rate=0.01,
        weight_decay=0.5,
        max_gradient_norm=1e-3,
      ),
    ),
    spaces(VECTOR, CONTINUOUS),
  )
  net = agent.spec.nets['temperature']
  params = {'encoder': {}, 'head': {'log_alpha': np.float32(2.0)}}
  gradient = {'encoder': {}, 'head': {'log_alpha': np.float32(5.0)}}
  updates, _ = net.optimizer.update(
    gradient, net.optimizer.init(params), params
  )
  assert float(updates['head']['log_alpha']) == pytest.approx(-0.01, rel=1e-4)
