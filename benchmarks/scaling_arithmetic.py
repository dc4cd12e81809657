"""The arithmetic of scale: rooflines, layouts, and what a study costs.

Plain numbers in, plain numbers out. Nothing is lost but what is counted here.
"""

import dataclasses

# Assumed, as no machine here could tell: of any accelerator. A call of a
# compiled function on a few small arrays, with its result back on the host;
# and what a collective takes beside its bytes.
CALL_SECONDS = 100e-6
COLLECTIVE_SECONDS = 10e-6


@dataclasses.dataclass(frozen=True)
class Chip:
  """An accelerator, as its vendor states it.

  Attributes:
    name: of the product.
    flops: peak FLOP/s of dense products in bfloat16.
    memory: bytes.
    bandwidth: of its memory, bytes/s.
    link: to other chips, bytes/s in one direction, all links together.
    source: where the vendor states it.
  """

  name: str
  flops: float
  memory: float
  bandwidth: float
  link: float
  source: str


@dataclasses.dataclass(frozen=True)
class Slice:
  """Chips, and the hosts that they are attached to.

  Attributes:
    name: of the slice.
    chip: what it is made of.
    chips: how many.
    hosts: how many machines.
    cpus: virtual processors of a host.
    memory: bytes of a host.
  """

  name: str
  chip: Chip
  chips: int
  hosts: int
  cpus: int
  memory: float

  @property
  def chips_per_host(self) -> int:
    """Chips attached to a host."""
    return self.chips // self.hosts


V4 = Chip(
  'TPU v4',
  275e12,
  32 * 2**30,
  1200e9,
  300e9,
  'Google Cloud documentation, "TPU v4"; links: Jouppi et al. 2023, '
  'six of 50 GB/s',
)
V5E = Chip(
  'TPU v5e',
  197e12,
  16 * 2**30,
  819e9,
  200e9,
  'Google Cloud documentation, "TPU v5e" (1600 Gbit/s)',
)
V5P = Chip(
  'TPU v5p',
  459e12,
  95 * 2**30,
  2765e9,
  600e9,
  'Google Cloud documentation, "TPU v5p" (4800 Gbit/s)',
)
H100 = Chip(
  'H100 SXM',
  989.4e12,
  80e9,
  3350e9,
  450e9,
  'NVIDIA, "H100 Tensor Core GPU" data sheet, dense; NVLink is 900 '
  'GB/s in both directions',
)
# v4-8 and v5p-256 count TensorCores, two a chip; v5e-64 counts chips.
SLICES = (
  Slice('v4-8', V4, 4, 1, 240, 407e9),
  Slice('v5e-64', V5E, 64, 16, 112, 192e9),
  Slice('v5p-256', V5P, 128, 32, 208, 448e9),
  Slice('8 x H100', H100, 8, 1, 208, 1872e9),
)


@dataclasses.dataclass(frozen=True)
class Work:
  """What an agent's training takes of a seed.

  FLOPs and bytes are lines in the size of the batch, `fixed + slope * B`.

  Attributes:
    name: of the agent and its config.
    batch: examples of an update, B.
    update_flops: (fixed, slope) of an update.
    update_bytes: (fixed, slope) of an update, as XLA counts what it accesses.
    least_bytes: (fixed, slope) if everything were fused: networks are read and
      written, the batch is read.
    act_flops: of one decision.
    act_bytes: of one decision.
    wire: bytes that an update's collectives return, on each device.
    collectives: of an update.
    updates_per_step: the replay ratio.
    steps: of a run, decisions of one seed.
    replay: bytes of a seed's replay on the host.
    steps_per_cpu: decisions that a virtual processor makes a second.
  """

  name: str
  batch: int
  update_flops: tuple[float, float]
  update_bytes: tuple[float, float]
  least_bytes: tuple[float, float]
  act_flops: float
  act_bytes: float
  wire: float
  collectives: int
  updates_per_step: float
  steps: int
  replay: float
  steps_per_cpu: float


def line(first: tuple[int, float], second: tuple[int, float]) -> tuple:
  """(fixed, slope) of the line through two points (B, value)."""
  (b1, y1), (b2, y2) = first, second
  slope = (y2 - y1) / (b2 - b1)
  return y1 - slope * b1, slope


def at(fixed_and_slope: tuple[float, float], batch: float) -> float:
  """The value of a line at B."""
  fixed, slope = fixed_and_slope
  return fixed + slope * batch


