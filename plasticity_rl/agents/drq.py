"""DrQ: SAC on images, with random shifts (Kostrikov et al., 2020).

Images are shifted by a few pixels, each by its own draw; targets are averaged
over K shifts of s_t, the critic's loss over M shifts of s_tm1 (the first of
which the actor learns from). Actor and critic see through the same
convolutions, the critic's encoder, which learns by the critic's loss alone:
the actor is fed its output, a constant to it. (Compiled, that and what the
critic sees of the same image in the actor's loss are computed once.)

Kostrikov, Yarats and Fergus, "Image Augmentation Is All You Need", 2020. The
next action is chosen through the online encoder, as theirs is.
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

_SHIFTS = 1000  # The first of many streams of an example's key.


class ShiftedViews(sac.ObservationViews):
  """Randomly shifted images, and the critic's encoder for the actor."""

  def __init__(self, critic: NetSpec, config: settings.DrQConfig):
    """Views by these settings.

    Args:
      critic: whose encoder the actor sees through.
      config: settings.
    """
    self._critic, self._config = critic.network, config
    self.num_targets = config.target_augmentations

  def actor_inputs(self, critic: Any, observations: jax.Array) -> jax.Array:
    """See `ObservationViews`: the features of the encoder, `[B, F]`."""
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
  """The agent on the networks of `networks.pixels`."""

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
