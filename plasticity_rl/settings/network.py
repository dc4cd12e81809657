"""What can be configured of networks and of how they learn. Free of jax."""

import dataclasses

from plasticity_rl.settings.fields import setting


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """Convolutions, then dense layers, then a linear layer.

  Attributes:
    convolutions: (filters, kernel, stride) of each.
    hidden: widths of the dense layers.
    split: which layers make the encoder, `layers[:split]`: -2 leaves the last
      two to the head, 1 takes the first; 0 shares nothing (an ablation).
    convolution: 'auto', 'lax', or 'slices' (the same product as slices and a
      matrix product, which is faster inside a scan on a CPU). 'auto' is slices
      on a CPU, where it is in a scan or of several seeds at once.
    slots: injections to allocate from the start, so that each seed may be
      injected at a time of its own; 0 grows the tree at the injection.
    activation: after each hidden layer: 'relu', 'leaky_relu', 'elu', 'gelu',
      'silu', 'tanh', or one that makes two features of a unit, 'crelu' or
      'fourier'.
    width_counts: with these two, what `convolutions` and `hidden` count:
      'features' keeps the size of what the next layer is fed, with half the
      units; 'units' keeps the units, with twice the features.
    layer_norm: layer normalisation before each activation.
    weight_norm: weight normalisation of every layer.
    initializer: of weights: 'truncated_normal', of standard deviation
      1 / sqrt(fan_in), 'orthogonal', with a gain of sqrt(2), or 'uniform',
      within 1 / sqrt(fan_in), which biases then are as well rather than zero.
    sized_for_injections: scales widths so that the network has, from the
      start, as many parameters as the configured one after so many injections,
      frozen heads included; 0 leaves it as it is. See `networks/sizing.py`.
    sized_part: whose widths it scales, 'head' or 'all'.
    precision: of products and activations, 'float32' or 'bfloat16', which TPUs
      and recent GPUs are several times faster in (CPUs are not). Parameters,
      outputs, losses, gradients and optimizers are in float32 either way.
  """

  convolutions: tuple = ()
  hidden: tuple = (64, 64)
  split: int = -2
  convolution: str = setting('auto', choices=('auto', 'lax', 'slices'))
  slots: int = setting(0, low=0)
  activation: str = setting(
    'relu',
    choices=(
      'relu',
      'crelu',
      'fourier',
      'leaky_relu',
      'elu',
      'gelu',
      'silu',
      'tanh',
    ),
  )
  width_counts: str = setting('features', choices=('features', 'units'))
  layer_norm: bool = False
  weight_norm: bool = False
  initializer: str = setting(
    'truncated_normal', choices=('truncated_normal', 'orthogonal', 'uniform')
  )
  sized_for_injections: int = setting(0, low=0)
  sized_part: str = setting('head', choices=('head', 'all'))
  precision: str = setting('float32', choices=('float32', 'bfloat16'))


@dataclasses.dataclass(frozen=True)
class RegularizerConfig:
  """Penalties added to the mean loss; 0 switches one off and costs nothing.

  Equations and sources are in `learner/regularizers`. They compose: what is on
  is summed.

  Attributes:
    l2: coefficient of ||theta||^2.
    l2_init: coefficient of ||theta - theta_0||^2, the regenerative one.
    parseval: coefficient of ||W W^T - s I||^2, for each hidden layer.
    parseval_scale: s. 2, as for ReLU, in Chung et al.'s experiments.
    spectral_norm: coefficient of sigma_max(W)^2 / 2, for each layer.
    power_iterations: by which sigma_max is found.
    feature_norm: coefficient of the mean of ||phi||^2.
    feature_norm_of: phi: 'penultimate' for the outputs of the last hidden
      layer, 'encoder' for those of the encoder.
    infer: coefficient of InFeR, which gives the encoder auxiliary heads. Lyle
      et al. took 0.1 on Atari.
    infer_heads: how many; read where `infer` is on.
    infer_scale: beta, by which initial outputs are multiplied to be targets.
  """

  l2: float = setting(0.0, low=0)
  l2_init: float = setting(0.0, low=0)
  parseval: float = setting(0.0, low=0)
  parseval_scale: float = setting(2.0, low=0)
  spectral_norm: float = setting(0.0, low=0)
  power_iterations: int = setting(10, low=1)
  feature_norm: float = setting(0.0, low=0)
  feature_norm_of: str = setting(
    'penultimate', choices=('penultimate', 'encoder')
  )
  infer: float = setting(0.0, low=0)
  infer_heads: int = setting(10, low=1)
  infer_scale: float = setting(100.0, low=0)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """An optimizer; settings of the others are not read.

  Attributes:
    name: 'adam'; 'adam_per_weight', which counts each weight's updates by
      itself, so that weights drawn again restart exactly; 'adamw';
      'rmsprop_centered'; 'sgd'; 'upgd', utility-based perturbed gradient
      descent, which takes the learning rates of 'sgd'; or 'adam_upgd', the
      same along Adam's direction, which takes Adam's.
    learning_rate: at the start.
    decay_updates: linear decay to zero over that many updates; 0 for none.
      The run's updates count, whatever interventions do.
    b1: Adam's first decay.
    b2: Adam's second decay. The known remedy against loss of plasticity is
      b2 = b1 and a larger eps, so that steps do not grow with gradients that
      rise after a calm, as at a switch of tasks (Lyle et al., "Understanding
      Plasticity", 2023; Dohare et al., "Overcoming Policy Collapse", 2023).
    eps: added to the denominator (under the root in RMSProp, as in DQN).
    decay: RMSProp's decay.
    utility_decay: UPGD's, of its running mean of utilities.
    noise: standard deviation of UPGD's perturbation of gradients.
    weight_decay: AdamW's and UPGD's; each step takes off this times the
      learning rate. Elsayed and Mahmood's UPGD has 1e-3.
    max_gradient_norm: clips the global norm of all that learns; 0 for none.
    microbatches: parts of a batch (of a device's share of it), whose gradients
      are computed one after the other and averaged: the same update in less
      memory.
  """

  name: str = setting(
    'adam',
    choices=(
      'adam',
      'adam_per_weight',
      'adam_upgd',
      'adamw',
      'rmsprop_centered',
      'sgd',
      'upgd',
    ),
  )
  learning_rate: float = setting(1e-3, low=0)
  decay_updates: int = setting(0, low=0)
  b1: float = setting(0.9, low=0, high=1)
  b2: float = setting(0.999, low=0, high=1)
  eps: float = setting(1e-8, low=0)
  decay: float = setting(0.95, low=0, high=1)
  utility_decay: float = setting(0.999, low=0, high=1)
  noise: float = setting(1e-3, low=0)
  weight_decay: float = setting(0.0, low=0)
  max_gradient_norm: float = setting(0.0, low=0)
  microbatches: int = setting(1, low=1)
