"""A talk: a study of studies, told in order.

Its file, `FILE.py`, has `PARTS`, the names of its parts in order, and perhaps
`CASES` with a `HEADLINE`. Each part is a study of its own with `CLAIMS` (see
`claims`), in `FILE_parts/NAME.py`. The folder of a talk holds `talk.json`, and
the study of each part in `NAME/`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import ml_collections

from plasticity_rl import config_files
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

RECORD = 'talk.json'


@dataclasses.dataclass(frozen=True)
class Case:
  """A panel of the figure that opens the page: a part, or a place of it.

  Attributes:
    title: what it is a case of, such as 'lost'.
    part: its name.
    claim: of the part, whose outcome the panel says.
    arms: those that are drawn; () for all.
    at: the place, such as `{'environment.name': 'minatar_asterix'}`, if the
      part has several.
  """

  title: str
  part: str
  claim: str
  arms: tuple[str, ...] = ()
  at: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Talk:
  """A talk's file, as a command line names it.

  Attributes:
    source: the file with the variant of the parts, but without their names.
    title: the question that it asks: the first line of the file.
    parts: the source of each part by its name, in order.
    chosen: names of the parts that are meant: all, if none is named.
    cases: of the figure that opens the page.
    headline: of that figure.
  """

  source: str
  title: str
  parts: Mapping[str, str]
  chosen: tuple[str, ...]
  cases: tuple[Case, ...]
  headline: str


def config(parts: Sequence[str], variant: str) -> ml_collections.ConfigDict:
  """The config of a talk's file: what `get_config(variant)` returns there.

  Args:
    parts: `PARTS`.
    variant: words after the colon: names of parts, and the parts' variant.
  """
  words = [word for word in variant.split(',') if word]
  return ml_collections.ConfigDict(
    {
      'parts': tuple(word for word in words if word in parts) or tuple(parts),
      'variant': ','.join(word for word in words if word not in parts),
    }
  )


def is_talk(source: str) -> bool:
  """Whether the file of a source is a talk."""
  return hasattr(config_files.load(source), 'PARTS')


def part_source(source: str, name: str, variant: str = '') -> str:
  """The source of a part, for the source of a talk.

  >>> part_source('configs/studies/talk.py:small', 'lost', 'small')
  'configs/studies/talk_parts/lost.py:small'
  """
  path = config_files.split(source)[0]
  stem = path.removesuffix('.py')
  ending = path.removeprefix(stem)
  return f'{stem}_parts/{name}{ending}' + f':{variant}' * bool(variant)


def read(source: str, chosen: ml_collections.ConfigDict | None = None) -> Talk:
  """Reads a talk's file; the files of its parts are not looked at.

  Args:
    source: the file with its variant.
    chosen: its config, if it was changed on the command line.

  Raises:
    UserError: the file is not a talk, or it has no such part.
  """
  module = config_files.load(source)
  path, variant = config_files.split(source)
  parts = getattr(module, 'PARTS', None)
  if (
    not isinstance(parts, tuple)
    or not parts
    or not all(isinstance(name, str) and name for name in parts)
    or len({*parts}) < len(parts)
  ):
    raise UserError(f'{path}: PARTS is a tuple of unlike names: {parts!r}')
  chosen = chosen or config(parts, variant.removeprefix(':'))
  for name in chosen.parts:
    if name not in parts:
      raise UserError(nearest('part', name, parts))
  return Talk(
    source=path + f':{chosen.variant}' * bool(chosen.variant),
    title=(module.__doc__ or path).strip().split('\n')[0],
    parts={name: part_source(source, name, chosen.variant) for name in parts},
    chosen=tuple(name for name in parts if name in chosen.parts),
    cases=tuple(getattr(module, 'CASES', ())),
    headline=getattr(module, 'HEADLINE', 'Case by case'),
  )
