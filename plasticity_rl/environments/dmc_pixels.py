"""The DeepMind Control Suite from images.

Hafner et al., "Learning Latent Dynamics for Planning from Pixels", 2019
  (PlaNet): action repeats.
Yarats et al., "Image Augmentation Is All You Need", 2021 (DrQ): 84x84
  images, three of them stacked, the camera behind the quadruped.
"""

import numpy as np

from plasticity_rl.environments import dmc
from plasticity_rl.environments import rendering
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.environments.threaded import ThreadedEnv
from plasticity_rl.environments.vector import FrameStack
from plasticity_rl.environments.vector import SyncVectorEnv
from plasticity_rl.errors import UserError


class PixelEnv(dmc.StateEnv):
  """One task, observed as an RGB image, uint8 `[size, size, 3]`.

  Raises:
    UserError: the model has no such camera.
  """

  def __init__(
    self, domain: str, task: str, *, size: int, camera: int, fast: bool
  ):
    super().__init__(domain, task)
    # These take effect when the context is made, with the first image.
    visual = self.physics.model.vis
    # A framebuffer no larger than the image is cleared faster; images stay the
    # same to the bit.
    visual.global_.offwidth = visual.global_.offheight = size
    if fast:
      visual.quality.offsamples = visual.quality.shadowsize = 0
    cameras = self.physics.model.ncam
    if not -1 <= camera < cameras:
      raise UserError(
        f'camera {camera}: dmc_pixels of {domain} has cameras 0 to '
        f'{cameras - 1}, and -1, which is free'
      )
    from dm_control.mujoco import engine

    # `physics.render` would make one for every image, which takes longer than
    # drawing a fast image.
    self._camera = engine.Camera(self.physics, size, size, camera)

  def observe(self) -> np.ndarray:
    return self._camera.render()

  def close(self) -> None:
    self._camera.scene.free()
    super().close()


def make(
  domain: str,
  task: str,
  num_envs: int,
  *,
  size: int,
  stack_frames: int,
  camera: int,
  fast_rendering: str,
  action_repeat: int,
  max_episode_steps: int,
) -> ThreadedEnv:
  """Builds environments of one task, observed as stacks of images.

  Args:
    domain: such as 'cheetah'.
    task: such as 'run'.
    num_envs: N.
    size: height and width.
    stack_frames: images in a stack, on the last axis, newest last.
    camera: number of the model's camera.
    fast_rendering: 'on' draws without multi-sampling and shadows: several times
      faster in software, and slightly different images; 'off' draws with both;
      'auto' is 'on' for a software renderer and 'off' on a GPU.
    action_repeat: steps of the suite for each decision.
    max_episode_steps: as in `dmc.make`.

  Returns:
    The environments, uint8 `[N, size, size, 3 * stack_frames]`, in a separate
    thread, because an OpenGL context belongs to one thread.

  Raises:
    MissingDependencyError: dm_control or a renderer is missing.
    UserError: the model has no such camera, or MUJOCO_GL names a renderer that
      does not work here.
  """
  rendering.load_suite()
  rendering.require_renderer()
  fast = fast_rendering == 'on' or (
    fast_rendering == 'auto' and rendering.is_software()
  )

  def build() -> SyncVectorEnv:
    envs = [
      PixelEnv(domain, task, size=size, camera=camera, fast=fast)
      for _ in range(num_envs)
    ]
    spaces = Spaces(
      (size, size, 3 * stack_frames),
      np.uint8,
      Continuous(envs[0].num_actions),
    )
    return SyncVectorEnv(
      [FrameStack(env, stack_frames) for env in envs],
      spaces,
      return_range=dmc.RETURN_RANGE,
      range_frames=dmc.EPISODE_STEPS,
      action_repeat=action_repeat,
      max_episode_steps=max_episode_steps,
    )

  return ThreadedEnv(build)
