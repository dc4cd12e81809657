"""Results of the parts as JSON, one file each, and a page made from them."""

import json
import os
import pathlib
import re
import time
from collections.abc import Sequence
from typing import Any

import jax

from benchmarks import studies
from plasticity_rl import revision

PAGE = 'README.md'


def device() -> str:
  """The devices in words, such as '1 x NVIDIA H200'."""
  devices = jax.devices()
  return f'{len(devices)} x {devices[0].device_kind}'


def folder_name() -> str:
  """The devices as a name of a folder."""
  return re.sub(r'[^a-z0-9]+', '_', device().lower()).strip('_')


def write(
  folder: pathlib.Path, name: str, rows: list[dict[str, Any]], seconds: float
) -> None:
  """Writes what a part found, all of it or nothing."""
  record = {
    'part': name,
    'rows': rows,
    'seconds': round(seconds, 1),
    'device': device(),
    'host': studies.machine().replace(', no accelerator', ''),
    'jax': jax.__version__,
    'commit': revision.of_code(),
    'finished': time.strftime('%Y-%m-%d'),
  }
  folder.mkdir(parents=True, exist_ok=True)
  temporary = folder / f'.{name}.tmp'
  temporary.write_text(json.dumps(record, indent=2) + '\n')
  os.replace(temporary, path(folder, name))


def path(folder: pathlib.Path, name: str) -> pathlib.Path:
  """The file of a part, which is there once the part is done."""
  return folder / f'{name}.json'


def page(folder: pathlib.Path, names: Sequence[str]) -> str:
  """Markdown of all parts that are done, in the order of `names`."""
  records = [
    json.loads(path(folder, name).read_text())
    for name in names
    if path(folder, name).exists()
  ]
  lines = [
    '# An accelerator, measured',
    '',
    f'{len(records)} of {len(names)} parts are done.',
    '',
    '    python -m benchmarks.accelerator',
  ]
  for record in records:
    lines += [
      '',
      f'## {record["part"]}',
      '',
      studies.table(
        [{k: _shown(v) for k, v in row.items()} for row in record['rows']]
      ),
      '',
      f'{record["device"]}; {record["host"]}; jax {record["jax"]}; commit '
      f'{record["commit"]}; {record["finished"]}, {record["seconds"]} s.',
    ]
  return '\n'.join(lines) + '\n'


def _shown(value):
  """A number with four digits; nothing as a dash."""
  if value is None:
    return '-'
  if isinstance(value, bool):
    return 'yes' if value else 'NO'
  return f'{value:.4g}' if isinstance(value, float) else str(value)
