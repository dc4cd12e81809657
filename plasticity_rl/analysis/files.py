"""JSON read with errors in one line; csv text; all files or none."""

import csv
import io
import json
import math
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plasticity_rl.errors import UserError


def read_json(
  path: pathlib.Path, optional: bool = False
) -> dict[str, Any] | None:
  """An object from a JSON file; None if it is optional and not there."""
  if optional and not path.exists():
    return None
  try:
    record = json.loads(path.read_text(encoding='utf-8'))
  except FileNotFoundError:
    raise UserError(f'no such file: {path}') from None
  except (OSError, ValueError) as error:
    raise UserError(f'cannot read {path}: {error}') from None
  if not isinstance(record, dict):
    raise UserError(f'{path} does not hold a JSON object')
  return record


def csv_text(
  header: Sequence[str], rows: Iterable[Sequence[object]], digits: int = 8
) -> str:
  """Rows as csv, to so many digits; what is not a number is left empty."""

  def cell(value: object) -> object:
    if not isinstance(value, float):
      return value
    return '' if math.isnan(value) else f'{value:.{digits}g}'

  out = io.StringIO()
  writer = csv.writer(out, lineterminator='\n')
  writer.writerow(header)
  writer.writerows([cell(v) for v in row] for row in rows)
  return out.getvalue()


def check_folder(folder: str | os.PathLike[str]) -> pathlib.Path:
  """Whether files could be written there, before anything is computed."""
  folder = pathlib.Path(folder)
  at = folder
  while not at.exists() and at != at.parent:
    at = at.parent
  if not at.is_dir():
    raise UserError(f'cannot write to {folder}: {at} is not a folder')
  if not os.access(at, os.W_OK):
    raise UserError(f'cannot write to {folder}: no permission in {at}')
  return folder


def write_all(
  folder: str | os.PathLike[str], contents: Mapping[str, str | bytes]
) -> list[pathlib.Path]:
  """Writes files of a folder, each under another name first, then renamed.

  Args:
    folder: made if it is not there.
    contents: file name -> content.

  Returns:
    The paths written, in order.
  """
  folder = check_folder(folder)
  written: list[tuple[pathlib.Path, pathlib.Path]] = []
  try:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
      temporary = folder / f'.{name}.{os.getpid()}.tmp'
      written.append((temporary, folder / name))
      if isinstance(content, str):  # Lines end as they do in the text.
        content = content.encode()
      temporary.write_bytes(content)
    for temporary, path in written:
      temporary.replace(path)
  except OSError as error:
    raise UserError(f'cannot write to {folder}: {error}') from None
  finally:
    for temporary, _ in written:
      temporary.unlink(missing_ok=True)
  return [path for _, path in written]
