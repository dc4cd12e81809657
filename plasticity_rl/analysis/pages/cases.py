"""Learning curves side by side, each with what was found: small multiples."""

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure

from plasticity_rl.analysis import wording
from plasticity_rl.analysis.pages import axes
from plasticity_rl.analysis.pages import curves as curves_lib
from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import picture
from plasticity_rl.analysis.pages import study_panels
from plasticity_rl.analysis.pages import svg
from plasticity_rl.analysis.pages.curves import Curve
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.study import cases as cases_lib
from plasticity_rl.analysis.study.claims import Judged
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.analysis.study.study import Sample
from plasticity_rl.analysis.study.talk_results import TalkResults
from plasticity_rl.errors import UserError

_MARGINS = 3  # That the vertical axis of a panel spans at least.


@dataclasses.dataclass(frozen=True)
class Panel:
  """One panel.

  Attributes:
    title: what it is a case of.
    judged: the claim that it is about.
    task: where it was run.
    at: the place that it shows, if its part has several.
    arms: the samples of each arm that is drawn.
  """

  title: str
  judged: Judged
  task: str
  at: Mapping[str, Any]
  arms: Mapping[str, Sequence[Sample]]

  @property
  def subtitle(self) -> str:
    """The task, and the effect on which the claim's first rule decides."""
    first = self.judged.findings[0]
    quantity = first.rule.quantity
    if isinstance(quantity, Contrast) and quantity.at == self.at:
      quantity = dataclasses.replace(quantity, at={})  # The panel's own place.
    if math.isnan(first.interval.estimate):
      return self.task
    effect = wording.interval(*first.interval)
    return f'{self.task}: {quantity.text} {effect}'


def panels(talk: TalkResults) -> list[Panel]:
  """The panels of a talk's cases that have results.

  Raises:
    UserError: a case is of something that is not there.
  """
  parts = {part.name: part for part in talk.parts}
  found = []
  for case in talk.talk.cases:
    if case.part not in parts:
      continue
    part = parts[case.part]
    arms = cases_lib.samples(case, part.study)
    judged = {one.claim.name: one for one in part.judged}
    if case.claim not in judged:
      raise UserError(f'part {part.name!r} has no claim {case.claim!r}')
    task = next(iter(arms.values()))[0].task
    found.append(Panel(case.title, judged[case.claim], task, case.at, arms))
  return found


def draw(shown: Sequence[Panel], width: float) -> mpl_figure.Figure:
  """Draws the panels, two in a row where there is room."""
  columns = 2 if width > 6 else 1
  lines = -(-len(shown) // columns)
  fig = mpl_figure.Figure((width, 2.7 * lines), layout='constrained')
  fig.get_layout_engine().set(h_pad=0.1, hspace=0.06)
  many = fig.subplots(lines, columns, squeeze=False).ravel()
  for ax in many[len(shown) :]:
    ax.set_axis_off()
  for ax, panel in zip(many, shown, strict=False):
    ends = [
      curves_lib.plot(ax, c, markers=False) for c in _curves(panel, shown)
    ]
    _stretch(ax, panel)
    axes.scale_steps(ax, 4)
    axes.label_ends(ax, ends)
    ax.set_title(
      f'{panel.title}: {panel.judged.outcome}\n',
      loc='left',
      fontsize=11,
      fontweight='bold',
    )
    ax.annotate(
      axes.clip(panel.subtitle, 54),
      (0, 1),
      xycoords='axes fraction',
      xytext=(0, 6),
      textcoords='offset points',
      color=palette.MUTED,
      fontsize=9,
    )
    sample = next(iter(panel.arms.values()))[0]
    forked = sample.prefix is not None
    ax.set_xlabel('steps after the fork' if forked else 'steps', loc='right')
    ax.set_ylabel(axes.clip(sample.series.metric, 30))
  return fig


def _stretch(ax: mpl_axes.Axes, panel: Panel) -> None:
  """Makes a gain that does not matter look small."""
  margin = max(s.margin for many in panel.arms.values() for s in many)
  low, high = ax.get_ylim()
  more = max(0.0, _MARGINS * margin - (high - low)) / 2
  ax.set_ylim(low - more, high + more)


def _curves(panel: Panel, shown: Sequence[Panel]) -> list[Curve]:
  """The arms, each in the colour that it has in every panel."""
  others = itertools.count(2)
  tint = {'control': 0, 'injection': 1, 'all': 1}
  for arm in (arm for one in shown for arm in one.arms):
    if arm not in tint:
      tint[arm] = next(others)
  found = []
  for arm, samples in panel.arms.items():
    metric = samples[0].series.metric
    curve = study_panels.curve(arm, tint[arm], samples, metric)
    fork = (samples[0].record.fork or {}).get('step', 0)
    found.append(dataclasses.replace(curve, steps=curve.steps - fork))
  return found


def build(shown: Sequence[Panel], title: str) -> Figure:
  """The figure of a page, with its data."""
  return Figure(
    title,
    *figure.both('cases', title, lambda width: draw(shown, width)),
    'Mean over seeds and its 95 % interval (Student’s t). Title: the case, and'
    ' what became of its claim; below it the effect on which the claim’s first'
    ' rule decides.',
    ('case', 'outcome', 'task', 'arm', 'step', 'mean', 'low', 'high'),
    [
      (
        panel.title,
        panel.judged.outcome,
        panel.task,
        curve.name,
        int(step),
        *map(float, bounds),
      )
      for panel in shown
      for curve in _curves(panel, shown)
      for step, *bounds in zip(curve.steps, *curve.bands(), strict=True)
    ],
  )


def pictures(shown: Sequence[Panel], title: str) -> dict[str, str | bytes]:
  """`cases.svg` and `cases.png`, to stand in a README."""

  def fixed(width: float) -> mpl_figure.Figure:
    return draw(shown, width)

  drawing = figure.drawn('cases', title, fixed, figure.WIDE)
  return {'cases.svg': svg.standalone(drawing), 'cases.png': picture.png(fixed)}
