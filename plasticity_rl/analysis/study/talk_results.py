"""The folder of a talk: its parts, and what they say of each claim."""

import dataclasses
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from plasticity_rl.analysis import files
from plasticity_rl.analysis import wording
from plasticity_rl.analysis.study import compute
from plasticity_rl.analysis.study import file as study_file
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import talk as talks
from plasticity_rl.analysis.study.claims import Judged
from plasticity_rl.analysis.study.file import StudyFile
from plasticity_rl.analysis.study.study import StudyResults
from plasticity_rl.errors import UserError

CSV = (
  'part,claim,sentence,outcome,rule,rule_outcome,effect,low,high,p,seeds,'
  'agent,environment,steps,flops,seconds,machine,claim_commit,run_commit,'
  'doubts,command'
).split(',')


@dataclasses.dataclass(frozen=True)
class Part:
  """A study that was read: a part of a talk, or one by itself.

  Attributes:
    name: of its folder.
    title: the question that it asks.
    study: its results.
    file: the file that it was launched from.
    judged: its claims.
  """

  name: str
  title: str
  study: StudyResults
  file: StudyFile
  judged: tuple[Judged, ...]

  @property
  def doubts(self) -> tuple[str, ...]:
    """About the claims having been decided before the runs."""
    return self.file.decided.doubts if self.file.decided else ()


@dataclasses.dataclass(frozen=True)
class TalkResults:
  """A talk that was read.

  Attributes:
    path: the folder.
    record: `talk.json`.
    talk: its file.
    parts: those that have results, in the talk's order.
    without: names of the others, each with the reason.
  """

  path: pathlib.Path
  record: Mapping[str, Any]
  talk: talks.Talk
  parts: tuple[Part, ...]
  without: Mapping[str, str]

  @property
  def claims(self) -> tuple[tuple[Part, Judged], ...]:
    """All claims, each with its part."""
    return tuple((part, one) for part in self.parts for one in part.judged)


def load(folder: str | pathlib.Path) -> TalkResults:
  """Reads a talk; refuses one of which nothing is complete.

  Raises:
    UserError: it is no talk, its file is not here, or no part has a result.
  """
  folder = pathlib.Path(folder)
  record = files.read_json(folder / talks.RECORD)
  talk = talks.read(str(record['source']))
  parts, without = [], {}
  for name in talk.parts:
    if not (folder / name / studies.STUDY).exists():
      without[name] = 'not launched'
      continue
    try:
      parts.append(read_part(folder / name, name))
    except UserError as error:
      without[name] = str(error)
  if not parts:
    first = ''.join(f'; {n}: {why}' for n, why in [*without.items()][:1])
    raise UserError(f'no part of {folder} has results yet{first}')
  return TalkResults(folder, record, talk, tuple(parts), without)


def read_part(folder: str | pathlib.Path, name: str = '') -> Part:
  """Reads a study and decides on its claims.

  Args:
    folder: of the study.
    name: of the part; by default the folder's.
  """
  folder = pathlib.Path(folder)
  study = studies.load(folder)
  file = study_file.read(folder)
  judged = study_file.judge(file, study)
  return Part(name or folder.resolve().name, study.title, study, file, judged)


def setting(study: StudyResults) -> dict[str, str]:
  """What was run, by a heading each, from the configs of the runs."""
  first = study.samples[0].record
  forked = [s for s in study.samples if s.prefix is not None]
  seeds = sorted({int(s) for one in study.samples for s in one.seeds})
  length = first.config.get('num_steps', 0)
  steps = f'{length:,}'
  score = f'the mean {study.metric} over the last tenth'
  if forked:
    record = forked[0].record.fork or {}
    at = sorted({(s.record.fork or {}).get('step', 0) for s in forked})
    steps = ' to '.join(f'{step:,}' for step in dict.fromkeys((at[0], at[-1])))
    steps += f', then {record.get("horizon", 0):,} in each arm'
    score = f'the mean {study.metric} after the fork'
  found = {
    'agent': ', '.join(dict.fromkeys(s.algorithm for s in study.samples)),
    'environment': ', '.join(study.tasks),
    'steps': steps,
    'seeds': f'{len(seeds)} ({seeds[0]} to {seeds[-1]})',
    'arms': ', '.join(study.arms),
  }
  for axis, values in study.axes.items():
    found[studies.leaf(axis, list(study.axes))] = ', '.join(
      map(studies.text, values)
    )
  return {**found, 'score': score}


def commits(study: StudyResults) -> tuple[str, ...]:
  """Of the code that the runs were made by."""
  found = (s.record.record.get('git_revision') for s in study.samples)
  return tuple(dict.fromkeys(str(one or 'unknown') for one in found))


def machines(study: StudyResults) -> tuple[str, ...]:
  """That the runs were made on."""
  found = (s.record.record.get('machine') for s in study.samples)
  return tuple(dict.fromkeys(str(one or 'unknown') for one in found))


def rows(part: Part) -> list[Sequence[object]]:
  """`claims.csv` of a part, a row for each rule."""
  flops, seconds = compute.spent(part.study)
  facts = setting(part.study)
  commit = part.file.decided.commit if part.file.decided else None
  end = (
    facts['agent'],
    facts['environment'],
    facts['steps'],
    float(flops),
    float(seconds),
    '; '.join(machines(part.study)),
    commit.revision if commit else 'not committed',
    '; '.join(commits(part.study)),
    '; '.join(part.doubts),
    command(part.study),
  )
  return [
    (
      part.name,
      one.claim.name,
      one.claim.sentence,
      one.outcome,
      found.rule.text,
      found.outcome,
      *map(float, found.interval),
      float(found.p),
      found.seeds,
      *end,
    )
    for one in part.judged
    for found in one.findings
  ]


def to_csv(parts: Sequence[Part]) -> str:
  """`claims.csv`, to six digits."""
  return files.csv_text(CSV, [r for part in parts for r in rows(part)], 6)


def to_text(
  parts: Sequence[Part], without: Mapping[str, str] | None = None
) -> str:
  """The claims as aligned columns, and what is missing.

  Args:
    parts: that were read.
    without: names of others, each with the reason.
  """
  lines = [('part', 'claim', 'outcome', 'of the first rule [95 %]')]
  for part in parts:
    for one in part.judged:
      effect = '-'
      if not math.isnan(one.findings[0].interval.estimate):
        effect = wording.interval(*one.findings[0].interval)
      lines.append((part.name, one.claim.name, one.outcome, effect))
  notes = [f'{name}: {why}' for name, why in (without or {}).items()]
  notes += [f'{p.name}: {doubt}' for p in parts for doubt in p.doubts]
  return '\n'.join([wording.aligned(lines), *(f'note: {n}' for n in notes)])


def command(study: StudyResults) -> str:
  """That made the runs."""
  origin = study.record.get('origin') or {}
  return str(origin.get('command') or 'unknown')


def spent(talk: TalkResults) -> tuple[float, float]:
  """FLOPs of all seeds, and seconds, of all parts."""
  costs = [compute.spent(part.study) for part in talk.parts]
  flops, seconds = np.sum(costs, axis=0)
  return float(flops), float(seconds)
