"""What a study cost: everything that was computed, once."""

import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.study.study import StudyResults


def spent(study: StudyResults) -> tuple[float, float]:
  """FLOPs of all seeds, and seconds, of everything that was computed.

  A run that went on from a shared prefix has that prefix in its ledger, and a
  longer prefix the one that it went on from: it is taken off again.
  """
  flops = seconds = 0.0
  prefixes = {run.path.name: run for run in study.prefixes}
  for run in _computed(study):
    before = str(run.record.get('past') or '').removeprefix('prefix-')
    parts = [(run, 1)]
    if before in prefixes:
      parts.append((prefixes[before], -1))
    for one, times in parts:
      seeds = max(1, len(run.table.seeds))
      flops += times * np.nan_to_num(runs.flops(one)) * seeds
      seconds += times * np.nan_to_num(runs.seconds(one))
  return float(flops), float(seconds)


def _computed(study: StudyResults) -> list[runs.RunResults]:
  """Run folders that hold what was computed, each once."""
  found = {s.record.path: s.record for s in study.samples}
  found |= {
    s.prefix.path: s.prefix for s in study.samples if s.prefix is not None
  }
  found |= {run.path: run for run in study.prefixes}
  # The prefix that a diagnosis was given is a copy of its history alone.
  return [run for run in found.values() if run.ledger]
