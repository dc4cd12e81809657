"""Shards the data of a run over devices that share batches."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl.distributed import parallel
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.types import TrainState


class ShardedData:
  """Shards and unshards the data of a state (environments and replay).

  Between segments, networks, keys and counters are on one device of each host,
  for events. The data stay on all devices: either they are sharded, with a
  leading axis of devices, or replicated. A checkpoint holds unsharded arrays,
  so another number of devices can continue from it.

  Attributes:
    is_sharded: whether the data are sharded; otherwise they are replicated.
  """

  def __init__(self, layout: parallel.Layout, is_sharded: bool):
    """Compiles nothing yet.

    Args:
      layout: the layout of seeds and batches over devices.
      is_sharded: see the class.
    """
    self._layout = layout
    self.is_sharded = is_sharded
    self._take_first = layout.jit(lambda env: jax.tree.map(lambda x: x[0], env))

  def jit(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of states, over seeds or devices.

    Args:
      function: `(state) -> (state, metrics)`.

    Returns:
      The compiled function, which donates its state.
    """
    axis = 0 if self.is_sharded else None
    state = TrainState(None, axis, axis, None, None, None)
    run = self._layout.jit(
      function,
      donate=(0,),
      seeds=parallel.Axes((trainer_lib.AXES,), (trainer_lib.AXES, 0)),
      data=parallel.Axes((state,), (state, None)),
    )
    if self._layout.mode != 'data':
      return run

    def run_and_collect(state):
      state, metrics = run(state)
      return (
        self._to_first_device(state),
        self._layout.to_first_device(metrics),
      )

    return run_and_collect

  def _to_first_device(self, state):
    return trainer_lib.with_data(
      self._layout.to_first_device(trainer_lib.without_data(state)), state
    )

  @property
  def host_axes(self) -> TrainState:
    """For each part of an unsharded state, the axis divided over hosts."""
    if self._layout.mode == 'data' and self.is_sharded:
      return TrainState(None, 2, 1, None, None, None)
    return trainer_lib.REPLICATED_AXES

  def first_environments(self, env: Any) -> Any:
    """The environments of the first device; all have the same task."""
    env = self._layout.to_first_device(env)
    return self._take_first(env) if self.is_sharded else env

  def shard(self, state: TrainState) -> TrainState:
    """Shards or replicates the data of an unsharded state."""
    if self._layout.mode != 'data':
      return state
    data = (state.env, state.replay)
    if not self.is_sharded:
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

  def unshard(self, state: TrainState) -> TrainState:
    """The inverse of `shard`, in NumPy, for the data of this host."""
    if self._layout.mode != 'data':
      return state
    data = (state.env, state.replay)
    if not self.is_sharded:
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
