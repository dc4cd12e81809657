"""Units of a hidden layer, by what they put out on a batch.

A unit of a dense layer is a column of its features, `[B, U]`; one of a
convolution is a channel of `[B, H, W, U]`, looked at over all positions. Where
an activation makes k features of each unit (CReLU, Fourier), features are
`[B, ..., k U]`, and unit i has features i, i + U, ...
"""

import chex
import jax
import jax.numpy as jnp

from plasticity_rl import checks
from plasticity_rl.errors import UserError

# --- By unit ----------------------------------------------------------------


def unit_activity(features: jax.Array) -> jax.Array:
  """Mean |h| of each unit, `[B, ..., U] -> [U]`.

  A unit of a convolution is a channel, averaged over positions as well.
  """
  return jnp.abs(features).reshape(-1, features.shape[-1]).mean(0)


def dormancy_scores(
  features: jax.Array, features_per_unit: int = 1
) -> jax.Array:
  """s_i = mean |h_i| / (mean over units of mean |h|), `[B, ..., U] -> [U]`.

  Sokar et al., "The Dormant Neuron Phenomenon in Deep RL", 2023. A layer of
  zeros scores zero. |h_i| is summed over the features of a unit that has
  several.
  """
  activity = unit_activity(features).reshape(features_per_unit, -1).sum(0)
  mean = activity.mean()
  return jnp.where(mean > 0, activity / jnp.where(mean > 0, mean, 1), 0)


def is_dead(features: jax.Array, features_per_unit: int = 1) -> jax.Array:
  """Whether all features of a unit are zero on every example, bool `[U]`."""
  silent = unit_activity(features) == 0
  return silent.reshape(features_per_unit, -1).all(0)


def is_dormant(
  features: jax.Array, features_per_unit: int = 1, tau: float = 0.025
) -> jax.Array:
  """Whether each unit's score is at most tau, bool `[U]`."""
  return dormancy_scores(features, features_per_unit) <= tau


def is_active(
  features: jax.Array, features_per_unit: int = 1, threshold: float = 0.0
) -> jax.Array:
  """Whether the mean of a feature of a unit is above `threshold`, `[U]`."""
  active = features.reshape(-1, features.shape[-1]).mean(0) > threshold
  return active.reshape(features_per_unit, -1).any(0)


def saturation_of(
  features: jax.Array, low: float, high: float, margin: float = 0.05
) -> jax.Array:
  """Share of examples on which each unit is near a bound, `[U]`."""
  width = margin * (high - low)
  near = (features <= low + width) | (features >= high - width)
  return near.reshape(-1, features.shape[-1]).mean(0)


def overlap_of(now: jax.Array, before: jax.Array) -> jax.Array:
  """|N & M| / min(|N|, |M|) of sets, bool `[U]`; NaN where one is empty."""
  chex.assert_equal_shape([now, before])
  smaller = jnp.minimum(now.sum(), before.sum())
  both = (now & before).sum()
  return jnp.where(smaller > 0, both / jnp.maximum(smaller, 1), jnp.nan)


# --- Of a layer -------------------------------------------------------------


def _share(units: jax.Array) -> jax.Array:
  return units.astype(jnp.float32).mean()


def _features(values: jax.Array, features_per_unit: int) -> jax.Array:
  """Checks features, and that they are those of whole units."""
  found = checks.features(values)
  checks.count('features_per_unit', features_per_unit, 1)
  if found.shape[-1] % features_per_unit:
    raise UserError(
      f'features: {found.shape[-1]} features are no multiple of'
      f' features_per_unit ({features_per_unit})'
    )
  return found


def dead_units(features: jax.Array, *, features_per_unit: int = 1) -> jax.Array:
  """Fraction of units whose output is zero on the whole batch.

  Of ReLU units these get no gradient. A channel is dead if it is zero at every
  position. Lyle et al., "Understanding Plasticity in Neural Networks", 2023,
  among others, count them.

  Args:
    features: of a layer, after its activation, `[B, U]` or `[B, ..., U]`.
    features_per_unit: 2 after a CReLU or Fourier activation.

  Returns:
    The fraction, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite, or not those of
      whole units.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.array([[1.0, 0, 2, 0], [3.0, 0, 0, 2]])
    >>> float(pl.measures.dead_units(features))
    0.25
  """
  return _share(
    is_dead(_features(features, features_per_unit), features_per_unit)
  )


