"""DrQ: SAC on images, with random shifts (Kostrikov et al., 2020).

Each image is shifted by a few random pixels. The target is a mean over K shifts
of s_t, and the critic's loss a mean over M shifts of s_tm1. The actor learns
from the first of these M shifts. Actor and critic share the convolutions, which
are the encoder of the critic. Only the critic's loss trains them: the actor
takes their output as a constant input. (The actor's loss uses this output twice
on the same image; the compiler computes it once.)

Kostrikov, Yarats and Fergus, "Image Augmentation Is All You Need", 2020. As in
their code, the online encoder is used to choose the next action.
"""

from collections.abc import Mapping
from typing import Any

import jax

from plasticity_rl import settings
from plasticity_rl.agents import sac
from plasticity_rl.agents.random_shift import random_shift
from plasticity_rl.networks import pixels
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Transition

_SHIFTS = 1000  # Folded into an example's key, plus the number of the shift.


class ShiftedViews(sac.ObservationViews):
  """Randomly shifted images, encoded by the critic for the actor."""

  def __init__(self, critic: NetSpec, config: settings.DrQConfig):
    """Stores the settings.

    Args:
      critic: the network whose encoder the actor shares.
      config: settings.
    """
    self._critic, self._config = critic.network, config
    self.num_targets = config.target_augmentations

  def actor_inputs(self, critic: Any, observations: jax.Array) -> jax.Array:
    """See `ObservationViews`: features of the critic's encoder, `[B, ...]`."""
    return pixels.encode(self._critic, critic, observations)

  def views(self, keys: jax.Array, batch: Transition) -> sac.Views:
    """See `ObservationViews`: M shifts of s_tm1 and K of s_t."""
    num_values = self._config.value_augmentations
    return tuple(
      self._shifted(keys, batch.s_tm1, m) for m in range(num_values)
    ), tuple(
      self._shifted(keys, batch.s_t, num_values + k)
      for k in range(self.num_targets)
    )

  def _shifted(
    self, keys: jax.Array, images: jax.Array, stream: int
  ) -> jax.Array:
    keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(
      keys, _SHIFTS + stream
    )
    return random_shift(keys, images, self._config.shift)


class DrQ(sac.SAC):
  """DrQ, with the networks of `networks.pixels`."""

  def __init__(
    self,
    nets: Mapping[str, NetSpec],
    config: settings.DrQConfig,
    action_size: int,
    *,
    slots: int = 0,
  ):
    """See `SAC`."""
    super().__init__(
      nets,
      config,
      action_size,
      slots=slots,
      observations=ShiftedViews(nets['critic'], config),
    )
