"""Atari scores on one scale: 0 is a random player's, 1 a person's."""

import dataclasses
from collections.abc import Sequence

from plasticity_rl.analysis.runs import Group
from plasticity_rl.analysis.study.scores import Score
from plasticity_rl.environments import atari_games
from plasticity_rl.errors import UserError
from plasticity_rl.errors import nearest

_PREFIX = 'atari_'


def is_atari(task: str) -> bool:
  """Whether the task is one of the 57 games, such as 'atari_pong'."""
  return task.removeprefix(_PREFIX) in atari_games.SCORES


def of_scores(scores: Sequence[Score]) -> list[Score]:
  """(score - random) / (person - random) of each; refuses other tasks."""
  return [s._replace(value=_scaled(s.task, s.value)) for s in scores]


def of_groups(groups: Sequence[Group], metric: str) -> list[Group]:
  """The same of returns over time; refuses what is no return."""
  if not metric.endswith('/return'):
    raise UserError(
      f'--human_normalized is for returns (eval/return, train/return), not '
      f'{metric}'
    )
  return [
    dataclasses.replace(g, values=_scaled(g.task, g.values)) for g in groups
  ]


def _scaled(task, value):
  if not is_atari(task):
    raise UserError(
      '--human_normalized: '
      + nearest(
        'Atari game',
        task,
        [_PREFIX + game for game in atari_games.SCORES],
        listed=('atari_GAME (57 games)',),
      )
    )
  return atari_games.human_normalized_score(task.removeprefix(_PREFIX), value)
