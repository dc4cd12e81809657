"""How a run is spread over devices: one, or many by seeds or by data.

There are two ways to spread a run over D devices.

*Seeds*: each device trains S / D of the seeds, `vmap` inside `pmap`, and never
talks to another. Arrays are as on one device, `[S, ...]`.

*Data*: each device learns from B / D examples of every batch, and gradients are
averaged (`shard.Shard`). Networks, keys and counters are the same on all
devices. What differs between devices, such as environments and replays, has a
leading axis of this host's devices, `[D, ...]`.

On many hosts every process runs this same program, on arrays that are its own.
With *seeds* a process knows its own seeds alone (`Layout.own_settings`).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import pmap
from plasticity_rl.distributed.placement import AXIS
from plasticity_rl.distributed.placement import Placement
from plasticity_rl.errors import UserError
from plasticity_rl.shard import Shard


class Axes(NamedTuple):
  """Which axes of arguments and results are spread over devices.

  As in `vmap`: numbers, and None for what is the same on all devices.
  """

  inputs: tuple[Any, ...]
  outputs: Any


@dataclasses.dataclass(frozen=True)
class Layout:
  """How a run is spread.

  Attributes:
    mode: 'none', 'data' or 'seeds'.
    devices: all of them, those of one process beside one another.
  """

  mode: str
  devices: tuple[jax.Device, ...]

  @property
  def shard(self) -> Shard:
    """The share of a batch that a device has."""
    return Shard(AXIS, len(self.devices)) if self.mode == 'data' else Shard()

  @functools.cached_property
  def local(self) -> tuple[jax.Device, ...]:
    """The devices of this process."""
    me = jax.process_index()
    return tuple(d for d in self.devices if d.process_index == me)

  def jit(
    self,
    function: Callable[..., Any],
    *,
    seeds: Axes | None = None,
    data: Axes | None = None,
    donate: tuple[int, ...] = (),
    static: tuple[int, ...] = (),
  ) -> Callable[..., Any]:
    """Compiles a function of a group of seeds and a share of the data.

    Args:
      function: what every device does.
      seeds: the axes of seeds. In this mode a function sees S / D of them.
      data: the axes of devices, if the function takes shares of the data; it
        then runs on one device alone otherwise.
      donate: numbers of arguments whose buffers may be used again.
      static: numbers of the first arguments, which choose the program.
    """
    if static:
      rest = tuple(i - len(static) for i in donate)

      @functools.cache
      def compiled(*chosen):
        return self.jit(
          functools.partial(function, *chosen),
          seeds=seeds,
          data=data,
          donate=rest,
        )

      count = len(static)
      return lambda *args: compiled(*args[:count])(*args[count:])
    if self.mode == 'seeds' and seeds is not None:
      spread = pmap.over_seeds(function, self._placement, *seeds, donate)
    elif self.mode == 'data' and data is not None:
      spread = pmap.over_data(
        function, self._placement, self.devices, *data, donate
      )
    else:
      return jax.jit(function, donate_argnums=donate)
    return pmap.blocking(spread) if self.must_block else spread

  @property
  def must_block(self) -> bool:
    """Whether a call of a compiled function waits for its results.

    Devices that are threads of one CPU have to: programs that are queued on
    them take threads from those that they wait for, and collectives may then
    wait for ever.
    """
    return self.devices[0].platform == 'cpu' and len(self.devices) > 1

  def place(self, axis: int | None, tree: Any) -> Any:
    """Puts arrays on this process's devices; see `Placement.place`."""
    return self._placement.place(axis, tree)

  @functools.cached_property
  def _placement(self):
    return Placement(self.local)

  def replicate(self, tree: Any) -> Any:
    """What many calls are given, where they all want it: placed once."""
    return self.place(None, tree) if self.mode == 'data' else tree

  def place_state(self, tree: Any, axes: Any) -> Any:
    """Networks, keys and the like where training leaves them.

    Args:
      tree: arrays that are anywhere.
      axes: of seeds, a prefix of the tree.
    """
    if self.mode == 'seeds':
      return self._placement.place_prefix(axes, tree)
    if self.mode == 'data':
      return jax.device_put(tree, self.local[0])
    return tree

  def to_first_device(self, tree: Any) -> Any:
    """What is the same on all devices, on the first one of this process."""
    if self.mode != 'data':
      return tree

    def one(x):
      if isinstance(x, jax.Array):
        return x.addressable_data(0)
      return x

    return jax.tree.map(one, tree)

  @property
  def own_parts(self) -> slice:
    """Which of the parts of all devices are this process's."""
    first = self.devices.index(self.local[0])
    return slice(first, first + len(self.local))

  # --- Many hosts ---

  @property
  def num_hosts(self) -> int:
    """Processes that the devices are of."""
    if self.mode == 'none':
      return 1
    return len({device.process_index for device in self.devices})

  @property
  def host(self) -> int:
    """Which of them this process is."""
    return jax.process_index() if self.num_hosts > 1 else 0

  @property
  def hosts_have_seeds(self) -> bool:
    """Whether there are several hosts, each with seeds of its own."""
    return self.mode == 'seeds' and self.num_hosts > 1

  @property
  def sharers(self) -> int:
    """Hosts that share every seed's data; 1 where each has its own seeds."""
    return self.num_hosts if self.mode == 'data' else 1

  def own_settings(
    self, settings: settings_lib.Settings
  ) -> settings_lib.Settings:
    """Settings with the seeds that this process trains."""
    if not self.hosts_have_seeds:
      return settings
    num_seeds = settings.num_seeds * len(self.local) // len(self.devices)
    return dataclasses.replace(
      settings,
      seed=settings.seed + self.first_seed(num_seeds),
      num_seeds=num_seeds,
    )

  def first_seed(self, num_seeds: int) -> int:
    """Where the `num_seeds` of this process begin among all."""
    if not self.hosts_have_seeds:
      return 0
    return self.own_parts.start * num_seeds // len(self.local)

  def gathered(self, tree: Any) -> Any:
    """`[S, N, ...]` in numpy of hosts that share, joined along N on all."""
    if self.sharers == 1:
      return tree
    return jax.tree.map(
      lambda x: np.moveaxis(x, 0, 1).reshape(x.shape[1], -1, *x.shape[3:]),
      multihost_utils.process_allgather(tree),
    )

  def __str__(self) -> str:
    """For example '4 devices (data) on 2 hosts'."""
    if self.mode == 'none':
      return '1 device'
    many = f' on {self.num_hosts} hosts' if self.num_hosts > 1 else ''
    return f'{len(self.devices)} devices ({self.mode}){many}'


