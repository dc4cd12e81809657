"""The partition of a run over several hosts.

With `parallel='seeds'`, each host has some of the seeds, the leading axis of
all arrays. With `parallel='data'`, each host has its own environments and
replay; networks, keys and counters are the same on all hosts. The metrics of
the run and the arrays of a checkpoint are those of all hosts, as if there were
a single one.

All decisions depend only on `HostPartition.metrics`, which is the same on all
hosts. So an intervention happens at the same step on all of them.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import parallel
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.types import TrainState


class HostPartition(NamedTuple):
  """The partition of one run.

  Attributes:
    layout: the layout of seeds and batches over devices.
    axes: for each part of the state, in the form of a checkpoint, the axis that
      is divided over hosts, or None if it is the same on all hosts; a prefix of
      the state.
  """

  layout: parallel.Layout = parallel.ONE
  axes: TrainState = trainer_lib.REPLICATED_AXES

  def leaf_axes(self, state: TrainState) -> TrainState:
    """The divided axis of each leaf of a checkpoint; -1 for none."""
    return jax.tree.map(
      lambda axis, tree: jax.tree.map(
        lambda _: -1 if axis is None else axis, tree
      ),
      self.axes,
      state,
      is_leaf=lambda x: x is None,
    )

  def global_shapes(self, shapes: TrainState) -> TrainState:
    """Shapes for all hosts, from the shapes of this host's seeds."""
    if not self.layout.hosts_have_seeds:
      return shapes
    return self._over_seeds(
      lambda x: jax.ShapeDtypeStruct(
        (x.shape[0] * self.layout.num_hosts, *x.shape[1:]), x.dtype
      ),
      shapes,
    )

  def local_state(self, state: TrainState) -> TrainState:
    """Selects the seeds of this host from a state of all seeds."""
    if not self.layout.hosts_have_seeds:
      return state
    return self._over_seeds(self.local_seeds, state)

  def _over_seeds(self, function, state):
    changed = jax.tree.map(function, state._replace(counters=()))
    return changed._replace(counters=state.counters)

  def local_seeds(self, all_seeds: np.ndarray) -> np.ndarray:
    """Selects the seeds of this host from an array of all, `[S, ...]`."""
    if not self.layout.hosts_have_seeds:
      return all_seeds
    each = all_seeds.shape[0] // self.layout.num_hosts
    return all_seeds[self.layout.host * each :][:each]

  def metrics(self, metrics: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Gathers metrics of all seeds, `[S]`; equal on every host.

    With `parallel='data'`, they are the metrics of the first host. On other
    processors their last bits may differ.

    Args:
      metrics: metrics of this host's seeds.
    """
    metrics = {k: np.asarray(v) for k, v in metrics.items()}
    if self.layout.num_hosts == 1:
      return metrics
    lists = {k: v.tolist() for k, v in metrics.items()}
    if not self.layout.hosts_have_seeds:
      return _arrays(hosts.broadcast_object('metrics', lists))
    of_hosts = map(_arrays, hosts.all_gather_object('metrics', lists))
    return {
      k: np.concatenate(values) for k, values in _by_name(of_hosts).items()
    }


def _arrays(lists):
  return {k: np.array(v) for k, v in lists.items()}


def _by_name(dicts):
  found: dict[str, list[np.ndarray]] = {}
  for one in dicts:
    for name, value in one.items():
      found.setdefault(name, []).append(value)
  return found


def make(
  trainer: trainer_lib.Trainer, layout: parallel.Layout
) -> HostPartition:
  """The partition of a run with this trainer."""
  if layout.num_hosts == 1:
    return HostPartition(layout)
  return HostPartition(
    layout, trainer_lib.AXES if layout.hosts_have_seeds else trainer.host_axes
  )


def load_local_seeds(
  load: Callable[..., TrainState], partition: HostPartition
) -> Callable[..., TrainState]:
  """Makes a trainer's `load` take arrays of all seeds."""
  return lambda state, folder: load(partition.local_state(state), folder)
