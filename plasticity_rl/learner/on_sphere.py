"""Updates after which weights lie on the unit sphere again."""

from typing import Any

import jax
import optax

from plasticity_rl import sphere
from plasticity_rl.types import Params


def onto_sphere() -> optax.GradientTransformation:
  """u <- project(w + u) - w for the weights of `networks.hyperspherical`.

  The last stage of an optimizer that changes weights; others stay as they are.
  """

  def update(
    updates: Params, state: Any, params: Params | None = None
  ) -> tuple[Params, Any]:
    def one(path: tuple[Any, ...], u: jax.Array, w: jax.Array) -> jax.Array:
      return sphere.project(w + u) - w if sphere.is_on_sphere(path) else u

    return jax.tree_util.tree_map_with_path(one, updates, params), state

  return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
