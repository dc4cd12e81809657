"""The page of a talk: what became of its claims, then part by part."""

import collections
from collections.abc import Sequence
from typing import NamedTuple

from plasticity_rl.analysis.pages import cases
from plasticity_rl.analysis.pages import study_page
from plasticity_rl.analysis.pages import template
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.study import claims as claims_lib
from plasticity_rl.analysis.study import compute
from plasticity_rl.analysis.study import scores as scoring
from plasticity_rl.analysis.study import talk_results
from plasticity_rl.analysis.study.talk_results import Part
from plasticity_rl.analysis.study.talk_results import TalkResults


class Published(NamedTuple):
  """Scores that others published, summarised.

  Attributes:
    rows: a row for each algorithm and arm.
    source: the file that they were read from.
    notes: what the reader should know.
  """

  rows: Sequence[scoring.Summary]
  source: str
  notes: Sequence[str]


class _Shown(NamedTuple):
  """A part as the template shows it."""

  part: Part
  answer: Figure
  note: str
  setting: dict[str, str]
  flops: float
  seconds: float
  machines: tuple[str, ...]
  commits: tuple[str, ...]
  command: str


def build(
  talk: TalkResults,
  panels: Sequence[cases.Panel],
  published: Published | None = None,
) -> str:
  """`report.html` of a talk.

  Args:
    talk: as it was loaded.
    panels: of the figure that opens it, if there are any.
    published: scores to set beside it.
  """
  flops, seconds = talk_results.spent(talk)
  outcomes = collections.Counter(one.outcome for _, one in talk.claims)
  return template.render(
    'talk',
    talk=talk,
    outcomes={word: outcomes[word] for word in claims_lib.OUTCOMES},
    cases=cases.build(panels, talk.talk.headline) if panels else None,
    published=published,
    published_csv=scoring.to_csv(published.rows) if published else '',
    shown=[_shown(part) for part in talk.parts],
    flops=flops,
    seconds=seconds,
    claims_csv=talk_results.to_csv(talk.parts),
    records={
      'The talk': {**talk.record.get('origin', {}), 'config': talk.record},
      **{part.name: study_page.first_record(part.study) for part in talk.parts},
    },
  )


def _shown(part: Part) -> _Shown:
  answer, note = study_page.answer(part.study, part.file)
  return _Shown(
    part,
    answer,
    note,
    talk_results.setting(part.study),
    *compute.spent(part.study),
    talk_results.machines(part.study),
    talk_results.commits(part.study),
    talk_results.command(part.study),
  )
