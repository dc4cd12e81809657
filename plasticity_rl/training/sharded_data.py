"""Where the data of a run on the device are, if devices share batches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.distributed import parallel
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.types import TrainState


class ShardedData:
  """Shards the data of a state, and puts them together again.

  Between segments networks, keys and counters are on one device of each host,
  where events look at them and change them. Data stay where they are: either
  each device has a part, and arrays have a leading axis of devices, or all
  have the same. A checkpoint holds neither, but the arrays that one device
  would have: so it can go on on another number of devices.
  """

  def __init__(self, layout: parallel.Layout, are_apart: bool):
    self._layout = layout
    self.are_apart = are_apart
    self._first = layout.jit(lambda env: jax.tree.map(lambda x: x[0], env))

  def training(
    self, function: Callable[..., Any], metrics: bool = False
  ) -> Callable[..., Any]:
    """Compiles `(state) -> state`, or `(state, metrics)`; state is donated."""
    apart = 0 if self.are_apart else None
    state = TrainState(None, apart, apart, None, None, None)
    seeds = (trainer_lib.AXES, 0) if metrics else trainer_lib.AXES
    run = self._layout.jit(
      function,
      donate=(0,),
      seeds=parallel.Axes((trainer_lib.AXES,), seeds),
      data=parallel.Axes((state,), (state, None) if metrics else state),
    )
    if self._layout.mode != 'data':
      return run

    def with_events_on_first(state):
      result = run(state)
      if not metrics:
        return self._events_on_first(result)
      return self._events_on_first(result[0]), self._layout.to_first_device(
        result[1]
      )

    return with_events_on_first

  def _events_on_first(self, state):
    return trainer_lib.with_data(
      self._layout.to_first_device(trainer_lib.without_data(state)), state
    )

  @property
  def axes(self) -> TrainState:
    """Axes of a state `together` that hosts have parts of."""
    if self._layout.mode == 'data' and self.are_apart:
      return TrainState(None, 2, 1, None, None, None)
    return trainer_lib.REPLICATED_AXES

  def first(self, env: Any) -> Any:
    """Environments of one device: what they are at is the same on all."""
    env = self._layout.to_first_device(env)
    return self._first(env) if self.are_apart else env

  def apart(self, state: TrainState) -> TrainState:
    """A state of one device, with its data shared out."""
    if self._layout.mode != 'data':
      return state
    data = (state.env, state.replay)
    if not self.are_apart:
      env, replay = self._layout.place(None, data)
      return state._replace(env=env, replay=replay)
    count, parts = self._layout.shard.count, self._layout.own_parts

    def cut(axis, tree):
      def one(x):
        x = x.reshape(
          *x.shape[:axis], count, x.shape[axis] // count, *x.shape[axis + 1 :]
        )
        return jnp.moveaxis(x, axis, 0)[parts]

      return jax.tree.map(one, tree)

    env, replay = self._layout.place(0, (cut(1, data[0]), cut(2, data[1])))
    return state._replace(env=env, replay=replay)

  def together(self, state: TrainState) -> TrainState:
    """The inverse of `apart`, in this host's memory: of many, its part."""
    if self._layout.mode != 'data':
      return state
    data = (state.env, state.replay)
    if not self.are_apart:
      env, replay = self._layout.to_first_device(data)
      return state._replace(env=env, replay=replay)

    def joined(axis, tree):
      def one(x):
        x = np.moveaxis(np.asarray(x), 0, axis)
        return x.reshape(
          *x.shape[:axis],
          x.shape[axis] * x.shape[axis + 1],
          *x.shape[axis + 2 :],
        )

      return jax.tree.map(one, tree)

    return state._replace(env=joined(1, data[0]), replay=joined(2, data[1]))