ONE = Layout('none', (None,))


def choose(settings: settings_lib.Settings) -> Layout:
  """The layout that a config asks for.

  Raises:
    UserError: there are too few devices, they belong to processes that this
      one has not joined, or neither seeds nor batches divide by their number.
  """
  devices = jax.devices()
  if jax.process_count() > hosts.count():  # A pod, of which we know nothing.
    raise UserError(
      f'these devices are of {jax.process_count()} processes: add '
      '--distributed=auto to the command on all of them'
    )
  asked, mode = settings.devices, settings.parallel
  if asked > len(devices):
    raise UserError(
      f'config.devices is {asked}, but there are {len(devices)} '
      f'({devices[0].platform})'
    )
  if asked and jax.process_count() > 1 and asked != len(devices):
    raise UserError(
      f'config.devices must be 0 on many hosts, for all {len(devices)}: {asked}'
    )
  # In the order of processes, as the mapped axis is.
  devices = sorted(devices, key=lambda d: (d.process_index, d.id))
  devices = tuple(devices[: asked or len(devices)])
  count = len(devices)
  if mode == 'none' and jax.process_count() > 1:
    raise UserError(
      f'config.parallel is "none", but there are {jax.process_count()} '
      'hosts: take "data", "seeds" or "auto"'
    )
  if mode == 'none' or count == 1:
    return Layout('none', (jax.local_devices()[0],))
  problems = {
    'seeds': _indivisible('num_seeds', settings.num_seeds, count),
    'data': _indivisible(
      'replay.batch_size',
      settings.replay.batch_size,
      count,
      settings.optimizer.microbatches,
    ),
  }
  for one in ('seeds', 'data') if mode == 'auto' else (mode,):
    if not problems[one]:
      return Layout(one, devices)
  if mode == 'auto':
    raise UserError(
      f'config.parallel: {count} devices can share neither seeds nor '
      f'batches: {problems["seeds"]}; {problems["data"]}'
      + ('; or set config.devices=1' if jax.process_count() == 1 else '')
    )
  raise UserError(f'config.parallel is "{mode}", but {problems[mode]}')


def _indivisible(name, value, count, parts=1):
  """Why `count` devices cannot share `value` things, and what would do.

  Each takes its share in so many parts; one device alone could.
  """
  each = count * parts
  if value % each == 0:
    return ''
  fewer = max(d for d in range(1, count) if value % (d * parts) == 0)
  near = sorted({value // each * each or each, -(-value // each) * each})
  times = f' times optimizer.microbatches ({parts})' if parts > 1 else ''
  # Of several hosts all devices take part.
  instead = f', or config.devices={fewer}' if jax.process_count() == 1 else ''
  return (
    f'config.{name} ({value}) is not a multiple of the {count} devices'
    f'{times}: take {" or ".join(map(str, near))}{instead}'
  )
