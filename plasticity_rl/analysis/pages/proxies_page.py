"""The page of many forks: which proxies tell, and what they were told by."""

import numpy as np
from matplotlib import figure as mpl_figure

from plasticity_rl.analysis.pages import axes
from plasticity_rl.analysis.pages import figure
from plasticity_rl.analysis.pages import intervals
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import template
from plasticity_rl.analysis.pages.figure import Figure
from plasticity_rl.analysis.verdict import proxies as proxies_lib
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict.proxies import Proxies
from plasticity_rl.analysis.verdict.proxies import ProxyRow

SHOWN = 20  # Diagnostics in the open table and in the figure.
PANELS = 6
_COLORS = {
  proxies_lib.YES: 3,
  proxies_lib.REVERSED: 2,
  proxies_lib.UNFORESEEN: 1,
}


def build(found: Proxies) -> str:
  """`proxies.html`."""
  names = _names(found)
  return template.render(
    'proxies',
    tone='arm-1',
    found=found,
    names=names,
    color=_color,
    time=next(r for r in found.rows if r.proxy == proxies_lib.TIME),
    text=proxies_lib.text,
    sign=proxies_lib.sign,
    open_rows=SHOWN + len(found.rows) - len(found.diagnostics),
    legend_of_strength=[
      ('tells', _COLORS[proxies_lib.YES]),
      ('reversed', _COLORS[proxies_lib.REVERSED]),
      ('tells, no sign was stated', _COLORS[proxies_lib.UNFORESEEN]),
      ('does not tell', 0),
    ],
    strength=_strength(found, names),
    benefit=_benefit(found),
    scatters=_scatters(found, names),
    records={'The run that was forked': found.prefix.record},
  )


def _names(found: Proxies) -> dict[str, str]:
  """Short names; that of the network is left out where there is only one."""
  short = {
    r.proxy: r.proxy.removeprefix(proxies_lib.PREFIX) for r in found.rows
  }
  networks = {short[r.proxy].split('/')[0] for r in found.diagnostics}
  if len(networks) == 1:
    for row in found.diagnostics:
      short[row.proxy] = short[row.proxy].split('/', 1)[1]
  return short


def _color(row: ProxyRow) -> int:
  return _COLORS.get(row.tells, 0)


def _strength(found: Proxies, names: dict[str, str]) -> Figure:
  kept = [r for r in found.rows if r.is_reference]
  kept += [
    r for r in found.diagnostics[:SHOWN] if np.isfinite(r.pooled.estimate)
  ]
  pairs = [
    (
      intervals.IntervalRow(
        f'{names[r.proxy]} ({proxies_lib.sign(r.expected)})',
        _color(r),
        *r.within,
        text=proxies_lib.text(r.within),
        strong=_color(r) > 0,
      ),
      intervals.IntervalRow(names[r.proxy], 0, *r.pooled),
    )
    for r in kept
  ]
  drawings = intervals.paired_intervals(
    pairs,
    name='strength',
    label='rank correlation with the benefit',
    limits=(-1.05, 1.05),
  )
  return Figure(
    'By strength',
    *drawings,
    'Diamond and bar: within forks; small dot and line: pooled; 95 %'
    ' intervals. In brackets the sign that was expected. Below the step and'
    ' the return, for comparison, the strongest within forks come first. Not'
    ' drawn: what is constant.',
    proxies_lib.COLUMNS,
    found.csv_rows,
  )


def _benefit(found: Proxies) -> Figure:
  rows = []
  for step, values in zip(found.steps, found.benefit.T, strict=True):
    interval = statistics.paired_difference(values)
    text = proxies_lib.text(interval)
    rows.append(
      intervals.IntervalRow(
        f'step {step:,}', 1, *interval, points=values, text=text
      )
    )
  label = f'mean {found.metric} after the fork, injection − control'
  return Figure(
    'What injection gained at each fork',
    *intervals.intervals(rows, name='benefit', label=label, zero=True),
    'Each dot is one seed; diamond and bar: mean and 95 % interval.'
    ' This is what the proxies should have told.',
    *found.pairs,
  )


def _scatters(found: Proxies, names: dict[str, str]) -> list[str]:
  """The strongest column of each of the strongest diagnostics."""
  kept: dict[str, ProxyRow] = {}
  for row in found.diagnostics:
    if np.isfinite(row.within.estimate):
      kept.setdefault(row.proxy.split('/')[2], row)
  return [
    _scatter(found, row.proxy, f'scatter-{i}', names[row.proxy], _color(row))
    for i, row in enumerate(list(kept.values())[:PANELS])
  ]


def _scatter(
  found: Proxies, proxy: str, name: str, title: str, color: int
) -> str:
  """Pairs of a proxy and the benefit; later forks are drawn stronger."""

  def draw(width: float) -> mpl_figure.Figure:
    fig, ax = figure.panel(width, 2.6)
    ax.axhline(0, color=palette.MUTED, linewidth=1)
    columns = list(zip(found.values[proxy].T, found.benefit.T, strict=True))
    for j, (x, y) in enumerate(columns):
      alpha = 0.15 + 0.75 * j / max(1, len(columns) - 1)
      axes.points(ax, x, y, palette.arm_color(max(1, color)), alpha=alpha)
    axes.scale_steps(ax, 4)
    ax.set_ylabel('benefit')
    ax.set_title(axes.clip(title, 44), loc='left')
    return fig

  return figure.drawn(name, f'benefit over {title}', draw)
