"""Curves of seeds, kept until they are handed to the verdict."""

import csv
import pathlib

import plasticity_rl as pl


class Curves:
  """Returns of every seed in `points` parts of each task, by arm."""

  def __init__(self, points=10):
    self.points, self.step = points, 0
    self.past, self.arms = [], {}

  def add(self, arm, scores, steps):
    """Adds a task: `scores` `[seeds, steps]`; arm None is before the fork."""
    parts = scores.reshape(len(scores), self.points, -1).mean(-1)
    rows = [
      (seed, self.step + (i + 1) * steps // self.points, float(part[i]))
      for seed, part in enumerate(parts)
      for i in range(self.points)
    ]
    if arm is None:
      self.past += rows
      self.step += steps
    else:
      self.arms[arm] = rows
    return float(parts.mean())

  def verdict(self, folder, margin):
    """Writes curves.csv, every arm with the past in common, and judges it."""
    path = pathlib.Path(folder) / 'curves.csv'
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
      (arm, *row)
      for arm, after in self.arms.items()
      for row in sorted(self.past) + after
    ]
    with path.open('w', newline='') as file:
      csv.writer(file).writerows([('arm', 'seed', 'step', 'return'), *rows])
    return pl.verdict_of_curves(
      path, folder, margin=margin, fork_step=self.step
    )
