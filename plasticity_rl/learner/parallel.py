"""One program on one device, or spread over many: the only file with `pmap`.

There are two ways to spread a run over D devices.

*Seeds*: each device trains S / D of the seeds, `vmap` inside `pmap`, and never
talks to another. Arrays are as on one device, `[S, ...]`.

*Data*: each device learns from B / D examples of every batch, and gradients are
averaged (`shard.Shard`). Networks, keys and counters are the same on all
devices. What differs between devices, such as environments and replays, has a
leading axis of this host's devices, `[D, ...]`.

On many hosts every process runs this same program. Of the mapped axis each
passes the part of its own devices and gets that part back, so that all arrays
of a process are its own. With *seeds* a process knows its own seeds alone
(`Layout.own_settings`).
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.experimental import multihost_utils

from plasticity_rl import hosts
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.learner import ahead
from plasticity_rl.shard import Shard

AXIS = 'devices'


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
      self, function: Callable[..., Any], *, seeds: Axes | None = None,
      data: Axes | None = None, donate: tuple[int, ...] = (),
      static: tuple[int, ...] = (),
  ) -> Callable[..., Any]:
    """Compiles a function of a group of seeds and a share of the data.

    It can be called with shapes, to be compiled ahead: see `ahead`.

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
            functools.partial(function, *chosen), seeds=seeds, data=data,
            donate=rest,
        )

      count = len(static)
      return lambda *args: compiled(*args[:count])(*args[count:])
    if self.mode == 'seeds' and seeds is not None:
      spread = self._block(jax.jit(
          self._by_group(function, seeds), donate_argnums=donate
      ))
    elif self.mode == 'data' and data is not None:
      spread = self._block(self._by_share(function, data, donate))
    else:
      spread = jax.jit(function, donate_argnums=donate)
    return ahead.program(spread)

  def _by_group(self, function, axes):
    """`pmap` over groups of seeds, on arrays with one axis of seeds."""
    count = len(self.local)
    spread = jax.pmap(
        function, in_axes=axes.inputs, out_axes=axes.outputs,
        devices=self.local,
    )

    def split(axis, tree):
      if axis is None:
        return tree
      return jax.tree.map(
          lambda x: x.reshape(count, x.shape[0] // count, *x.shape[1:]), tree
      )

    def join(axis, tree):
      if axis is None:
        return tree
      return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), tree)

    return lambda *args: _over(
        join, axes.outputs, spread(*_over(split, axes.inputs, args))
    )

  def _by_share(self, function, axes, donate):
    """`pmap` over shares of the data; what all share stays on all devices."""
    # One more argument, as there may be none that differs between devices.
    spread = jax.pmap(
        lambda _, *args: function(*args), AXIS, in_axes=(0, *axes.inputs),
        out_axes=axes.outputs, devices=self.devices,
        donate_argnums=tuple(i + 1 for i in donate),
    )
    numbers = self.place(0, np.arange(len(self.local)))

    def placed(args):
      return numbers, *_over(self.place, axes.inputs, args)

    def run(*args):
      return spread(*placed(args))

    run.lower = lambda *args: spread.lower(*placed(args))
    return run

  def _block(self, function):
    """Waits for each call where devices are threads of one CPU.

    Programs that are queued on them take threads from those that they wait
    for: collectives may then wait for ever.
    """
    if self.devices[0].platform != 'cpu' or len(self.devices) == 1:
      return function

    @functools.wraps(function, updated=())
    def blocked(*args):
      result = function(*args)
      if not any(isinstance(x, jax.core.Tracer) for x in jax.tree.leaves(args)):
        jax.block_until_ready(result)
      return result

    blocked.lower = function.lower
    return blocked

  def place(self, axis: int | None, tree: Any) -> Any:
    """Arrays on this process's devices: shares along `axis`, or all on all."""
    spec = () if axis is None else (*[None] * axis, AXIS)
    sharding = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(self.local), (AXIS,)),
        jax.sharding.PartitionSpec(*spec),
    )
    if ahead.are_shapes(tree):
      return jax.tree.map(lambda x: x.update(sharding=sharding), tree)
    # What the update before returned is there: looking costs less than putting.
    if all(
        getattr(x, 'sharding', None) == sharding for x in jax.tree.leaves(tree)
    ):
      return tree
    return jax.device_put(tree, sharding)

  def on_one(self, tree: Any) -> Any:
    """What is the same on all devices, on the first one of this process."""
    if self.mode != 'data':
      return tree

    def one(x):
      if isinstance(x, jax.Array):
        return x.addressable_data(0)
      if isinstance(x, jax.ShapeDtypeStruct) and x.sharding is not None:
        return x.update(
            shape=x.sharding.shard_shape(x.shape),
            sharding=jax.sharding.SingleDeviceSharding(self.local[0]),
        )
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
  def sharers(self) -> int:
    """Hosts that share every seed's data; 1 where each has its own seeds."""
    return self.num_hosts if self.mode == 'data' else 1

  def own_settings(
      self, settings: settings_lib.Settings
  ) -> settings_lib.Settings:
    """Settings with the seeds that this process trains."""
    if self.mode != 'seeds' or self.num_hosts == 1:
      return settings
    num_seeds = settings.num_seeds * len(self.local) // len(self.devices)
    return dataclasses.replace(
        settings, seed=settings.seed + self.first_seed(num_seeds),
        num_seeds=num_seeds,
    )

  def first_seed(self, num_seeds: int) -> int:
    """Where the `num_seeds` of this process begin among all."""
    if self.mode != 'seeds' or self.num_hosts == 1:
      return 0
    return self.own_parts.start * num_seeds // len(self.local)

  def gathered(self, tree: Any) -> Any:
    """`[S, N, ...]` in numpy of hosts that share, joined along N on all."""
    if self.sharers == 1:
      return tree
    return jax.tree.map(
        lambda x: np.moveaxis(x, 0, 1).reshape(
            x.shape[1], -1, *x.shape[3:]
        ), multihost_utils.process_allgather(tree),
    )

  def __str__(self) -> str:
    """For example '4 devices (data) on 2 hosts'."""
    if self.mode == 'none':
      return '1 device'
    many = f' on {self.num_hosts} hosts' if self.num_hosts > 1 else ''
    return f'{len(self.devices)} devices ({self.mode}){many}'


def _over(function, axes, tree):
  """`function(axis, subtree)` for each axis of a prefix of the tree."""
  return jax.tree.map(function, axes, tree, is_leaf=lambda x: x is None)


ONE = Layout('none', (None,))


def choose(settings: settings_lib.Settings) -> Layout:
  """The layout that a config asks for; refuses what does not divide."""
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
        f'config.devices must be 0 on many hosts, for all {len(devices)}: '
        f'{asked}'
    )
  # In the order of processes, as the mapped axis is.
  devices = sorted(devices, key=lambda d: (d.process_index, d.id))
  devices = tuple(devices[:asked or len(devices)])
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
          'replay.batch_size', settings.replay.batch_size, count,
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
