"""What each of several hosts has of a run, and what all of them know.

With *seeds*, a host has its seeds: the leading axis of everything. With *data*
it has environments and a replay of its own, or a part of them; networks, keys
and counters are the same on all. What the run as a whole is like is what one
host would have: metrics of all seeds, a checkpoint's arrays.

Decisions are made of `metrics` and nothing else, so that they are the same
everywhere: interventions happen, and programs are compiled anew, at the same
step on all hosts.
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
  """The parts of one run.

  Attributes:
    layout: how it is spread.
    axes: which axes of a portable state hosts have parts of, a prefix of it;
      None for what is the same on all.
  """

  layout: parallel.Layout = parallel.ONE
  axes: TrainState = trainer_lib.REPLICATED_AXES

  def by_leaf(self, state: TrainState) -> TrainState:
    """The axis of each leaf of a portable state; -1 for none."""
    return jax.tree.map(
      lambda axis, tree: jax.tree.map(
        lambda _: -1 if axis is None else axis, tree
      ),
      self.axes,
      state,
      is_leaf=lambda x: x is None,
    )

  def whole(self, shapes: TrainState) -> TrainState:
    """Shapes of all seeds, of a host's."""
    if not self.layout.hosts_have_seeds:
      return shapes
    return self._over_seeds(
      lambda x: jax.ShapeDtypeStruct(
        (x.shape[0] * self.layout.num_hosts, *x.shape[1:]), x.dtype
      ),
      shapes,
    )

  def own_seeds(self, state: TrainState) -> TrainState:
    """A host's seeds, of all."""
    if not self.layout.hosts_have_seeds:
      return state
    return self._over_seeds(self.seeds, state)

  def _over_seeds(self, function, state):
    changed = jax.tree.map(function, state._replace(counters=()))
    return changed._replace(counters=state.counters)

  def seeds(self, all_seeds: np.ndarray) -> np.ndarray:
    """This host's of an array of all seeds `[S, ...]`."""
    if not self.layout.hosts_have_seeds:
      return all_seeds
    each = all_seeds.shape[0] // self.layout.num_hosts
    return all_seeds[self.layout.host * each :][:each]

  def metrics(self, metrics: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Metrics of all seeds `[S]`, the same on every host.

    With *data* they are those of the first host: the others' may differ in
    the last bits, where processors differ.
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


def of_trainer(
  made: trainer_lib.Trainer, layout: parallel.Layout
) -> HostPartition:
  """The parts of a run with this trainer."""
  if layout.num_hosts == 1:
    return HostPartition(layout)
  return HostPartition(
    layout, trainer_lib.AXES if layout.hosts_have_seeds else made.host_axes
  )


def load_own_seeds(
  load: Callable[..., TrainState], parts: HostPartition
) -> Callable[..., TrainState]:
  """A trainer's `load`, from arrays of all seeds."""
  return lambda state, folder: load(parts.own_seeds(state), folder)
