"""Launches a talk: the studies of its parts, each in a folder of its own."""

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from plasticity_rl.analysis import files
from plasticity_rl.analysis.study import cases
from plasticity_rl.analysis.study import talk as talks
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest
from plasticity_rl.run import run_folder

from . import planned
from . import study as study_lib


def build(
  talk: talks.Talk, make: Callable[[str], study_lib.Study]
) -> dict[str, study_lib.Study]:
  """Builds the studies of all parts that were chosen.

  Args:
    talk: the talk.
    make: `source -> study`.

  Returns:
    The studies by the part's name, in the talk's order.

  Raises:
    UserError: a part cannot be built or claims nothing, two claims have one
      name, or a case is of something that is not there.
  """
  found, owners = {}, {}
  for name in talk.chosen:
    try:
      found[name] = make(talk.parts[name])
      if not found[name].claims:
        raise UserError('it has no CLAIMS')
    except UserError as error:
      raise UserError(f'part {name!r}: {error}') from None
    for claim in found[name].claims:
      other = owners.setdefault(claim.name, name)
      if other != name:
        raise UserError(
          f'parts {other!r} and {name!r} both have a claim {claim.name!r}'
        )
  for case in talk.cases:
    _check_case(case, talk, found)
  return found


def _check_case(case, talk, studies):
  where = f'case {case.title!r}'
  if case.part not in talk.parts:
    raise UserError(f'{where}: {nearest("part", case.part, talk.parts)}')
  if case.part not in studies:
    return
  study = studies[case.part]
  claims = [claim.name for claim in study.claims]
  if case.claim not in claims:
    raise UserError(f'{where}: {nearest("claim", case.claim, claims)}')
  cases.samples(case, planned.results(study, ()))


def check(folder: pathlib.Path, talk: talks.Talk) -> None:
  """Checks that a folder can be used for this talk.

  Raises:
    UserError: it holds other files or another talk, or it cannot be written.
  """
  files.check_folder(folder)
  if not folder.exists() or not any(folder.iterdir()):
    return
  if not (folder / talks.RECORD).exists():
    raise UserError(
      f'{folder} is neither empty nor a talk (it has no {talks.RECORD}): '
      'choose another --workdir'
    )
  source = files.read_json(folder / talks.RECORD).get('source')
  if source != talk.source:
    raise UserError(
      f'{folder} holds another talk, {source}: choose another --workdir'
    )


def write(folder: pathlib.Path, talk: talks.Talk) -> None:
  """Writes `talk.json`.

  Raises:
    UserError: the folder cannot be written.
  """
  record: Mapping[str, Any] = {
    'source': talk.source,
    'title': talk.title,
    'parts': dict(talk.parts),
    'origin': run_folder.origin(),
  }
  try:
    folder.mkdir(parents=True, exist_ok=True)
    run_folder.write_atomically(
      folder / talks.RECORD, json.dumps(record, indent=2)
    )
  except OSError as error:
    raise UserError(f'cannot write to {folder}: {error}') from None
