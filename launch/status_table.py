"""Shows the progress of a study as a table and as a line."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import math
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import folder as folder_lib
from . import progress

if TYPE_CHECKING:
  from rich import table as tables

_COLORS = {
  folder_lib.DONE: 'green',
  folder_lib.RUNNING: 'cyan',
  folder_lib.FAILED: 'red',
  folder_lib.WAITING: 'bright_black',
}


def counts(jobs: Sequence[progress.Progress]) -> str:
  """The number of jobs in each state, in a line."""
  found = collections.Counter(job.state for job in jobs)
  return ', '.join(
    f'{found[state]} {state}' for state in _COLORS if found[state]
  )


def time_left(jobs: Sequence[progress.Progress]) -> float:
  """Seconds until all jobs are done, at the present total rate; or NaN."""
  running = [job for job in jobs if job.state == folder_lib.RUNNING]
  rates = [job.rate for job in running if math.isfinite(job.rate)]
  left = sum(
    job.total - job.done
    for job in jobs
    if job.state in (folder_lib.RUNNING, folder_lib.WAITING)
  )
  return left / sum(rates) if rates and sum(rates) else math.nan


def table(
  folder: pathlib.Path, jobs: Sequence[progress.Progress]
) -> tables.Table:
  """Makes the table that rich shows.

  Raises:
    UserError: the folder is not a study.
  """
  from rich import box
  from rich import table as tables
  from rich import text

  left = progress.duration(time_left(jobs))
  title = progress.title(folder)
  shown = tables.Table(
    title=text.Text(title),
    box=box.SIMPLE_HEAD,
    title_justify='left',
    caption=counts(jobs) + (f'; about {left} left' if left else ''),
    caption_justify='left',
  )
  shown.add_column('run', overflow='fold')
  shown.add_column('')
  for name in ('done', 'steps/s', 'left', 'return'):
    shown.add_column(name, justify='right', no_wrap=True)
  shown.add_column('curve', no_wrap=True)
  for job in collapsed(jobs):
    name, state, *rest = (text.Text(cell) for cell in cells(job))
    state.stylize(_COLORS[job.state])
    shown.add_row(name, state, *rest)
    if job.error and job.state != folder_lib.DONE:
      failed = job.state == folder_lib.FAILED
      error = f'  {job.error}' + (f'\n  log: {job.log}' if job.log else '')
      shown.add_row(text.Text(error, style='red' if failed else 'yellow'))
  return shown


def collapsed(jobs: Sequence[progress.Progress]) -> list[progress.Progress]:
  """Jobs, and one row for all of a talk's part that is done or not begun."""
  found: list[progress.Progress] = []
  for part, group in itertools.groupby(jobs, lambda j: j.name.split('/')[0]):
    members = list(group)
    states = {job.state for job in members}
    whole = states in ({folder_lib.DONE}, {folder_lib.WAITING})
    if len(members) == 1 or not whole or any(job.error for job in members):
      found += members
      continue
    found.append(
      dataclasses.replace(
        members[0],
        name=f'{part}: {len(members)} jobs',
        done=sum(job.done for job in members),
        total=sum(job.total for job in members),
        last=math.nan,
        curve=(),
      )
    )
  return found


def cells(job: progress.Progress) -> tuple[str, ...]:
  """The cells of a job's row."""
  share = job.done / job.total if job.total else 1.0
  known = math.isfinite(job.rate)
  running = job.state == folder_lib.RUNNING
  return (
    job.name,
    job.state,
    f'{share:.0%}',
    f'{job.rate:,.0f}' if known and running else '',
    progress.duration(job.left) if running else '',
    f'{job.last:.3g}' if math.isfinite(job.last) else '',
    progress.spark(job.curve),
  )
