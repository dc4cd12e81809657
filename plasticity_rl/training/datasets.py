"""Data sets as sources: a step is an optimizer step, a return minus a loss."""

import pathlib
import zipfile
import zlib
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents import supervised
from plasticity_rl.agents.base import Agent
from plasticity_rl.errors import UserError
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training.rollout import DataSource
from plasticity_rl.types import Transition


class Labelled(NamedTuple):
  """A data set: inputs `[N, F]` and labels int32 `[N]`."""

  inputs: jax.Array
  labels: jax.Array


def random_labels(
  agent: Agent, settings: settings_lib.Settings, shard: Shard = UNSHARDED
) -> DataSource:
  """Memorising random labels, drawn again with every task.

  (Lyle et al., "Understanding Plasticity in Neural Networks", 2023.) A step is
  an optimizer step; the return is minus the cross-entropy on the whole data
  set, to be evaluated at the end of each task.
  """
  task = settings.environment
  batch = settings.replay.batch_size

  def draw_labels(key):
    return jax.random.randint(key, [task.examples], 0, task.classes)

  def init(key):
    inputs_key, labels_key = jax.random.split(key)
    inputs = jax.random.normal(inputs_key, [task.examples, task.input_size])
    return Labelled(inputs, draw_labels(labels_key)), ()

  def collect(key, nets, env, replay, counters):
    del nets
    if task.switch_every_steps:
      labels = jax.lax.cond(
        (counters.step > 0) & (counters.step % task.switch_every_steps == 0),
        lambda: draw_labels(key),
        lambda: env.labels,
      )
      env = env._replace(labels=labels)
    return env, replay, {}

  def sample(key, env, replay, counters, batch_size=None):
    del replay, counters
    return _examples(key, env.inputs, env.labels, batch_size or batch, shard)

  def evaluate(key, nets, env):
    logits = agent.act_greedily(key, nets, env.inputs)
    loss = supervised.cross_entropy(logits, env.labels).mean()
    correct = jnp.argmax(logits, -1) == env.labels
    return {
      'eval/return': -loss,
      'eval/accuracy': correct.mean(),
      'eval/steps': jnp.array(task.examples, jnp.float32),
    }

  return DataSource(
    init,
    collect,
    advance=lambda c: c._replace(step=c.step + 1),
    ready=lambda c: jnp.array(True),
    sample=sample,
    evaluate=evaluate,
    steps_per_row=1,
    # From guessing, whose loss is that of the uniform distribution, to all
    # labels known.
    return_range=(-float(jnp.log(task.classes)), 0.0),
  )


def _examples(key, inputs, wanted, count, shard):
  """A share of a batch of `count` inputs and what is wanted of them."""
  index = shard.of(jax.random.randint(key, [count], 0, len(inputs)))
  zeros = jnp.zeros(index.shape)
  return Transition(inputs[index], wanted[index], zeros, zeros, inputs[index])


# What numpy raises for a file that is empty, cut off, damaged or a lone array.
_NOT_READ = (
  OSError,
  KeyError,
  ValueError,
  EOFError,
  TypeError,
  zipfile.BadZipFile,
  zlib.error,
)


class Recording(NamedTuple):
  """States of runs with their Monte-Carlo values.

  Attributes:
    inputs: `[R, T, N, ...]`, of R runs at T points each.
    values: `[R, T, N]`.
  """

  inputs: np.ndarray
  values: np.ndarray


def load(path: str) -> Recording:
  """Reads a recording; refuses what is none."""
  try:
    # Opened here, as NumPy leaves open what it cannot read.
    with (
      pathlib.Path(path).open('rb') as opened,
      np.load(opened, allow_pickle=False) as file,
    ):
      found = Recording(file['inputs'], file['values'])
  except _NOT_READ as error:
    raise UserError(
      f'config.environment.path: {path!r} is not a recording of inputs and '
      f'values ({error})'
    ) from None
  if (
    found.values.ndim != 3
    or (found.inputs.shape[:3] != found.values.shape)
    or not np.issubdtype(found.values.dtype, np.number)
    or (not np.isfinite(found.values).all())
  ):
    raise UserError(
      f'config.environment.path: {path!r} must hold finite values [R, T, N] '
      f'and inputs [R, T, N, ...], not {found.values.shape} and '
      f'{found.inputs.shape}'
    )
  return found


def recorded_values(
  agent: Agent,
  settings: settings_lib.Settings,
  recording: Recording,
  shard: Shard = UNSHARDED,
) -> DataSource:
  """Fitting the values of one point of a run after another.

  A seed takes the points of one run, drawn at its start, each for
  `switch_every_steps` steps. The error is divided by the variance of the
  values over all runs and points, which are centred by their mean: 1 is that
  of the mean. `eval/unexplained` is the error over the variance of the task's
  own values.
  """
  steps = settings.environment.switch_every_steps
  batch = settings.replay.batch_size
  scale, mean = float(recording.values.std()), float(recording.values.mean())
  inputs = jnp.asarray(recording.inputs)
  values = jnp.asarray((recording.values - mean) / scale, jnp.float32)
  runs, points = values.shape[:2]

  def task(run, step):
    point = jnp.minimum(step // steps, points - 1)
    return inputs[run, point], values[run, point]

  def sample(key, env, replay, counters, batch_size=None):
    del replay
    # The data of the step that was just begun.
    now = jnp.maximum(counters.step - 1, 0)
    return _examples(key, *task(env['run'], now), batch_size or batch, shard)

  def collect(key, nets, env, replay, counters):
    del key, nets
    return {**env, 'step': counters.step}, replay, {}

  def evaluate(key, nets, env):
    x, y = task(env['run'], env['step'])
    outputs = agent.act_greedily(key, nets, x)
    error = supervised.squared_error(outputs, y).mean()
    return {
      'eval/return': -error,
      'eval/unexplained': error / jnp.maximum(y.var(), 1e-8),
      'eval/steps': jnp.array(float(y.size)),
    }

  return DataSource(
    init=lambda key: (
      {
        'run': jax.random.randint(key, [], 0, runs),
        'step': jnp.array(0, jnp.int32),
      },
      (),
    ),
    collect=collect,
    advance=lambda c: c._replace(step=c.step + 1),
    ready=lambda c: jnp.array(True),
    sample=sample,
    evaluate=evaluate,
    steps_per_row=1,
    return_range=(-1.0, 0.0),
  )
