"""Running statistics of observations and returns, on the host, for each seed.

Mean and sum of squares are updated by batches, in float64 (Chan, Golub and
LeVeque, "Updating Formulae and a Pairwise Algorithm", 1979). The statistics are
part of the state of a run; those of observations, or of returns, are missing if
these are not normalised. The replay stores what the environments return;
batches are normalised by the current statistics.
"""

import numpy as np

LIMIT = 10.0  # Normalised observations are clipped to +-LIMIT.
SMALL = 1e-8  # Added to a variance.
# Of the discounted returns G of the episodes so far.
_NOW, _LARGEST = 'returns_now', 'returns_largest'
_MOMENTS = ('count', 'mean', 'squares')
_OF_RETURNS = tuple(f'returns_{name}' for name in _MOMENTS)


def init(num_seeds: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
  """Statistics of observations before the first one."""
  return {
    'count': np.zeros(num_seeds),
    'mean': np.zeros((num_seeds, *shape)),
    'squares': np.zeros((num_seeds, *shape)),
  }


def init_returns(num_seeds: int, num_envs: int) -> dict[str, np.ndarray]:
  """Statistics of returns before the first reward."""
  return {
    **{name: np.zeros(num_seeds) for name in (*_OF_RETURNS, _LARGEST)},
    _NOW: np.zeros((num_seeds, num_envs)),
  }


def update(
  statistics: dict[str, np.ndarray], observations: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns the statistics after observations `[S, E, ...]`."""
  if 'mean' not in statistics:
    return statistics
  return statistics | _joined(statistics, _MOMENTS, observations)


def update_returns(
  statistics: dict[str, np.ndarray],
  rewards: np.ndarray,
  last: np.ndarray,
  discount: float,
) -> dict[str, np.ndarray]:
  """Returns the statistics after rewards `[S, E]`, G <- discount G + r.

  Args:
    statistics: those of before.
    rewards: `[S, E]`.
    last: whether an episode ended, `[S, E]`.
    discount: of G.
  """
  if _NOW not in statistics:
    return statistics
  now = discount * statistics[_NOW] + rewards
  return {
    **statistics,
    **_joined(statistics, _OF_RETURNS, now),
    _NOW: np.where(last, 0.0, now),
    _LARGEST: np.maximum(statistics[_LARGEST], np.abs(now).max(1)),
  }


def begin_episodes(statistics: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns the statistics where every environment begins an episode."""
  if _NOW not in statistics:
    return statistics
  return {**statistics, _NOW: np.zeros_like(statistics[_NOW])}


def _joined(statistics, names, x):
  """Count, mean and sum of squares after `x`, `[S, E, ...]`, by their names."""
  count, old_mean, old_squares = (statistics[name] for name in names)
  ones = (slice(None), *[None] * (x.ndim - 2))
  added = x.shape[1]
  total = count + added
  mean = x.mean(1, dtype=np.float64)
  squares = np.square(x - mean[:, None], dtype=np.float64).sum(1)
  delta = mean - old_mean
  new = (
    total,
    old_mean + delta * (added / total)[ones],
    old_squares + squares + (np.square(delta) * (count * added / total)[ones]),
  )
  return dict(zip(names, new, strict=True))


def normalize(
  statistics: dict[str, np.ndarray], observations: np.ndarray
) -> np.ndarray:
  """(x - mean) / deviation, clipped, in float32, `[S, ..., *shape]`.

  With fewer than two observations, x is only cast to float32; without their
  statistics it is returned as it is.
  """
  if 'mean' not in statistics:
    return observations
  mean, count = statistics['mean'], statistics['count']
  if count[0] < 2:  # The count is the same for all seeds.
    return observations.astype(np.float32)
  freedom = (count - 1).reshape(-1, *[1] * (mean.ndim - 1))
  deviation = np.sqrt(statistics['squares'] / freedom + SMALL)
  between = observations.ndim - mean.ndim
  shape = (len(mean), *[1] * between, *mean.shape[1:])
  normalized = (observations - mean.reshape(shape)) / deviation.reshape(shape)
  return np.clip(normalized, -LIMIT, LIMIT).astype(np.float32)


def scale(
  statistics: dict[str, np.ndarray], rewards: np.ndarray, most: float
) -> np.ndarray:
  """r / max(deviation of G, largest |G| / most), in float32, `[S, ...]`.

  Lee et al., "Hyperspherical Normalization for Scalable Deep Reinforcement
  Learning", 2025 (SimBaV2): so returns have a deviation of 1 at most, and none
  is beyond `most`. Without statistics of returns, r is returned as it is.
  """
  if _NOW not in statistics:
    return rewards
  count, _, squares = (statistics[name] for name in _OF_RETURNS)
  deviation = np.sqrt(squares / np.maximum(count, 1) + SMALL)
  size = np.maximum(deviation, statistics[_LARGEST] / most)
  ones = (slice(None), *[None] * (rewards.ndim - 1))
  return (rewards / size[ones]).astype(np.float32)
