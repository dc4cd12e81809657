"""The page of many forks: which proxies tell, and what they were told by."""

import numpy as np

from plasticity_rl.analysis.pages import figures
from plasticity_rl.analysis.pages import html
from plasticity_rl.analysis.verdict import proxies as proxies_lib
from plasticity_rl.analysis.verdict import statistics

SHOWN = 20  # Diagnostics in the open table and in the figure.
PANELS = 6
_COLORS = {
  proxies_lib.YES: 3,
  proxies_lib.REVERSED: 2,
  proxies_lib.UNFORESEEN: 1,
}


def build(found: proxies_lib.Proxies) -> str:
  """`proxies.html`."""
  names = _names(found)
  return html.page(
    f'Which proxy tells? · {found.path.resolve().name}',
    _head(found, names),
    _table(found, names),
    _figure(found, names),
    _benefit(found),
    _scatters(found, names),
    html.record_section({'The run that was forked': found.prefix.record}),
    tone='arm-1',
  )


def _names(found: proxies_lib.Proxies) -> dict[str, str]:
  """Short names; that of the network is left out where there is only one."""
  short = {
    r.proxy: r.proxy.removeprefix(proxies_lib.PREFIX) for r in found.rows
  }
  networks = {short[r.proxy].split('/')[0] for r in found.diagnostics}
  if len(networks) == 1:
    for row in found.diagnostics:
      short[row.proxy] = short[row.proxy].split('/', 1)[1]
  return short


def _color(row: proxies_lib.ProxyRow) -> int:
  return _COLORS.get(row.tells, 0)


def _head(found: proxies_lib.Proxies, names: dict[str, str]) -> html.Html:
  prefix = found.prefix
  first = found.diagnostics[0]
  time = next(r for r in found.rows if r.proxy == proxies_lib.TIME)
  what = (
    f'{prefix.name_of("agent")} on {prefix.name_of("environment")}, forked at'
    f' {len(found.steps)} steps from {found.steps[0]:,} to'
    f' {found.steps[-1]:,}, each continued for {found.horizon:,} steps with'
    ' an injection and without'
  )
  strongest = (
    f'Strongest within forks: {names[first.proxy]},'
    f' rho = {proxies_lib.text(first.within)}. To compare with: the step'
    f' alone has {proxies_lib.text(time.pooled)} over all forks'
  )
  strongest += (
    ', and '.join(
      ['']
      + [
        f'{r.proxy} at the fork {proxies_lib.text(r.within)} within forks'
        for r in found.rows
        if r.is_reference and r is not time
      ]
    )
    + '.'
  )
  tiles = [
    ('seeds', len(found.seeds)),
    ('forks', len(found.steps)),
    ('arms trained', 2 * len(found.steps)),
    ('benefit', f'gain in {found.metric}'),
  ]
  return html.join(
    [
      html.tag('p', 'Which proxy tells?', class_='eyebrow'),
      html.tag('p', what, class_='over'),
      html.tag(
        'section',
        html.tag('h1', found.statement),
        html.tag('p', strongest, class_='lead'),
        html.tag(
          'p',
          'A proxy tells if, among equally old networks, it ranks them as'
          ' the measured benefit of injection does.',
          class_='quiet',
        ),
        html.facts(tiles, 'tiles'),
        class_='verdict',
      ),
    ]
  )


def _table(found: proxies_lib.Proxies, names: dict[str, str]) -> html.Html:
  header = (
    'proxy',
    'expected',
    'within forks [95 %]',
    'tells',
    'pooled [95 %]',
  )  # pyformat: disable
  body = [
    (
      html.join(
        [
          html.colored(names[r.proxy], _color(r), _color(r) > 0),
          html.tag('span', r.note and f' · {r.note}', class_='quiet'),
        ]
      ),
      proxies_lib.sign(r.expected),
      proxies_lib.text(r.within),
      r.tells,
      proxies_lib.text(r.pooled),
    )
    for r in found.rows
  ]  # pyformat: disable
  open_rows = SHOWN + len(found.rows) - len(found.diagnostics)
  rest = body[open_rows:]
  more = html.tag(
    'details',
    html.tag('summary', f'{len(rest)} more'),
    html.table(header, rest),
  )
  return html.join(
    [
      html.table(header, body[:open_rows]),
      more if rest else '',
      html.tag(
        'p',
        'Spearman’s rank correlation of the proxy at the fork with the'
        ' benefit of injection there. Within forks: over the seeds of each'
        ' fork, then averaged, so that time explains nothing. Pooled: over'
        ' all pairs of seed and fork. Expected: the sign if more of the'
        ' proxy, or less, meant more plasticity lost. Tells: the interval'
        ' within forks leaves zero on that side; reversed: on the other.'
        ' Intervals resample whole seeds (bootstrap); they are not corrected'
        ' for the number of proxies: of those that are worthless about one in'
        ' 40 tells by luck, and as many are reversed. ',
        html.download('proxies.csv', found.to_csv()),
        class_='quiet',
      ),
    ]
  )


