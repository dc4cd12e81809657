"""Paired differences of mean zero and deviation one, of many shapes.

What is drawn stands for injection minus control, one a seed. 'down' has its
long tail on the side of losses, where a gain is overstated; 'up' on the side of
gains, where it is overlooked.
"""

from collections.abc import Callable, Mapping

import numpy as np

Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def _exponential(rng, size):
  return rng.exponential(size=size) - 1


def _lognormal(rng, size):
  return rng.lognormal(size=size) - np.exp(0.5)


def _arms(draw):
  """The difference of two arms that score alike: symmetric."""
  return lambda rng, size: draw(rng, size) - draw(rng, size)


def _down(draw):
  return lambda rng, size: -draw(rng, size)


def _rarely(share):
  """A share of seeds gains much, the others lose a little; some noise."""

  def draw(rng, size):
    lucky = rng.random(size) < share
    values = np.where(lucky, 1 - share, -share) / share
    return values + 0.05 / share * rng.normal(size=size)

  return draw


def _ties(share, draw):
  """A share of seeds gains nothing at all: both arms score alike."""

  def tied(rng, size):
    return np.where(rng.random(size) < share, 0.0, draw(rng, size))

  return tied


def _normal(rng, size):
  return rng.normal(size=size)


_DRAWS: Mapping[str, Draw] = {
  'normal': _normal,
  'uniform': lambda rng, size: rng.uniform(-1, 1, size),
  'Laplace': lambda rng, size: rng.laplace(size=size),
  'Student, 3 d.f.': lambda rng, size: rng.standard_t(3, size),
  'two log-normal arms': _arms(_lognormal),
  'two values': lambda rng, size: np.where(rng.random(size) < 0.5, -1.0, 1.0),
  'exponential down': _down(_exponential),
  'exponential up': _exponential,
  'log-normal down': _down(_lognormal),
  'log-normal up': _lognormal,
  'a tenth collapses': _down(_rarely(0.1)),
  'a tenth gains': _rarely(0.1),
  '3 in 10 collapse': _down(_rarely(0.3)),
  '85 % tie, else normal': _ties(0.85, _normal),
  'half tie, else exponential down': _ties(0.5, _down(_exponential)),
}


def _standardised(draw: Draw) -> Draw:
  """Of deviation one; the mean is zero already."""
  scale = draw(np.random.default_rng(0), (1_000_000,)).std()
  return lambda rng, size: draw(rng, size) / scale


DISTRIBUTIONS: Mapping[str, Draw] = {
  name: _standardised(draw) for name, draw in _DRAWS.items()
}