def dormancy(
  features: jax.Array, tau: float = 0.025, *, features_per_unit: int = 1
) -> jax.Array:
  """Fraction of units with a score s_i <= tau.

      s_i = E|h_i| / (1/U sum_j E|h_j|)

  Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
  2023, tau-dormant units. All units of a layer of zeros are dormant. It is the
  diagnostic `dormant_units`.

  Args:
    features: h of a layer, after its activation, `[B, U]` or `[B, ..., U]`.
    tau: the threshold, not negative; 0 counts the dead units.
    features_per_unit: 2 after a CReLU or Fourier activation.

  Returns:
    The fraction, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite, or not those of
      whole units; or a negative tau.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.array([[1.0, 0, 2, 0.01], [3.0, 0, 0, 0.01]])
    >>> float(pl.measures.dormancy(features))
    0.5
    >>> float(pl.measures.dormancy(features, tau=0.0))
    0.25
  """
  checks.at_least('tau', tau, 0)
  found = _features(features, features_per_unit)
  return _share(is_dormant(found, features_per_unit, tau))


def active_units(
  features: jax.Array, threshold: float = 0.0, *, features_per_unit: int = 1
) -> jax.Array:
  """FAU: fraction of units whose mean output is above `threshold`.

      1/U sum_i 1[E h_i(x) > threshold]

  Ma et al., "Revisiting Plasticity in Visual Reinforcement Learning", 2023,
  with their threshold of zero. After a ReLU it is one minus `dead_units`; of
  an activation that may be negative it is not. A unit of several features is
  active if one of them is.

  Args:
    features: h of a layer, after its activation, `[B, U]` or `[B, ..., U]`.
    threshold: of the mean.
    features_per_unit: 2 after a CReLU or Fourier activation.

  Returns:
    The fraction, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty or not finite, or not those of
      whole units.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.array([[1.0, 0, 2, -3], [3.0, 0, 0, 2]])
    >>> float(pl.measures.active_units(features))
    0.5
  """
  found = _features(features, features_per_unit)
  return _share(is_active(found, features_per_unit, threshold))


def dormant_overlap(
  features: jax.Array,
  earlier: jax.Array,
  tau: float = 0.025,
  *,
  features_per_unit: int = 1,
) -> jax.Array:
  """Overlap of the dormant units of now, N, with those of before, M.

      |N & M| / min(|N|, |M|)

  Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning",
  2023, show by it that dormant units stay dormant.

  Args:
    features: of a layer now, `[B, U]` or `[B, ..., U]`.
    earlier: of the same layer at an earlier time; another batch will do.
    tau: the threshold of `dormancy`, not negative.
    features_per_unit: 2 after a CReLU or Fourier activation.

  Returns:
    The coefficient, float32 `[]`, NaN where one of the sets is empty.

  Raises:
    UserError: features that are no batch, empty or not finite, of different
      numbers of units, or a negative tau.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> earlier = np.array([[1.0, 0, 2, 0]])
    >>> now = np.array([[1.0, 0, 2, 3]])
    >>> float(pl.measures.dormant_overlap(now, earlier))
    1.0
  """
  checks.at_least('tau', tau, 0)
  features = _features(features, features_per_unit)
  earlier = _features(earlier, features_per_unit)
  if features.shape[-1] != earlier.shape[-1]:
    raise UserError(
      f'features have {features.shape[-1]} units now and {earlier.shape[-1]}'
      ' earlier'
    )
  return overlap_of(
    is_dormant(features, features_per_unit, tau),
    is_dormant(earlier, features_per_unit, tau),
  )


def saturation(
  features: jax.Array,
  low: float = -1.0,
  high: float = 1.0,
  margin: float = 0.05,
) -> jax.Array:
  """Share of outputs of a bounded activation that are near one of its bounds.

  Near is within `margin` of the range from `low` to `high`, whose derivative is
  small: of tanh h > 0.9 or h < -0.9, where 1 - h^2 < 0.19, of a sigmoid
  h > 0.95 or h < 0.05, where h (1 - h) < 0.0475, both 19 % of the largest.
  Glorot and Bengio, "Understanding the Difficulty of Training Deep Feedforward
  Neural Networks", 2010, watch units saturate; the margin is our choice.

  Args:
    features: of a layer after its activation, `[B, U]` or `[B, ..., U]`.
    low: the lower bound; 0 of a sigmoid, -1 of tanh.
    high: the upper bound.
    margin: share of the range, 0 to 0.5.

  Returns:
    The share over examples, positions and units, float32 `[]`.

  Raises:
    UserError: features that are no batch, empty, not finite or out of the
      bounds, bounds in the wrong order, or a margin out of its range.

  Example:
    >>> import numpy as np
    >>> import plasticity_rl as pl
    >>> features = np.array([[0.95, -0.2, -1.0], [0.99, 0.1, 0.3]])
    >>> float(pl.measures.saturation(features))
    0.5
  """
  checks.number('margin', margin, 0, 0.5)
  if not low < high:
    raise UserError(f'low must be below high: {low} and {high}')
  found = checks.features(features)
  if not isinstance(found, jax.core.Tracer) and (
    found.min() < low or found.max() > high
  ):
    raise UserError(
      f'features are not within {low:g} and {high:g}, the bounds of their'
      ' activation'
    )
  return saturation_of(found, low, high, margin).mean()