def _figure(found: proxies_lib.Proxies, names: dict[str, str]) -> html.Html:
  kept = [r for r in found.rows if r.is_reference]
  kept += [
    r for r in found.diagnostics[:SHOWN] if np.isfinite(r.pooled.estimate)
  ]
  pairs = [
    (
      figures.IntervalRow(
        f'{names[r.proxy]} ({proxies_lib.sign(r.expected)})',
        _color(r),
        *r.within,
        text=proxies_lib.text(r.within),
        strong=_color(r) > 0,
      ),
      figures.IntervalRow(names[r.proxy], 0, *r.pooled),
    )
    for r in kept
  ]  # pyformat: disable
  arguments = {
    'pairs': pairs,
    'label': 'rank correlation with the benefit',
    'limits': (-1.05, 1.05),
  }
  caption = (
    'Diamond and bar: within forks; small dot and line: pooled; 95 %'
    ' intervals. In brackets the sign that was expected. Below the step and'
    ' the return, for comparison, the strongest within forks come first. Not'
    ' drawn: what is constant.'
  )
  return html.join(
    [
      html.tag('h2', 'By strength'),
      html.legend(
        [
          ('tells', _COLORS[proxies_lib.YES]),
          ('reversed', _COLORS[proxies_lib.REVERSED]),
          ('tells, no sign was stated', _COLORS[proxies_lib.UNFORESEEN]),
          ('does not tell', 0),
        ]
      ),
      html.chart(
        figures.paired_intervals(name='strength', **arguments),
        figures.paired_intervals(
          name='strength-n', width=figures.NARROW, **arguments
        ),
        caption,
        ('proxies.csv', found.to_csv()),
      ),
    ]
  )


def _benefit(found: proxies_lib.Proxies) -> html.Html:
  rows = []
  for step, values in zip(found.steps, found.benefit.T, strict=True):
    interval = statistics.paired_difference(values)
    rows.append(
      figures.IntervalRow(
        f'step {step:,}',
        1,
        *interval,
        points=values,
        text=proxies_lib.text(interval),
      )
    )  # pyformat: disable
  arguments = {
    'rows': rows,
    'label': f'mean {found.metric} after the fork, injection − control',
    'zero': True,
  }
  return html.join(
    [
      html.tag('h2', 'What injection gained at each fork'),
      html.chart(
        figures.intervals(name='benefit', **arguments),
        figures.intervals(name='benefit-n', width=figures.NARROW, **arguments),
        'Each dot is one seed; diamond and bar: mean and 95 % interval.'
        ' This is what the proxies should have told.',
        ('pairs.csv', found.pairs_csv()),
      ),
    ]
  )


def _scatters(found: proxies_lib.Proxies, names: dict[str, str]) -> html.Html:
  """The strongest column of each of the strongest diagnostics."""
  kept: dict[str, proxies_lib.ProxyRow] = {}
  for row in found.diagnostics:
    if np.isfinite(row.within.estimate):
      kept.setdefault(row.proxy.split('/')[2], row)
  panels = [
    html.small(
      figures.scatter(
        found.values[row.proxy],
        found.benefit,
        name=f'scatter-{i}',
        title=names[row.proxy],
        label='benefit',
        color=max(1, _color(row)),
      )
    )
    for i, row in enumerate(list(kept.values())[:PANELS])
  ]  # pyformat: disable
  if not panels:
    return html.Html('')
  return html.join(
    [
      html.tag('h2', 'The strongest, network by network'),
      html.tag('div', *panels, class_='grid pair'),
      html.tag(
        'p',
        'Each dot is one seed at one fork; later forks are drawn stronger. ',
        html.download('pairs.csv', found.pairs_csv()),
        class_='quiet',
      ),
    ]
  )
