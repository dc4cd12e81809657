"""Values as distributions over bins: a critic that classifies returns."""

import chex
import jax
import jax.numpy as jnp
import rlax


class Bins:
  """n returns that are equally far apart, from -v_max to v_max.

  A critic's outputs are logits of `members` distributions over them, side by
  side: `[B, members * n]`, which injected heads add before the softmax.

  Attributes:
    returns: of the bins, `[n]`.
  """

  def __init__(self, count: int, v_max: float):
    """Stores the bins; see the class."""
    self.returns = jnp.linspace(-v_max, v_max, count)

  def logits(self, outputs: jax.Array) -> jax.Array:
    """`[B, members * n]` as `[B, members, n]`."""
    return outputs.reshape(outputs.shape[0], -1, len(self.returns))

  def means(self, outputs: jax.Array) -> jax.Array:
    """The expected returns, `[B, members]`."""
    return jax.nn.softmax(self.logits(outputs)) @ self.returns

  def target(
    self,
    outputs: jax.Array,
    shift: jax.Array,
    reward: jax.Array,
    scale: jax.Array,
  ) -> jax.Array:
    """The distribution of r + scale * (Z + shift), on the bins, `[B, n]`.

    Z is the member's with the lowest mean. Returns beyond the bins count as the
    last one, others are shared by the two bins beside them (Bellemare, Dabney
    and Munos, "A Distributional Perspective on Reinforcement Learning", 2017).

    Args:
      outputs: of the target network, `[B, members * n]`.
      shift: what each return is more, `[B]`.
      reward: `[B]`.
      scale: the discount, `[B]`.
    """
    chex.assert_equal_shape([shift, reward, scale])
    lowest = self.means(outputs).argmin(-1)
    probabilities = jnp.take_along_axis(
      jax.nn.softmax(self.logits(outputs)), lowest[:, None, None], 1
    )[:, 0]
    returns = reward[:, None] + scale[:, None] * (self.returns + shift[:, None])
    return jax.vmap(rlax.categorical_l2_project, (0, 0, None))(
      returns, probabilities, self.returns
    )

  def errors(self, outputs: jax.Array, target: jax.Array) -> jax.Array:
    """Cross-entropy of each member with the target, summed, `[B]`."""
    log_p = jax.nn.log_softmax(self.logits(outputs))
    return -(target[:, None] * log_p).sum((-2, -1))
