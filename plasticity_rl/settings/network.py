"""Settings of networks, regularizers and optimizers. Does not import jax."""

import dataclasses

from plasticity_rl.settings import items
from plasticity_rl.settings.fields import setting


@dataclasses.dataclass(frozen=True)
class NetworkConfig:
  """Convolutions, then dense layers, then a linear layer.

  Attributes:
    convolutions: (filters, kernel, stride) of each convolution.
    hidden: widths of the dense layers.
    residual_blocks: number of SimBa's residual blocks (`networks/simba.py`)
      after the dense layers, of the last width in `hidden`; the layer of this
      width is then linear. 0 for none.
    multi_skip: whether the blocks are those of `networks/multi_skip.py`, of
      which each receives the first features too.
    hyperspherical: whether the blocks are those of SimBaV2
      (`networks/hyperspherical.py`), with features and weights of length 1;
      then `hidden` is one width, and there are two last layers.
    split: the encoder is `layers[:split]`, the head is the rest: with -2 the
      head has the last two layers, with 1 the encoder has the first layer, with
      0 there is no encoder (an ablation). A residual block counts as a layer,
      and with `multi_skip` all blocks together with the layer before them.
    convolution: 'lax', 'slices' (the same product as slices and a matrix
      product, which is faster inside a scan on a CPU), or 'auto': 'slices' on a
      CPU in a scan or with several seeds, else 'lax'.
    slots: injections to allocate from the start. Then each seed can be injected
      at a different time. 0 adds parameters at the injection.
    activation: after each hidden layer: 'relu', 'leaky_relu', 'elu', 'gelu',
      'silu', 'tanh'; 'crelu' and 'fourier' make two features of each unit.
    width_counts: what `convolutions` and `hidden` count if a unit has two
      features: 'features' keeps the input size of the next layer and halves the
      units; 'units' keeps the units and doubles the features.
    layer_norm: layer normalisation before each activation.
    weight_norm: weight normalisation of every layer.
    initializer: of weights: 'truncated_normal' with standard deviation
      1 / sqrt(fan_in), 'orthogonal' with gain sqrt(2), or 'uniform' within
      1 / sqrt(fan_in). 'uniform' applies to biases too, which are otherwise
      zero. Residual blocks have He's normal distribution in any case, and with
      them 'orthogonal' has a gain of 1 in the linear layers.
    sized_for_injections: scales widths so that the network has, from the start,
      as many parameters as the configured network has after this number of
      injections, frozen heads included; 0 does not scale. See
      `networks/sizing.py`.
    sized_part: which widths are scaled, 'head' or 'all'.
    precision: of products and activations: 'float32', or 'bfloat16', which is
      several times faster on TPUs and recent GPUs (not on CPUs). Parameters,
      outputs, losses, gradients and optimizers are always in float32.
  """

  convolutions: tuple = setting((), items=items.convolutions)
  hidden: tuple = setting((64, 64), items=items.sizes)
  residual_blocks: int = setting(0, low=0, high=100)
  multi_skip: bool = False
  hyperspherical: bool = False
  split: int = -2
  convolution: str = setting('auto', choices=('auto', 'lax', 'slices'))
  slots: int = setting(0, low=0, high=1000)
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
  sized_for_injections: int = setting(0, low=0, high=1000)
  sized_part: str = setting('head', choices=('head', 'all'))
  precision: str = setting('float32', choices=('float32', 'bfloat16'))


