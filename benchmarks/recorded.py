"""States of a run with their Monte-Carlo values, to be fitted again."""

import pathlib
from collections.abc import Sequence

import jax
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint import Checkpoints
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import trainer_builder


def monte_carlo(
  r_t: np.ndarray, discount_t: np.ndarray, last: np.ndarray, gamma: float
) -> np.ndarray:
  """G_t = r_t + gamma discount_t G_t+1, `[T, E]`, in the order of time.

  NaN where it is not known: in episodes that were truncated or still go on.
  """
  values = np.full(r_t.shape, np.nan)
  after = np.full(r_t.shape[1:], np.nan)
  for t in reversed(range(len(r_t))):
    # Nothing is known of what would have come after a truncation.
    after = np.where(last[t], np.nan, after)
    ended = discount_t[t] == 0
    values[t] = r_t[t] + np.where(ended, 0.0, gamma * after)
    after = values[t]
  return values


def record(
  folder: pathlib.Path,
  steps: Sequence[int],
  states: int,
  path: pathlib.Path,
  seed: int = 0,
) -> None:
  """Writes states of a run's replay and their values, as `datasets.load` reads.

  Args:
    folder: a run with a replay, and checkpoints at `steps`.
    steps: points of the run.
    states: how many of each point, drawn without replacement.
    path: where to write; inputs `[R, T, N, ...]` and values `[R, T, N]`, R
      being the seeds of the run.
    seed: of the draw.
  """
  settings = settings_lib.resolve(run_folder.read_config(folder))
  experiment = experiment_lib.build(settings)
  _, source = trainer_builder.build_agent_and_data(settings)
  ring = source.ring
  rng = np.random.default_rng(seed)
  inputs, values = [], []
  for step in steps:
    state, _ = Checkpoints(folder).restore(step, experiment)
    stored, cleared = int(state.counters.stored), int(state.counters.cleared)
    count = min(stored - cleared, ring.num_rows)
    numbers = stored - count + np.arange(count)
    point = []
    for one in range(settings.num_seeds):
      replay = jax.tree.map(lambda x, one=one: x[one], state.replay)
      rows = jax.tree.map(np.asarray, ring.rows(replay, numbers))
      found = monte_carlo(
        rows.r_t, rows.discount_t, rows.last, settings.replay.discount
      )
      known = np.argwhere(np.isfinite(found))
      if len(known) < states:
        raise UserError(
          f'the replay of {folder} at step {step} holds {len(known)} states '
          f'of whole episodes, fewer than {states}'
        )
      chosen = known[rng.choice(len(known), states, replace=False)]
      t, e = chosen.T
      point.append((rows.s_tm1[t, e], found[t, e]))
    inputs.append(np.stack([x for x, _ in point]))
    values.append(np.stack([v for _, v in point]))
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open('wb') as file:
    np.savez_compressed(
      file,
      inputs=np.stack(inputs, 1),
      values=np.stack(values, 1).astype(np.float32),
    )
