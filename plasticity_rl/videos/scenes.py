"""Drawings of the control problems, from their states.

A scene is lines, boxes and dots in the problem's own units (metres, or the
mountain car's positions), of which a window is shown.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL import ImageDraw

from plasticity_rl.environments import cartpole
from plasticity_rl.environments import cartpole_swingup
from plasticity_rl.environments import mountain_car

Point = tuple[float, float]
SIZE = 160  # Pixels of the longer side.
PAPER, INK, GREY = (250, 250, 248), (40, 60, 110), (170, 170, 170)
RED = (200, 70, 40)
_BIGGER = 4  # Drawn so much larger, and then averaged: smooth edges.


class Scene(NamedTuple):
  """What is seen of a state.

  Attributes:
    window: left, bottom, right and top of what is shown.
    lines: points that are joined, colour, and width in units of the window.
    dots: centre, radius and colour.
  """

  window: tuple[float, float, float, float]
  lines: tuple[tuple[tuple[Point, ...], tuple[int, int, int], float], ...]
  dots: tuple[tuple[Point, float, tuple[int, int, int]], ...] = ()


def _pendulum(state: Any) -> Scene:
  """The pole; positive angles lean to the left, as in `pendulum_pixels`."""
  tip = (-math.sin(state.theta), math.cos(state.theta))
  return Scene(
    (-1.2, -1.2, 1.2, 1.2),
    ((((0.0, 0.0), tip), INK, 0.16),),
    (((0.0, 0.0), 0.05, GREY),),
  )


def _pendulum_pixels(state: Any) -> Scene:
  return _pendulum(type(state.recent)(*(x[-1] for x in state.recent)))


def _cart(edge: float, length: float) -> Callable[[Any], Scene]:
  """A cart on a rail that ends at +-edge, with a pole of a length in m."""

  def scene(state: Any) -> Scene:
    x, angle = float(state.position), float(state.angle)
    tip = (x + length * math.sin(angle), length * math.cos(angle))
    side = edge + 0.4
    return Scene(
      (-side, -1.4, side, 1.4),
      (
        (((-edge, 0.0), (edge, 0.0)), GREY, 0.04),
        (((x - 0.25, 0.0), (x + 0.25, 0.0)), INK, 0.3),
        (((x, 0.0), tip), RED, 0.1),
      ),
    )

  return scene


def _acrobot(state: Any) -> Scene:
  """Two links, which hang down at an angle of 0."""
  first, second = float(state.theta_1), float(state.theta_1 + state.theta_2)
  elbow = (math.sin(first), -math.cos(first))
  end = (elbow[0] + math.sin(second), elbow[1] - math.cos(second))
  return Scene(
    (-2.2, -2.2, 2.2, 2.2),
    (
      (((-2.2, 1.0), (2.2, 1.0)), GREY, 0.04),
      (((0.0, 0.0), elbow), INK, 0.2),
      ((elbow, end), RED, 0.2),
    ),
  )


def _mountain_car(state: Any) -> Scene:
  """The car in its valley, whose height at x is sin(3 x)."""
  low, high = mountain_car.MIN_POSITION, mountain_car.MAX_POSITION
  road = tuple((x, math.sin(3 * x) / 2) for x in np.linspace(low, high, 60))
  x = float(state.position)
  return Scene(
    (low, -0.7, high, 0.7),
    ((road, GREY, 0.03), (((0.5, 0.5), (0.5, 0.65)), RED, 0.02)),
    (((x, math.sin(3 * x) / 2 + 0.06), 0.06, INK),),
  )


SCENES: Mapping[str, Callable[[Any], Scene]] = {
  'acrobot': _acrobot,
  'cartpole': _cart(cartpole.MAX_POSITION, 2 * cartpole.Physics().length),
  'cartpole_swingup': _cart(
    cartpole_swingup.RAIL, cartpole_swingup.Physics().length
  ),
  'cartpole_swingup_sparse': _cart(
    cartpole_swingup.RAIL, cartpole_swingup.Physics().length
  ),
  'mountain_car': _mountain_car,
  'mountain_car_continuous': _mountain_car,
  'pendulum': _pendulum,
  'pendulum_pixels': _pendulum_pixels,
}


def draw(scene: Scene) -> np.ndarray:
  """A picture, uint8 `[H, W, 3]`, of which the longer side is `SIZE`."""
  left, bottom, right, top = scene.window
  width, height = right - left, top - bottom
  scale = _BIGGER * SIZE / max(width, height)
  size = round(width * scale / _BIGGER), round(height * scale / _BIGGER)

  def place(point: Point) -> Point:
    return (point[0] - left) * scale, (top - point[1]) * scale

  image = Image.new('RGB', (size[0] * _BIGGER, size[1] * _BIGGER), PAPER)
  pen = ImageDraw.Draw(image)
  for points, color, thick in scene.lines:
    pen.line([place(p) for p in points], color, round(thick * scale))
  for centre, radius, color in scene.dots:
    x, y = place(centre)
    r = radius * scale
    pen.ellipse((x - r, y - r, x + r, y + r), color)
  return np.asarray(image.resize(size, Image.Resampling.BOX))