@dataclasses.dataclass(frozen=True)
class RegularizerConfig:
  """Penalties added to the mean loss; a coefficient of 0 costs nothing.

  Equations and sources are in `learner/regularizers`. Penalties are summed.

  Attributes:
    l2: coefficient of ||theta||^2.
    l2_init: coefficient of ||theta - theta_0||^2, theta_0 at initialisation.
    parseval: coefficient of ||W W^T - s I||^2, for each layer but the last.
    parseval_scale: s. 2, as for ReLU, in Chung et al.'s experiments.
    spectral_norm: coefficient of sigma_max(W)^2 / 2, for each layer.
    power_iterations: iterations of the power method for sigma_max.
    feature_norm: coefficient of the mean of ||phi||^2.
    feature_norm_of: phi: 'penultimate' for the outputs of the last hidden
      layer, 'encoder' for those of the encoder.
    c_chain: ratio of C-CHAIN's penalty to the loss: outputs on a second batch
      stay what they were before the last update. Tang et al. (2025) have 0.01
      on MinAtar.
    infer: coefficient of InFeR, which adds auxiliary heads to the encoder. Lyle
      et al. use 0.1 on Atari.
    infer_heads: number of these heads.
    infer_scale: beta; the heads' targets are beta times their initial outputs.
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
  c_chain: float = setting(0.0, low=0)
  infer: float = setting(0.0, low=0)
  infer_heads: int = setting(10, low=1)
  infer_scale: float = setting(100.0, low=0)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
  """An optimizer. It ignores the settings of other optimizers.

  Attributes:
    name: 'adam'; 'adam_per_weight', which counts updates separately for each
      weight, so that reinitialised weights restart exactly; 'adamw'; 'muon',
      orthogonalised momentum for weights and Adam for the rest;
      'rmsprop_centered'; 'sgd'; 'trac', Adam whose distance from the initial
      parameters is tuned while learning; 'upgd', utility-based perturbed
      gradient descent, with learning rates like 'sgd'; 'adam_upgd', the same
      along Adam's direction, with learning rates like 'adam'.
    learning_rate: at the start.
    decay_updates: linear decay to zero over this number of updates; 0 for no
      decay. It counts the run's updates; interventions do not restart it.
    b1: Adam's decay of the mean gradient.
    b2: Adam's decay of the mean squared gradient. A known remedy against loss
      of plasticity is b2 = b1 with a larger eps: then steps do not become too
      large when gradients grow suddenly, as at a change of task (Lyle et al.,
      "Understanding Plasticity", 2023; Dohare et al., "Overcoming Policy
      Collapse", 2023).
    eps: added to the denominator (under the root in RMSProp, as in DQN).
    decay: RMSProp's decay.
    momentum: Muon's decay of the mean gradient of weights.
    utility_decay: decay of UPGD's running mean of utilities.
    noise: standard deviation of UPGD's perturbation of gradients.
    weight_decay: of AdamW, Muon and UPGD; each step subtracts the weights times
      this times the learning rate. Elsayed and Mahmood's UPGD has 1e-3.
    max_gradient_norm: clips the global norm of all gradients; 0 for none.
    sam_radius: rho of sharpness-aware minimisation, with any optimizer: the
      gradient is taken at this distance uphill. 0 for none; an update with it
      costs twice as much. Foret et al. (2021) take 0.05.
    microbatches: parts into which a batch (on several devices, each device's
      part) is split. Gradients are computed part by part and averaged: the same
      update with less memory.
  """

  name: str = setting(
    'adam',
    choices=(
      'adam',
      'adam_per_weight',
      'adam_upgd',
      'adamw',
      'muon',
      'rmsprop_centered',
      'sgd',
      'trac',
      'upgd',
    ),
  )
  learning_rate: float = setting(1e-3, low=0)
  decay_updates: int = setting(0, low=0)
  b1: float = setting(0.9, low=0, high=1)
  b2: float = setting(0.999, low=0, high=1)
  eps: float = setting(1e-8, low=0)
  decay: float = setting(0.95, low=0, high=1)
  momentum: float = setting(0.95, low=0, high=1)
  utility_decay: float = setting(0.999, low=0, high=1)
  noise: float = setting(1e-3, low=0)
  weight_decay: float = setting(0.0, low=0)
  max_gradient_norm: float = setting(0.0, low=0)
  sam_radius: float = setting(0.0, low=0)
  microbatches: int = setting(1, low=1)
