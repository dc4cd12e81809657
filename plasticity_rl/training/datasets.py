"""Data sources of supervised learning: a step is one update."""

import pathlib
import zipfile
import zlib
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents import supervised
from plasticity_rl.agents.base import Agent
from plasticity_rl.errors import UserError
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training.data_source import DataSource
from plasticity_rl.training.data_source import Metrics
from plasticity_rl.types import Counters
from plasticity_rl.types import Key
from plasticity_rl.types import Transition


class Labelled(NamedTuple):
  """A data set: inputs `[N, F]` and labels int32 `[N]`."""

  inputs: jax.Array
  labels: jax.Array


class _DataSet(DataSource):
  """Base of data sets: a row is one update, and data are always ready."""

  def advance(self, counters: Counters) -> Counters:
    """See `DataSource`."""
    return counters._replace(step=counters.step + 1)

  def ready(self, counters: Counters) -> jax.Array:
    """See `DataSource`."""
    del counters
    return jnp.array(True)


class RandomLabels(_DataSet):
  """Memorising random labels. Every task has new labels.

  Lyle et al., "Understanding Plasticity in Neural Networks", 2023. The return
  is minus the cross-entropy on the whole data set. Evaluate it at the end of
  each task.
  """

  def __init__(
    self,
    agent: Agent,
    settings: settings_lib.Settings,
    shard: Shard = UNSHARDED,
  ):
    """Stores the arguments; `init` draws the data.

    Args:
      agent: the agent to evaluate.
      settings: settings of the run.
      shard: this device's part of each batch.
    """
    self._agent, self._settings, self._shard = agent, settings, shard
    self._task = settings.environment
    # From uniform guessing to knowing all labels.
    self.return_range = (-float(jnp.log(self._task.classes)), 0.0)

  def on(self, shard: Shard) -> Self:
    """See `DataSource`."""
    return type(self)(self._agent, self._settings, shard)

  def init(self, key: Key) -> tuple[Labelled, Any]:
    """See `DataSource`; there is no replay."""
    inputs_key, labels_key = jax.random.split(key)
    inputs = jax.random.normal(
      inputs_key, [self._task.examples, self._task.input_size]
    )
    return Labelled(inputs, self._draw_labels(labels_key)), ()

  def collect(
    self, key: Key, nets: Any, env: Labelled, replay: Any, counters: Counters
  ) -> tuple[Labelled, Any, Metrics]:
    """See `DataSource`. Draws new labels when the task changes."""
    del nets
    switch_every = self._task.switch_every_steps
    if switch_every:
      labels = jax.lax.cond(
        (counters.step > 0) & (counters.step % switch_every == 0),
        lambda: self._draw_labels(key),
        lambda: env.labels,
      )
      env = env._replace(labels=labels)
    return env, replay, {}

  def sample(
    self,
    key: Key,
    env: Labelled,
    replay: Any,
    counters: Counters,
    batch_size: int | None = None,
  ) -> Transition:
    """See `DataSource`."""
    del replay, counters
    count = batch_size or self._settings.replay.batch_size
    return _examples(key, env.inputs, env.labels, count, self._shard)

  def evaluate(self, key: Key, nets: Any, env: Labelled) -> Metrics:
    """See `DataSource`. On the whole data set; also 'eval/accuracy'."""
    logits = self._agent.act_greedily(key, nets, env.inputs)
    loss = supervised.cross_entropy(logits, env.labels).mean()
    correct = jnp.argmax(logits, -1) == env.labels
    return {
      'eval/return': -loss,
      'eval/accuracy': correct.mean(),
      'eval/steps': jnp.array(self._task.examples, jnp.float32),
    }

  def _draw_labels(self, key):
    return jax.random.randint(key, [self._task.examples], 0, self._task.classes)


def _examples(key, inputs, targets, count, shard):
  """This device's part of a batch of `count` inputs with their targets."""
  index = shard.of(jax.random.randint(key, [count], 0, len(inputs)))
  zeros = jnp.zeros(index.shape)
  return Transition(inputs[index], targets[index], zeros, zeros, inputs[index])


# Errors of NumPy for a file that is empty, damaged, or a single array.
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
  """Recorded observations of R runs with their Monte-Carlo values.

  Attributes:
    inputs: N observations at each of T points of each run, `[R, T, N, ...]`.
    values: their values, `[R, T, N]`.
  """

  inputs: np.ndarray
  values: np.ndarray


def load(path: str) -> Recording:
  """Reads a recording.

  Raises:
    UserError: the file is not a recording.
  """
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


class RecordedValues(_DataSet):
  """Fitting recorded values. Every point of a run is one task.

  At its start, a seed draws one of the recorded runs. It fits the points of
  this run in order, each for `switch_every_steps` steps. Values are normalised
  by their mean and standard deviation over all runs and points, so the constant
  mean has an error of 1. `eval/unexplained` is the error divided by the
  variance of the values of the current task.
  """

  return_range = (-1.0, 0.0)

  def __init__(
    self,
    agent: Agent,
    settings: settings_lib.Settings,
    recording: Recording,
    shard: Shard = UNSHARDED,
  ):
    """Puts the recording on the device.

    Args:
      agent: the agent to evaluate.
      settings: settings of the run.
      recording: the values to fit.
      shard: this device's part of each batch.
    """
    self._agent, self._settings, self._shard = agent, settings, shard
    self._recording = recording
    values = recording.values
    scale, mean = float(values.std()), float(values.mean())
    self._inputs = jnp.asarray(recording.inputs)
    self._values = jnp.asarray((values - mean) / scale, jnp.float32)

  def on(self, shard: Shard) -> Self:
    """See `DataSource`."""
    return type(self)(self._agent, self._settings, self._recording, shard)

  def init(self, key: Key) -> tuple[dict[str, jax.Array], Any]:
    """See `DataSource`. Draws the run; there is no replay."""
    run = jax.random.randint(key, [], 0, len(self._values))
    return {'run': run, 'step': jnp.array(0, jnp.int32)}, ()

  def collect(
    self, key: Key, nets: Any, env: Any, replay: Any, counters: Counters
  ) -> tuple[Any, Any, Metrics]:
    """See `DataSource`. Stores the step, which determines the task."""
    del key, nets
    return {**env, 'step': counters.step}, replay, {}

  def sample(
    self,
    key: Key,
    env: Any,
    replay: Any,
    counters: Counters,
    batch_size: int | None = None,
  ) -> Transition:
    """See `DataSource`."""
    del replay
    # `counters` is from after the row; the task is that of the row.
    now = jnp.maximum(counters.step - 1, 0)
    count = batch_size or self._settings.replay.batch_size
    return _examples(key, *self._task(env['run'], now), count, self._shard)

  def evaluate(self, key: Key, nets: Any, env: Any) -> Metrics:
    """See `DataSource`. On all data of the task; also 'eval/unexplained'."""
    x, y = self._task(env['run'], env['step'])
    outputs = self._agent.act_greedily(key, nets, x)
    error = supervised.squared_error(outputs, y).mean()
    return {
      'eval/return': -error,
      'eval/unexplained': error / jnp.maximum(y.var(), 1e-8),
      'eval/steps': jnp.array(float(y.size)),
    }

  def _task(self, run, step):
    """Inputs `[N, ...]` and values `[N]` of the task at a step."""
    points = self._values.shape[1]
    every = self._settings.environment.switch_every_steps
    point = jnp.minimum(step // every, points - 1)
    return self._inputs[run, point], self._values[run, point]
