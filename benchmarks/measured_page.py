"""results/scaling.md: what grows with devices and hosts, in tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import scaling_arithmetic as arithmetic
from benchmarks import scaling_page
from benchmarks import studies
from benchmarks.scaling_arithmetic import SLICES

Row = Mapping[str, Any]
# Slices of one host, and its devices.
PUT_BESIDE = {'v4-8': 4, '8 x H100': 8}


def page(record: Mapping[str, Any]) -> str:
  """The whole page."""
  sections = [
    _opening(),
    *(
      _devices(mode, [r for r in record['weak'] if r['mode'] == mode])
      for mode in ('data', 'seeds')
    ),
    _hosts(record['hosts']),
    _loops(record['loops']),
    _beside_an_update(record),
    [
      f'Machine: {record["machine"]}. Commit: {record["commit"]}.',
      '',
      '    python -m benchmarks.scaling',
    ],
  ]
  return '\n\n'.join('\n'.join(lines) for lines in sections) + '\n'


def _opening():
  return [
    '# What grows with the number of devices and of hosts',
    '',
    'A tiny DQN on forced host devices, with as much work for each: 4 '
    'examples of a batch (`data`) or a seed (`seeds`), which come from the '
    'host at every step. All devices share two cores, so that nothing here '
    'is a speed. Collectives and their bytes are read off the compiled '
    'update. Compilations of the update: in the first two steps, in all '
    'steps after them, and at an injection that grows the network. Python '
    'calls are the functions that a step calls. Host time is the processor '
    'time of the thread that calls, until the call returns: what it takes '
    'to put the batch on the devices and to launch the update, best of 3 '
    'times 20 steps, while other processes ran. Waiting for results is not '
    'in it; on accelerators nothing waits.',
  ]


def _devices(mode, rows):
  return [
    f'## `{mode}`, devices of one process',
    '',
    studies.table(
      [
        {
          'devices': row['devices'],
          'collectives': row['collectives'],
          'bytes': row['bytes'],
          'compiled at first': row['compiled_first'],
          'later': row['compiled_later'],
          'at the injection': row['compiled_at_injection'],
          'Python calls a step': row['python_calls'],
          'host, us a step': f'{row["host_microseconds"]:.0f}',
          'of it launching': f'{row["launch_microseconds"]:.0f}',
        }
        for row in rows
      ]
    ),
    '',
    'Collectives, bytes, compilations and Python calls stay as they are. One '
    'device has no batch to share out and computes in the thread that calls, '
    'so that its row says something else. Host time is not flat: from '
    f'{rows[1]["devices"]} to {rows[-1]["devices"]} devices, one more takes '
    f'{slope(rows, "host_microseconds"):.0f} us a step, '
    f'{slope(rows, "launch_microseconds"):.0f} of them to launch and the '
    'rest to be given its share (between neighbouring rows there is more '
    'noise than that). No Python function is called for it: XLA starts a '
    'program on each device, makes an array there for each of the 32 arrays '
    'of networks that an update returns, and copies 5 shares. A host '
    'of a slice has 4 or 8 devices; more of them are on more hosts.',
  ]


def slope(rows: Sequence[Row], what: str) -> float:
  """What a device more takes; one alone is another program."""
  few, many = rows[1], rows[-1]
  return (many[what] - few[what]) / (many['devices'] - few['devices'])


def _hosts(rows):
  return [
    '## `data`, hosts of one device',
    '',
    studies.table(
      [
        {
          'hosts': row['devices'],
          'collectives': row['collectives'],
          'bytes': row['bytes'],
          'Python calls a step': row['python_calls'],
          'host, us a step': f'{row["host_microseconds"]:.0f}',
          'of it launching': f'{row["launch_microseconds"]:.0f}',
        }
        for row in rows
      ]
    ),
    '',
    'As many processes on loopback (Gloo), which share the two cores; of the '
    'first one. This is how devices grow on a pod: its hosts have 4 or 8, '
    'and there are more hosts. What a host does is the same however many '
    'there are. Its Python calls are more than on one host, as `pmap` turns '
    'each array of a process into one of all processes and back.',
  ]


def _loops(rows):
  return [
    '## Steps as the loops make them',
    '',
    'The same run on more devices: 8 environments and batches of 64 '
    '(`data`), or 8 seeds (`seeds`), an update a decision. On the device a '
    'call is a segment; on the host a call is all updates of a row, and its '
    'time is that of the whole loop, environments, replay and waiting '
    'included.',
    '',
    studies.table(
      [
        {
          'loop': row['loop'],
          'layout': row['mode'],
          'devices': row['devices'],
          'decisions of a segment': row['steps'],
          'updates a call': round(row['updates'] / row['calls']),
          'Python calls a segment': row['python_calls'],
          'a decision': f'{row["python_calls"] / row["steps"]:.1f}',
          'host, us a decision': f'{row["host_microseconds"] / row["steps"]:.0f}',
        }
        for row in rows
      ]
    ),
    '',
    'Of a loop on the host, seeds on several devices take Python for each '
    'where a row joins their actions in numpy. One device is the program '
    'that is not spread, and computes in the thread that calls.',
  ]


def _beside_an_update(record):
  rows = [row for row in record['weak'] if row['mode'] == 'data']
  works = [scaling_page.work_of(cost) for cost in record['costs']]
  table = []
  for where in SLICES:
    devices = PUT_BESIDE.get(where.name)
    if not devices:
      continue
    (row,) = (r for r in rows if r['devices'] == devices)
    for work in works:
      update = 1e6 * arithmetic.update_seconds(work, where.chip, devices)
      table.append(
        {
          'slice': where.name,
          'devices of the host': devices,
          'agent': work.name,
          'update, us': f'{update:.0f}',
          'host, us a call': f'{row["host_microseconds"]:.0f}',
          'of the update': f'{100 * row["host_microseconds"] / update:.0f} %',
          'updates a call that hide it': max(
            1, -int(-row['host_microseconds'] // update)
          ),
        }
      )
  return [
    '## Beside an update',
    '',
    'A call returns before its update is done, so that the host prepares '
    'the next one meanwhile: it holds nothing up while its time is below '
    "that of a call's updates. The time of an update is that of "
    '`docs/scaling.md`, shared by the devices of the host; the time of the '
    'host is the one measured here, on this machine. The device loop makes '
    'all updates of a segment in a call.',
    '',
    studies.table(table),
  ]
