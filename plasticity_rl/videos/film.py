"""Films of saved runs: the greedy agent of one seed, at one checkpoint."""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import jax

from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import trainer_builder
from plasticity_rl.training.trainer import AXES
from plasticity_rl.types import TrainState
from plasticity_rl.videos import episodes as episodes_lib
from plasticity_rl.videos import gif
from plasticity_rl.videos import pictures

_MILLISECONDS = 70  # A picture; longer for boards of few steps.
_BOARD_MILLISECONDS = 150
_PAUSE = 6  # How often the last picture of an episode is shown.


class Film(NamedTuple):
  """A film.

  Attributes:
    gif: the file.
    seed: whose agent is seen.
    step: of the checkpoint.
    returns: of each episode, as far as it was played.
  """

  gif: bytes
  seed: int
  step: int
  returns: tuple[float, ...]


@process.settled()
def take(
  folder: pathlib.Path,
  *,
  seed: int | None = None,
  step: int | None = None,
  episodes: int = 1,
  max_steps: int = 300,
) -> Film:
  """Plays a checkpoint's agent greedily in the task that it is at.

  Args:
    folder: of a run.
    seed: of the run; the first one by default.
    step: of a checkpoint; the newest one by default.
    episodes: how many, one after the other.
    max_steps: after which an episode is left.

  Raises:
    UserError: the folder is no run or has no such checkpoint or seed, or the
      environment has no picture.
  """
  settings = _settings(folder)
  _refuse_early(settings)
  index = _index(settings, seed)
  checkpoints = Checkpoints(folder)
  step = checkpoints.newest() if step is None else step
  if step is None:
    raise UserError(f'there is no checkpoint in {folder}')
  checkpoints.meta(step)  # Refuses a step without one.
  experiment = experiment_lib.build(settings)
  task: Any = settings.environment
  seen = experiment.trainer.batch.s_tm1
  paint = pictures.painter(task, seen.shape[1:], seen.dtype)
  restored, _ = checkpoints.restore(step, experiment)
  state = _of_seed(experiment.trainer.to_checkpoint(restored), index)
  options = {'episodes': episodes, 'max_steps': max_steps}
  if isinstance(task, settings_lib.HostEnvironmentConfig):
    played = episodes_lib.on_host(settings, experiment.agent, state, **options)
  else:
    environment = trainer_builder.build_environment(settings)
    played = episodes_lib.on_device(
      environment, experiment.agent, state, **options
    )
  images, returns = [], []
  for episode in played:
    for t, one in enumerate(episode):
      picture = paint(one.state, one.observation)
      text = f'step {t}   return {one.episode_return:.4g}'
      images.append(gif.captioned(picture, text))
    images += [images[-1]] * _PAUSE
    returns.append(episode[-1].episode_return)
  few = len(images) < 100
  file = gif.encode(images, _BOARD_MILLISECONDS if few else _MILLISECONDS)
  return Film(file, settings.seed + index, step, tuple(returns))


def _settings(folder: pathlib.Path) -> settings_lib.Settings:
  """The settings of a run, on one device."""
  settings = settings_lib.resolve(run_folder.read_config(folder))
  return dataclasses.replace(settings, parallel='none', devices=0)


def _refuse_early(settings: settings_lib.Settings) -> None:
  """Refuses what has no picture before anything is built."""
  kinds = settings_lib.EnvironmentConfig, settings_lib.HostEnvironmentConfig
  name = settings.environment.name
  is_state = name.startswith('dmc_') and not name.startswith('dmc_pixels_')
  if not isinstance(settings.environment, kinds) or is_state:
    raise pictures.no_picture(name)


def _index(settings: settings_lib.Settings, seed: int | None) -> int:
  first, count = settings.seed, settings.num_seeds
  index = 0 if seed is None else seed - first
  if not 0 <= index < count:
    raise UserError(
      f'--seed must be one of the run, {first} to {first + count - 1}: {seed}'
    )
  return index


def _of_seed(state: TrainState, index: int) -> TrainState:
  """The state of one seed, without its replay."""
  state = state._replace(replay=())
  return TrainState(
    *(
      part if axis is None else jax.tree.map(lambda x: x[index], part)
      for part, axis in zip(state, AXES, strict=True)
    )
  )
