"""What can be configured of agents. Free of jax."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class DQNConfig:
  """DQN and Double DQN.

  Attributes:
    double: the online network selects the action that the target evaluates.
    loss: 'huber' (of size 1) or 'squared' (half the square).
    target_period_updates: updates between copies to the target.
    epsilon_begin: probability of a random action at the start.
    epsilon_end: the same, after `epsilon_decay_steps`.
    epsilon_hold_steps: steps at `epsilon_begin`, before the linear schedule.
    epsilon_decay_steps: length of the linear schedule.
    epsilon_restart_on_switch: start the schedule again with each task.
    epsilon_evaluation: probability of a random action in evaluation.
  """

  name: str = 'dqn'
  double: bool = True
  loss: str = 'huber'
  target_period_updates: int = 100
  epsilon_begin: float = 1.0
  epsilon_end: float = 0.05
  epsilon_hold_steps: int = 0
  epsilon_decay_steps: int = 1000
  epsilon_restart_on_switch: bool = False
  epsilon_evaluation: float = 0.0


@dataclasses.dataclass(frozen=True)
class SupervisedConfig:
  """A classifier trained by cross-entropy."""

  name: str = 'supervised'


@dataclasses.dataclass(frozen=True)
class SACConfig:
  """Soft actor-critic with a learned temperature. Equations: `agents/sac.py`.

  Attributes:
    critics: members of the ensemble, whose least value counts.
    tau: share by which the target moves to the critic at each update.
    initial_temperature: alpha at the start.
    target_entropy_per_action: of the policy, per dimension of the action.
    backup_entropy: whether values contain the policy's entropy.
    log_std_bound: how log standard deviations are kept within the bounds:
      'tanh' rescales one (as in the code behind the published curves of
      resets), 'clip' has no gradient beyond.
    log_std_min: lower bound.
    log_std_max: upper bound.
    random_steps: steps of uniform actions at the start.
  """

  name: str = 'sac'
  critics: int = 2
  tau: float = 0.005
  initial_temperature: float = 1.0
  target_entropy_per_action: float = -0.5
  backup_entropy: bool = True
  log_std_bound: str = 'tanh'
  log_std_min: float = -10.0
  log_std_max: float = 2.0
  random_steps: int = 10_000


@dataclasses.dataclass(frozen=True)
class DrQConfig(SACConfig):
  """SAC on images: random shifts, and one encoder for actor and critic.

  Attributes:
    latent: width of the trunk between the convolutions and the rest.
    shift: largest shift, in pixels, along either axis.
    target_augmentations: K, shifts of the next image that targets are averaged
      over. The paper averages over 2, the code behind the curves over 1.
    value_augmentations: M, shifts of the image that losses are averaged over.
  """

  name: str = 'drq'
  initial_temperature: float = 0.1
  target_entropy_per_action: float = -1.0
  random_steps: int = 1000
  latent: int = 50
  shift: int = 4
  target_augmentations: int = 1
  value_augmentations: int = 1


AGENTS = {
  'dqn': DQNConfig,
  'supervised': SupervisedConfig,
  'sac': SACConfig,
  'drq': DrQConfig,
}

# Bounds, inclusive; None for none.
RANGES = (
  dict.fromkeys(
    (
      'agent.target_period_updates',
      'agent.critics',
      'agent.latent',
      'agent.target_augmentations',
      'agent.value_augmentations',
    ),
    (1, None),
  )
  | dict.fromkeys(
    (
      'agent.epsilon_hold_steps',
      'agent.epsilon_decay_steps',
      'agent.random_steps',
      'agent.shift',
    ),
    (0, None),
  )
  | dict.fromkeys(
    (
      'agent.epsilon_begin',
      'agent.epsilon_end',
      'agent.epsilon_evaluation',
      'agent.tau',
    ),
    (0, 1),
  )
  | {'agent.initial_temperature': (1e-8, None)}
)
CHOICES = {
  'agent.loss': ('huber', 'squared'),
  'agent.log_std_bound': ('tanh', 'clip'),
}
