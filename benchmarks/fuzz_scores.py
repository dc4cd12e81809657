"""Files of scores, changed in odd ways by hypothesis.

  python -m benchmarks.fuzz_scores [--examples=N]

A file of two arms, three tasks and four seeds is changed: rows are dropped,
doubled and put in another order, cells are written in another way or replaced.
Each file has to be read as it stands, and be summarised rightly, or be refused
in one line that names the file. Prints the number of files tried and every one
of which neither is true; the exit code is then 1. `results/boundaries.md` has
what came of it.
"""

import math
import pathlib
import tempfile
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from benchmarks import fuzzing
from plasticity_rl.analysis.study import scores
from plasticity_rl.errors import UserError

ARMS, TASKS, SEEDS = ('control', 'injection'), ('a', 'b', 'c'), range(4)
RUNS = [(arm, task, seed) for arm in ARMS for task in TASKS for seed in SEEDS]
VALUES = np.random.default_rng(0).normal(10, 2, len(RUNS)).round(3)

# Cells of a return, and whether each is a finite number.
RETURNS = {
  '1e3': True,
  ' -2.5 ': True,
  '0': True,
  '1_000': True,  # As Python reads it.
  'nan': False,
  'inf': False,
  '': False,
  'None': False,
  '1,5': False,
  '[1.0]': False,
  '0x10': False,
}


class Case(NamedTuple):
  """A changed file.

  Attributes:
    rows: indices of runs, in order; one may be there twice or not at all.
    spelling: how a seed is written, a format of a whole number.
    replaced: a cell of 'return' by the place of its row; others stay.
    blank: a place whose name of an arm is empty, or None.
  """

  rows: tuple[int, ...]
  spelling: str
  replaced: dict[int, str]
  blank: int | None

  def text(self) -> str:
    """The content of the file."""
    lines = ['algorithm,arm,task,seed,return']
    for place, run in enumerate(self.rows):
      arm, task, seed = RUNS[run]
      arm = '' if place == self.blank else arm
      value = self.replaced.get(place, f'{VALUES[run]}')
      quoted = f'"{value}"' if ',' in value else value
      lines.append(f'dqn,{arm},{task},{self.spelling.format(seed)},{quoted}')
    return '\n'.join(lines) + '\n'

  def is_valid(self) -> bool:
    """Whether a file must be taken."""
    bad = (
      place < len(self.rows) and not RETURNS[cell]
      for place, cell in self.replaced.items()
    )
    return (
      len(self.rows) > 0
      and len(set(self.rows)) == len(self.rows)
      and not any(bad)
      and (self.blank is None or self.blank >= len(self.rows))
    )


def _cases() -> st.SearchStrategy:
  every = st.permutations(range(len(RUNS)))
  rows = st.tuples(every, st.integers(0, len(RUNS))).map(lambda x: x[0][: x[1]])
  doubled = st.lists(st.integers(0, len(RUNS) - 1), max_size=30)
  place = st.integers(0, len(RUNS) - 1)
  return st.builds(
    Case,
    fuzzing.mostly(rows, doubled).map(tuple),
    st.sampled_from(('{}', '{}.0', ' {}')),
    fuzzing.mostly(
      st.just({}),
      st.dictionaries(place, st.sampled_from(list(RETURNS)), max_size=3),
    ),
    fuzzing.mostly(st.none(), place),
  )


def _check(case: Case, path: pathlib.Path) -> bool:
  path.write_text(case.text())
  try:
    found = scores.read(path)
  except UserError as error:
    fuzzing.check_line(error, path.name)
    assert not case.is_valid(), f'refused: {error}'
    return False
  assert case.is_valid(), 'taken'
  wanted = _wanted(case)
  assert {s[1:4]: s.value for s in found} == wanted
  for resampling in scores.RESAMPLING:
    _check_summary(found, wanted, resampling)
  return True


def _wanted(case: Case) -> dict[Any, float]:
  """The scores by arm, task and seed."""
  wanted = {}
  for place, run in enumerate(case.rows):
    arm, task, seed = RUNS[run]
    value = float(case.replaced.get(place, VALUES[run]))
    wanted[arm, task, str(seed)] = value
  return wanted


def _check_summary(found, wanted, resampling):
  rows = scores.summarise(found, resampling=resampling, resamples=50)
  said = ' '.join(scores.notes(found, rows))
  assert {row.arm for row in rows} == {arm for arm, *_ in wanted}
  runs_of = {}
  for row in rows:
    own = {key[1:]: v for key, v in wanted.items() if key[0] == row.arm}
    by_task = {}
    for (task, _), value in own.items():
      by_task.setdefault(task, []).append(value)
    counts = {len(values) for values in by_task.values()}
    runs_of[row.arm] = set(own)
    assert (row.runs, row.tasks) == (len(own), len(by_task))
    assert min(own.values()) <= row.iqm <= max(own.values())
    mean = np.mean([np.mean(values) for values in by_task.values()])
    assert math.isclose(row.mean, mean, rel_tol=1e-9)
    # No interval where none can be known, and who reads it is told.
    if resampling == 'stratified' and 1 in counts:
      assert math.isnan(row.iqm_low) and 'one run only' in said
    assert ('fewer runs' in said) >= (len(counts) > 1)
  if len(runs_of) == len(ARMS) and len({*map(frozenset, runs_of.values())}) > 1:
    assert 'different' in said


def files(examples: int) -> fuzzing.Tally:
  """Reads and summarises changed files."""
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'scores.csv'
    return fuzzing.run(examples, _cases(), lambda case: _check(case, path))


SECTIONS = {'files of scores': files}

if __name__ == '__main__':
  fuzzing.main(SECTIONS, __doc__)
