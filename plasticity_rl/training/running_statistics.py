"""Running mean and variance of observations, on the host, for each seed.

Mean and sum of squares are updated by batches, in float64 (Chan, Golub and
LeVeque, "Updating Formulae and a Pairwise Algorithm", 1979). The statistics are
part of the state of a run, an empty dict if observations are not normalised.
The replay stores observations without normalisation; batches are normalised by
the current statistics.
"""

import numpy as np

LIMIT = 10.0  # Normalised observations are clipped to +-LIMIT.


def init(num_seeds: int, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
  """Statistics before the first observation."""
  return {
    'count': np.zeros(num_seeds),
    'mean': np.zeros((num_seeds, *shape)),
    'squares': np.zeros((num_seeds, *shape)),
  }


def update(
  statistics: dict[str, np.ndarray], observations: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns the statistics after observations `[S, E, ...]`."""
  if not statistics:
    return statistics
  ones = (slice(None), *[None] * (observations.ndim - 2))
  count, added = statistics['count'], observations.shape[1]
  total = count + added
  mean = observations.mean(1, dtype=np.float64)
  squares = np.square(observations - mean[:, None], dtype=np.float64).sum(1)
  delta = mean - statistics['mean']
  return {
    'count': total,
    'mean': statistics['mean'] + delta * (added / total)[ones],
    'squares': statistics['squares']
    + squares
    + (np.square(delta) * (count * added / total)[ones]),
  }


def normalize(
  statistics: dict[str, np.ndarray], observations: np.ndarray
) -> np.ndarray:
  """(x - mean) / deviation, clipped, in float32, `[S, ..., *shape]`.

  With fewer than two observations, x is only cast to float32; without
  statistics it is returned as it is.
  """
  if not statistics:
    return observations
  mean, count = statistics['mean'], statistics['count']
  if count[0] < 2:  # The count is the same for all seeds.
    return observations.astype(np.float32)
  freedom = (count - 1).reshape(-1, *[1] * (mean.ndim - 1))
  deviation = np.sqrt(statistics['squares'] / freedom + 1e-8)
  between = observations.ndim - mean.ndim
  shape = (len(mean), *[1] * between, *mean.shape[1:])
  normalized = (observations - mean.reshape(shape)) / deviation.reshape(shape)
  return np.clip(normalized, -LIMIT, LIMIT).astype(np.float32)
