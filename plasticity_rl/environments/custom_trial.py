"""Tries a user's environment before training.

Its first steps are checked by the adapters. Its state is saved, set into a
second environment, and both have to go on alike: otherwise a run could be saved
but not continued. Environments of their own are built for this and closed
again, so that those of the run stay as they are.
"""

import contextlib
import functools
import random
from collections.abc import Callable, Iterator

import numpy as np
from absl import logging

from plasticity_rl.environments.custom_adapters import SingleAdapter
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.vector import Outcome
from plasticity_rl.errors import EnvironmentFaultError

# Any two different ones.
_SEEDS = (1, 2)
# Few, since a simulator may be slow.
_STEPS = 16

# The observation after a step, and its outcome; None for a reset.
_Row = tuple[np.ndarray, Outcome | None]


def check(label: str, build: Callable[[], SingleAdapter]) -> None:
  """Plays some steps and copies an environment, if it can be copied.

  Logs a note if two environments with different seeds begin alike, or if
  observations become something that the user may not expect.

  Args:
    label: of the environment, for messages.
    build: builds an environment.

  Raises:
    EnvironmentFaultError: the environment returned what does not fit its
      spaces, or its copy went on differently.
  """
  with contextlib.ExitStack() as stack:
    stack.enter_context(_global_generators_kept())

    def built() -> SingleAdapter:
      env = build()
      stack.callback(lambda: env.close())
      return env

    first, second = built(), built()
    for note in first.notes:
      say(f'note: environment {label}: {note}')
    rows = []
    for env, seed in zip((first, second), _SEEDS, strict=True):
      env.begin(seed)
      rows.append([(_seen(env), None), *_play(env, _STEPS)])
    if not _difference(*map(_first_episode, rows)):
      say(
        f'note: environment {label} begins alike under two seeds '
        f'({len(_first_episode(rows[0])) - 1} steps of equal actions): that is '
        'right if nothing in it is random; otherwise it does not draw from '
        'its seed (see docs/environments.md), and every environment and every '
        'seed of a run sees the same'
      )
    if first.can_copy:
      _check_copy(label, first, built())


def _check_copy(
  label: str, original: SingleAdapter, copy: SingleAdapter
) -> None:
  """Checks that the copy, which was never begun, goes on as the original."""
  copy.set_state(original.get_state())
  difference = _difference(
    list(_play(original, _STEPS)), list(_play(copy, _STEPS))
  )
  if difference:
    raise EnvironmentFaultError(
      f'environment {label}: a second one that was given the state of the '
      f'first by set_state(get_state()) went on differently: {difference}; the '
      'state must hold all that the future depends on, random generators '
      'included (see docs/environments.md), or leave both methods out'
    )


def _play(env: SingleAdapter, steps: int) -> Iterator[_Row]:
  """Takes steps, always the same actions, over the ends of episodes."""
  actions, rng = env.spaces.actions, np.random.default_rng(0)
  for _ in range(steps):
    if isinstance(actions, Discrete):
      action = rng.integers(actions.num_actions, dtype=np.int32)
    else:
      action = rng.uniform(-1, 1, actions.size).astype(np.float32)
    outcome = env.advance(action)
    yield _seen(env), outcome
    if outcome.last:
      env.reset()
      yield _seen(env), None


def _seen(env: SingleAdapter) -> np.ndarray:
  """The observation; a copy, as some draw all into one array."""
  return env.observe().copy()


def _first_episode(rows: list[_Row]) -> list[_Row]:
  ends = [i for i, (_, outcome) in enumerate(rows) if outcome and outcome.last]
  return rows[: ends[0] + 1] if ends else rows


def _difference(rows: list[_Row], others: list[_Row]) -> str:
  """The first difference in words; '' if there is none."""
  steps = 0
  for (seen, outcome), (other_seen, other) in zip(rows, others, strict=False):
    steps += outcome is not None
    where = f'after {steps} steps' if outcome else f'at a reset after {steps}'
    if not np.array_equal(seen, other_seen):
      return f'another observation {where}'
    if outcome != other:
      return f'{outcome} instead of {other} {where}'
  return '' if len(rows) == len(others) else 'an episode of another length'


@contextlib.contextmanager
def _global_generators_kept() -> Iterator[None]:
  """Puts Python's and NumPy's own generators back: a trial moves nothing."""
  python, numpy = random.getstate(), np.random.get_state()
  try:
    yield
  finally:
    random.setstate(python)
    np.random.set_state(numpy)


@functools.cache  # Once a process: several runs may have one environment.
def say(note: str) -> None:
  """Logs a note."""
  logging.warning('%s', note)
