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

import jax

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import sac
from plasticity_rl.agents.random_shift import random_shift
from plasticity_rl.networks import pixels
from plasticity_rl.types import NetSpec

_SHIFTS = 1000  # The first of many streams of an example's key.


def make(
  nets: Mapping[str, NetSpec],
  config: settings.DrQConfig,
  action_size: int,
  *,
  slots: int = 0,
) -> base.Agent:
  """The agent on the networks of `networks.pixels`; see `sac.make`."""
  num_values = config.value_augmentations
  num_targets = config.target_augmentations

  def shifted(keys, images, stream):
    keys = jax.vmap(jax.random.fold_in, in_axes=(0, None))(
      keys, _SHIFTS + stream
    )
    return random_shift(keys, images, config.shift)

  def views(keys, batch):
    return tuple(
      shifted(keys, batch.s_tm1, m) for m in range(num_values)
    ), tuple(
      shifted(keys, batch.s_t, num_values + k) for k in range(num_targets)
    )

  sight = sac.ObservationViews(
    lambda critic, images: pixels.encode(
      nets['critic'].network, critic, images
    ),
    views,
    num_targets,
  )
  return sac.make(nets, config, action_size, slots=slots, sight=sight)
