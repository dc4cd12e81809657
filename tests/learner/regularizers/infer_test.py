"""The penalty on auxiliary heads, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.learner.regularizers.infer import infer
from plasticity_rl.types import NetworkOutput


def test_infer_regresses_to_multiples_of_initial_outputs():
  def loss(now, before):
    return infer(
      NetworkOutput((), {'infer': now}),
      NetworkOutput((), {'infer': before}),
      scale=10.0,
    )

  now = jnp.array([[1.0, 2.0], [3.0, 4.0]])
  before = jnp.array([[0.1, 0.3], [0.2, 0.4]])
  # Distances 0, -1, 1, 0, over two examples.
  np.testing.assert_allclose(loss(now, before), 1.0, rtol=1e-5)
  to_now, to_before = jax.grad(loss, (0, 1))(now, before)
  np.testing.assert_allclose(to_now, [[0, -1], [1, 0]], atol=1e-5)
  assert (to_before == 0).all()


def test_infer_refuses_outputs_of_another_shape():
  outputs = NetworkOutput((), {'infer': jnp.zeros([2, 3])})
  other = NetworkOutput((), {'infer': jnp.zeros([1, 3])})
  with pytest.raises(AssertionError):  # It would broadcast.
    infer(outputs, other, scale=10.0)
