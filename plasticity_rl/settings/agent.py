"""Settings of agents. Does not import jax."""

import dataclasses

from plasticity_rl.settings.fields import setting


@dataclasses.dataclass(frozen=True)
class DQNConfig:
  """DQN and Double DQN.

  Attributes:
    double: the online network selects the action that the target network
      evaluates.
    loss: 'huber' (of size 1) or 'squared' (half the square).
    target_period_updates: updates between copies to the target network.
    epsilon_begin: probability of a random action at the start.
    epsilon_end: the same at the end of the linear schedule.
    epsilon_hold_steps: steps at `epsilon_begin` before the linear schedule.
    epsilon_decay_steps: length of the linear schedule.
    epsilon_restart_on_switch: restart the schedule with each task.
    epsilon_evaluation: probability of a random action in evaluation.
  """

  name: str = 'dqn'
  double: bool = True
  loss: str = setting('huber', choices=('huber', 'squared'))
  target_period_updates: int = setting(100, low=1)
  epsilon_begin: float = setting(1.0, low=0, high=1)
  epsilon_end: float = setting(0.05, low=0, high=1)
  epsilon_hold_steps: int = setting(0, low=0)
  epsilon_decay_steps: int = setting(1000, low=0)
  epsilon_restart_on_switch: bool = False
  epsilon_evaluation: float = setting(0.0, low=0, high=1)


@dataclasses.dataclass(frozen=True)
class SupervisedConfig:
  """A classifier trained by cross-entropy."""

  name: str = 'supervised'


@dataclasses.dataclass(frozen=True)
class SACConfig:
  """Soft actor-critic with a learned temperature. Equations: `agents/sac.py`.

  Attributes:
    critics: members of the ensemble; targets use the minimum of their values.
    bins: of the distribution of returns that critics learn, at least 2; 0 for
      critics that learn its mean. See `agents/categorical.py`.
    v_max: the bins are from -v_max to v_max.
    tau: step size of the target network's moving average at each update.
    initial_temperature: alpha at the start.
    target_entropy_per_action: target entropy of the policy for each dimension
      of the action.
    backup_entropy: whether targets contain the policy's entropy.
    log_std_bound: how log standard deviations are kept within the bounds:
      'tanh' rescales a tanh (as in the code behind the published curves of
      resets); 'clip' has no gradient outside the bounds.
    log_std_min: lower bound.
    log_std_max: upper bound.
    random_steps: steps with uniformly random actions at the start.
  """

  name: str = 'sac'
  critics: int = setting(2, low=1)
  bins: int = setting(0, low=0, high=10_000)
  v_max: float = setting(5.0, low=1e-8)
  tau: float = setting(0.005, low=0, high=1)
  initial_temperature: float = setting(1.0, low=1e-08)
  target_entropy_per_action: float = -0.5
  backup_entropy: bool = True
  log_std_bound: str = setting('tanh', choices=('tanh', 'clip'))
  log_std_min: float = -10.0
  log_std_max: float = 2.0
  random_steps: int = setting(10_000, low=0)


@dataclasses.dataclass(frozen=True)
class DrQConfig(SACConfig):
  """SAC on images: random shifts, and one encoder for actor and critic.

  Attributes:
    latent: width of the trunk, the layer between the convolutions and the rest.
    shift: largest shift, in pixels, along either axis.
    target_augmentations: K; targets are averaged over K shifts of the next
      image. The paper uses 2, the code behind its curves 1.
    value_augmentations: M; losses are averaged over M shifts of the image.
  """

  name: str = 'drq'
  initial_temperature: float = setting(0.1, low=1e-08)
  target_entropy_per_action: float = -1.0
  random_steps: int = setting(1000, low=0)
  latent: int = setting(50, low=1)
  shift: int = setting(4, low=0)
  target_augmentations: int = setting(1, low=1)
  value_augmentations: int = setting(1, low=1)


AGENTS = {
  'dqn': DQNConfig,
  'supervised': SupervisedConfig,
  'sac': SACConfig,
  'drq': DrQConfig,
}
