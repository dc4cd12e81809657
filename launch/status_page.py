"""The page of a study's state: one file, no script, nothing fetched."""

import math
import pathlib
import time
from collections.abc import Sequence

from plasticity_rl.analysis import files
from plasticity_rl.analysis import html

from . import folder as folder_lib
from . import progress
from . import status_table

_TONES = {
  folder_lib.DONE: 'arm-3',
  folder_lib.RUNNING: 'arm-1',
  folder_lib.FAILED: 'arm-2',
  folder_lib.WAITING: 'muted',
}
_WIDTH, _HEIGHT = 120, 26


def write(
  path: pathlib.Path,
  folder: pathlib.Path,
  jobs: Sequence[progress.Progress],
) -> None:
  """Writes the page."""
  files.write_all(path.parent, {path.name: build(folder, jobs)})


def build(folder: pathlib.Path, jobs: Sequence[progress.Progress]) -> str:
  """The page as text."""
  study = folder_lib.read_study(folder)
  left = progress.duration(status_table.time_left(jobs))
  failed = [job for job in jobs if job.state == folder_lib.FAILED]
  rows = [
    (
      job.name,
      _colored(job.state, job.state),
      *status_table.cells(job)[2:6],
      _spark(job),
    )
    for job in jobs
  ]
  return html.page(
    f'Status: {study["title"]}',
    html.tag('p', str(folder), class_='over'),
    html.tag('h1', study['title']),
    html.tag(
      'p',
      status_table.counts(jobs) + (f'; about {left} left' if left else ''),
      class_='lead',
    ),
    html.tag(
      'p',
      'As of ' + time.strftime('%Y-%m-%d %H:%M:%S %Z') + '.',
      class_='quiet',
    ),
    *(
      html.tag(
        'p',
        html.tag('b', job.name),
        f': {job.error} (log: {job.log})',
        class_='note',
      )
      for job in failed
    ),
    html.table(('run', '', 'done', 'steps/s', 'left', 'return', 'curve'), rows),
  )


def _colored(text, state):
  return html.tag('span', text, style=f'color:var(--{_TONES[state]})')


def _spark(job):
  """The curve as a small drawing that takes its colour from the page."""
  values = [v for v in job.curve if math.isfinite(v)]
  if len(values) < 2:
    return ''
  low, high = min(values), max(values)
  span = (high - low) or 1.0
  points = ' '.join(
    f'{i / (len(values) - 1) * _WIDTH:.1f},'
    f'{2 + (1 - (v - low) / span) * (_HEIGHT - 4):.1f}'
    for i, v in enumerate(values)
  )
  line = html.tag(
    'polyline',
    points=points,
    fill='none',
    stroke_width='1.5',
    stroke=f'var(--{_TONES[job.state]})',
  )
  return html.tag(
    'svg',
    line,
    viewBox=f'0 0 {_WIDTH} {_HEIGHT}',
    width=str(_WIDTH),
    height=str(_HEIGHT),
    role='img',
    aria_label=f'return from {values[0]:.3g} to {values[-1]:.3g}',
  )