def roofline(flops: float, num_bytes: float, chip: Chip) -> float:
  """Seconds of a program: its products or its memory, whichever is slower."""
  return max(flops / chip.flops, num_bytes / chip.bandwidth)


def update_seconds(work: Work, chip: Chip, devices: int = 1) -> float:
  """Seconds of an update of one seed that `devices` chips share.

  All-reduce in a ring: each chip sends `2 (D - 1) / D` of the bytes.
  """
  share = work.batch / devices
  seconds = roofline(
    at(work.update_flops, share), at(work.update_bytes, share), chip
  )
  return seconds + wire_seconds(work, chip, devices)


def wire_seconds(work: Work, chip: Chip, devices: int) -> float:
  """Seconds of an update's collectives on so many chips."""
  if devices == 1:
    return 0.0
  sent = 2 * (devices - 1) / devices * work.wire
  return sent / chip.link + work.collectives * COLLECTIVE_SECONDS


def step_seconds(work: Work, chip: Chip, devices: int = 1) -> float:
  """Seconds of a chip for a decision of a seed and the updates due with it."""
  act = roofline(work.act_flops, work.act_bytes, chip)
  return act + work.updates_per_step * update_seconds(work, chip, devices)


def most_devices(batch: int, chips: int) -> int:
  """The most chips that can share a batch: they divide it."""
  return max(d for d in range(1, chips + 1) if batch % d == 0)


@dataclasses.dataclass(frozen=True)
class Rates:
  """Decisions a second of one program, by what would limit it.

  Attributes:
    chip: computing alone.
    cpus: environments alone, on the processors that are its share.
    calls: one row after another: environments step, then the agent is called.
  """

  chip: float
  cpus: float
  calls: float

  @property
  def lowest(self) -> float:
    """What is left."""
    return min(self.chip, self.cpus, self.calls)

  @property
  def limit(self) -> str:
    """Which it is."""
    return min(dataclasses.asdict(self).items(), key=lambda kv: kv[1])[0]


def rates(
  work: Work, where: Slice, *, seeds: int, envs: int, devices: int = 1
) -> Rates:
  """Of a program that trains `seeds` seeds, `envs` environments each.

  Args:
    work: of one seed.
    where: what it runs on.
    seeds: in the program, one after another on every chip that it has.
    envs: environments of a seed, that step at the same time.
    devices: chips that share its batches.
  """
  decisions = seeds * envs
  cpus = where.cpus / where.chips_per_host * devices
  per_step = step_seconds(work, where.chip, devices)
  # In a row every environment makes a step, on a processor of its own if there
  # are as many; then one call decides, and one learns if it is due.
  waves = -(-decisions // max(1, int(cpus)))
  calls = 1 + min(1.0, work.updates_per_step * envs)
  row = waves / work.steps_per_cpu + calls * CALL_SECONDS + decisions * per_step
  return Rates(1 / per_step, cpus * work.steps_per_cpu, decisions / row)


def utilisation(
  work: Work, where: Slice, rate: float, devices: int = 1
) -> float:
  """Share of the chips' peak that a program's decisions a second need."""
  per_step = work.act_flops + work.updates_per_step * at(
    work.update_flops, work.batch
  )
  return rate * per_step / (devices * where.chip.flops)


@dataclasses.dataclass(frozen=True)
class Cost:
  """What a study takes of a slice.

  Attributes:
    devices: chips of a program.
    rates: of a program.
    hours: of a program.
    chip_hours: of all.
    wall_hours: of all on this slice, in waves of programs that fill it.
    utilisation: of the chips, while they train.
  """

  devices: int
  rates: Rates
  hours: float
  chip_hours: float
  wall_hours: float
  utilisation: float


def study(
  work: Work,
  where: Slice,
  *,
  programs: int,
  seeds: int,
  envs: int,
  devices: int = 1,
) -> Cost:
  """The cost of `programs` programs of `seeds` seeds, `devices` chips each."""
  found = rates(work, where, seeds=seeds, envs=envs, devices=devices)
  hours = work.steps * seeds / found.lowest / 3600
  at_once = where.chips // devices
  return Cost(
    devices=devices,
    rates=found,
    hours=hours,
    chip_hours=programs * devices * hours,
    wall_hours=-(-programs // at_once) * hours,
    utilisation=utilisation(work, where, found.lowest, devices),
  )
