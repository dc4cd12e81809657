"""docs/scaling.md: the arithmetic of `scaling_arithmetic` in tables."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import scaling_arithmetic as arithmetic
from benchmarks import studies
from benchmarks.scaling_arithmetic import SLICES
from benchmarks.scaling_arithmetic import Work

# Decisions that a processor makes a second, from results/environments_speed.md:
# one environment, without fast_rendering.
STEPS_PER_CPU = {
  'DQN, Atari': ('atari_breakout', 1978.0),
  'SAC, DMC': ('dmc_cheetah_run', 18170.0),
  'DrQ, DMC pixels': ('dmc_pixels_cheetah_run', 61.0),
}
GAMES, SEEDS, ARMS = 57, 3, 5
STUDIED = 'DQN, Atari'
# Environments of a seed: the protocol's, and what calls are shared by.
ENVS = (1, 8)


def work_of(cost: Mapping[str, Any]) -> Work:
  """What `scaling_costs` found, as lines in the size of the batch."""
  batch = cost['batch']
  flops, num_bytes = (
    arithmetic.line(
      (batch // 2, cost['half_batch'][what]), (batch, cost['update'][what])
    )
    for what in ('flops', 'bytes')
  )
  return Work(
    name=cost['name'],
    batch=batch,
    update_flops=flops,
    update_bytes=num_bytes,
    least_bytes=(2 * cost['state_bytes'], cost['batch_bytes'] / batch),
    act_flops=cost['act']['flops'],
    act_bytes=cost['act']['bytes'],
    wire=sum(cost['wire'].values()),
    collectives=cost['collectives'],
    updates_per_step=cost['updates_per_step'],
    steps=cost['steps'],
    replay=cost['replay_bytes'],
    steps_per_cpu=STEPS_PER_CPU[cost['name']][1],
  )


def page(costs: Sequence[Mapping[str, Any]]) -> str:
  """The whole page."""
  works = [work_of(cost) for cost in costs]
  studied = next(work for work in works if work.name == STUDIED)
  sections = [
    _opening(),
    _hardware(),
    _assumptions(),
    _agents(costs),
    _updates(works),
    _environments(works),
    _replay(costs),
    _study(studied),
    _choice(studied),
  ]
  return '\n\n'.join('\n'.join(lines) for lines in sections) + '\n'


def _opening():
  return [
    '# Scale, on paper',
    '',
    'What the full configs would take of four kinds of hardware. Nothing '
    'here was run on them: FLOPs, bytes and collectives are what XLA says of '
    'the programs of this repository, peaks are what vendors state, and the '
    'rest is arithmetic (`benchmarks/scaling_arithmetic.py`). What one '
    'machine can measure of scale is in `results/scaling.md`.',
    '',
    '    python -m benchmarks.scaling',
  ]


def _hardware():
  return [
    '## Hardware',
    '',
    studies.table(
      [
        {
          'slice': s.name,
          'chips': s.chips,
          'hosts': s.hosts,
          'chip': s.chip.name,
          'peak, TFLOP/s': f'{s.chip.flops / 1e12:.0f}',
          'memory, GB': f'{s.chip.memory / 1e9:.0f}',
          'memory, GB/s': f'{s.chip.bandwidth / 1e9:.0f}',
          'links, GB/s': f'{s.chip.link / 1e9:.0f}',
          'vCPUs a host': s.cpus,
          'host, GB': f'{s.memory / 1e9:.0f}',
        }
        for s in SLICES
      ]
    ),
    '',
    'Peaks are of dense bfloat16 products, which is what a TPU computes '
    'float32 products in by default (an H100 computes them in TF32, at half '
    'its rate). Links are of a chip, all together, in one direction. A name '
    'counts TensorCores for v4 and v5p, of which a chip has two, and chips '
    'for v5e. Sources:',
    '',
    *(f'- {s.chip.name}: {s.chip.source}.' for s in SLICES),
    '- Hosts: Google Cloud machine types ct4p-hightpu-4t, ct5lp-hightpu-4t, '
    'ct5p-hightpu-4t and a3-highgpu-8g.',
  ]


def _assumptions():
  return [
    'Assumed, and not measured on any of them: a call of a compiled function '
    f'takes {1e6 * arithmetic.CALL_SECONDS:.0f} us with its result back on '
    'the host, and a collective '
    f'{1e6 * arithmetic.COLLECTIVE_SECONDS:.0f} us beside its bytes. A '
    'virtual processor steps environments as fast as the one of '
    '`results/environments_speed.md`, decisions a second: '
    + ', '.join(f'{name} {rate:.0f}' for name, rate in STEPS_PER_CPU.values())
    + ' (pictures drawn in software). What a call takes of a host with '
    'several devices is in `results/scaling.md`.',
  ]


def _agents(costs):
  return [
    '## What an update takes',
    '',
    studies.table(
      [
        {
          'agent': c['name'],
          'batch': c['batch'],
          'update, GFLOP': f'{c["update"]["flops"] / 1e9:.3g}',
          'update, MB': f'{c["update"]["bytes"] / 1e6:,.0f}',
          'at least, MB': f'{arithmetic.at(w.least_bytes, w.batch) / 1e6:,.0f}',
          'decision, MFLOP': f'{c["act"]["flops"] / 1e6:.3g}',
          'networks and optimizers, MB': f'{c["state_bytes"] / 1e6:.3g}',
          'on the wire, MB': f'{sum(c["wire"].values()) / 1e6:.3g}',
          'collectives': c['collectives'],
        }
        for c, w in zip(costs, map(work_of, costs), strict=True)
      ]
    ),
    '',
    'FLOPs are those of the lowered programs. Bytes are those that the '
    'programs access as XLA compiles them for a CPU. For an accelerator it '
    'fuses more: they are a bound from above, and the least is that '
    'networks, targets and optimizers are read and written once, and the '
    'batch is read. On the wire is what '
    'the all-reduces of an update return on each device where devices share '
    'a batch: the gradients of what learns and some scalars, whatever the '
    'number of devices. Where devices have a seed each, nothing is sent.',
  ]


def _updates(works):
  rows = []
  for work in works:
    for where in SLICES:
      devices = arithmetic.most_devices(work.batch, where.chips)
      alone = arithmetic.update_seconds(work, where.chip)
      fused = dataclasses.replace(work, update_bytes=work.least_bytes)
      least = arithmetic.update_seconds(fused, where.chip)
      shared = arithmetic.update_seconds(work, where.chip, devices)
      wire = arithmetic.wire_seconds(work, where.chip, devices)
      flops = arithmetic.at(work.update_flops, work.batch)
      rows.append(
        {
          'agent': work.name,
          'slice': where.name,
          'one chip, us': f'{1e6 * alone:.0f}',
          'of its peak': f'{100 * flops / alone / where.chip.flops:.1f} %',
          'fused, us': f'{1e6 * least:.0f}',
          'then of its peak': f'{100 * flops / least / where.chip.flops:.0f} %',
          'chips that share': devices,
          'shared, us': f'{1e6 * shared:.0f}',
          'of it on the wire, us': f'{1e6 * wire:.0f}',
          'of their peak': f'{100 * flops / shared / devices / where.chip.flops:.2f} %',
          'faster': f'{alone / shared:.1f} x',
        }
      )
  return [
    '## An update on one chip, and shared',
    '',
    'A roofline: the larger of FLOPs over the peak and bytes over the '
    "memory's rate, with the bytes that XLA counts; fused, with the least "
    'bytes. What is true lies between. Shared by as many chips as divide the '
    'batch, with the bytes that XLA counts and an all-reduce in a ring; the '
    'part of FLOPs and bytes that does not depend on the batch (the '
    'optimizer) stays on each.',
    '',
    studies.table(rows),
  ]


def _environments(works):
  rows = []
  for work in works:
    for where in SLICES:
      can = where.cpus * work.steps_per_cpu
      needs = where.chips_per_host / arithmetic.step_seconds(work, where.chip)
      rows.append(
        {
          'agent': work.name,
          'slice': where.name,
          'to keep its chips busy': f'{needs:,.0f}',
          'its processors give': f'{can:,.0f}',
          'processors that it takes': f'{needs / work.steps_per_cpu:.1f} of {where.cpus}',
        }
      )
  return [
    '## Environment steps a second, of a host',
    '',
    'Decisions (four frames each on Atari), if the chips did nothing but '
    'compute, at the replay ratio of the config and with the bytes that XLA '
    'counts.',
    '',
    studies.table(rows),
  ]


def _replay(costs):
  rows = []
  for cost in costs:
    for where in SLICES:
      seeds = SEEDS * where.chips_per_host
      plain, packed = cost['replay_bytes'], cost['compressed_replay_bytes']
      # Compression is for frames; of vectors it saves nothing.
      best = min(plain, packed)
      rows.append(
        {
          'agent': cost['name'],
          'slice': where.name,
          'seeds': seeds,
          'GB': f'{seeds * plain / 1e9:.1f}',
          'compressed, GB': f'{seeds * packed / 1e9:.1f}'
          if packed < plain
          else '-',
          'host, GB': f'{where.memory / 1e9:.0f}',
          'seeds that fit': f'{int(where.memory // plain)}'
          + (f' ({int(where.memory // best)})' if packed < plain else ''),
        }
      )
  return [
    '## Memory of replays, of a host',
    '',
    f'{SEEDS} seeds on each of its chips, at the capacity of the config. In '
    'brackets, compressed (`config.replay.compress`).',
    '',
    studies.table(rows),
  ]


def _cost(work, where, envs, devices):
  return arithmetic.study(
    work,
    where,
    programs=GAMES * ARMS,
    seeds=SEEDS,
    envs=envs,
    devices=devices,
  )


def _study(work):
  rows = []
  for envs in ENVS:
    for where in SLICES:
      for layout in ('seeds', 'data'):
        devices = 1
        if layout == 'data':
          devices = arithmetic.most_devices(work.batch, where.chips)
        cost = _cost(work, where, envs, devices)
        rows.append(
          {
            'environments a seed': envs,
            'slice': where.name,
            'layout': layout,
            'chips a program': devices,
            'decisions/s': f'{cost.rates.lowest:,.0f}',
            'limit': cost.rates.limit,
            'hours a program': f'{cost.hours:.1f}',
            'chip-hours': f'{cost.chip_hours:,.0f}',
            'days on the slice': f'{cost.wall_hours / 24:.1f}',
            'of the peak': f'{100 * cost.utilisation:.3f} %',
          }
        )
  frames = work.steps * 4
  return [
    f'## {GAMES} games, {SEEDS} seeds, {ARMS} arms, {frames / 1e6:.0f}M frames',
    '',
    f'A program is a game and an arm: {GAMES * ARMS} of them, with '
    f'{SEEDS} seeds each. `seeds`: each program on a chip of its own. '
    '`data`: the chips share the batches of one program, as many as divide '
    f'{work.batch}. Updates take the bytes that XLA counts. Nothing is '
    'subtracted for a prefix that arms share. '
    '"Limit" is what holds it up: `chip` (computing), `cpus` (environments), '
    '`calls` (a row after another: environments step, the agent is called, '
    'and again).',
    '',
    studies.table(rows),
  ]


def _choice(work):
  lines = []
  for where in SLICES:
    devices = arithmetic.most_devices(work.batch, where.chips)
    spread, shared = (_cost(work, where, ENVS[-1], d) for d in (1, devices))
    lines.append(
      f'- {where.name}: sharing batches takes '
      f'{shared.chip_hours / spread.chip_hours:.1f} x the chip-hours and '
      f'ends a single program {spread.hours / shared.hours:.2f} x as fast.'
    )
  return [
    '## Which to choose',
    '',
    'For a study: `seeds`, a program a chip, more environments a seed where '
    'the protocol allows it, and the replay compressed where it would not '
    f'fit. With {ENVS[-1]} environments a seed:',
    '',
    *lines,
    '',
    'These networks are small. An update is bound by memory or by calls, not '
    'by products; a share of a batch still pays for the whole optimizer, and '
    'for the wire. `data` is for a single run whose update is long, as '
    "DrQ's from pixels is, when the time until it ends matters more than "
    'chip-hours.',
  ]
