"""The classifier beside the same computation in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl.agents import supervised
from plasticity_rl.networks import sequential
from plasticity_rl.types import NetSpec
from plasticity_rl.types import Transition

KEY = jax.random.PRNGKey(5)
X = np.array([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]])
LABELS = np.array([0, 2, 1])


@pytest.fixture(name='agent', scope='module')
def fixture_agent():
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(2,), hidden=(), num_outputs=3, split=0
    )
  )
  optimizer = injection.grouped(
    optax.identity(), after=optax.scale_by_learning_rate(1.0)
  )
  return supervised.Supervised(
    NetSpec(network, optimizer, layers, has_target=False)
  )


def test_update_is_the_gradient_by_hand(agent):
  nets = jax.jit(agent.init)(KEY)
  assert nets['classifier'].target is None
  old = nets['classifier'].params['head']['dense_0']
  # The rest of a transition is not looked at.
  batch = Transition(jnp.array(X), jnp.array(LABELS), None, None, None)
  nets, metrics = jax.jit(agent.update)(KEY, nets, batch, 0)
  logits = X @ np.array(old['w'], float) + np.array(old['b'], float)
  p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
  rows = np.arange(3)
  np.testing.assert_allclose(
    metrics['loss'], -np.log(p[rows, LABELS]).mean(), rtol=1e-5
  )
  slope = p.copy()
  slope[rows, LABELS] -= 1
  new = nets['classifier'].params['head']['dense_0']
  np.testing.assert_allclose(
    old['w'] - new['w'], X.T @ slope / 3, rtol=1e-4, atol=1e-6
  )
  np.testing.assert_allclose(
    old['b'] - new['b'], slope.mean(0), rtol=1e-4, atol=1e-6
  )


def test_decisions_are_labels(agent):
  nets = jax.jit(agent.init)(KEY)
  params = {'classifier': nets['classifier'].params}
  batch = Transition(jnp.array(X), None, None, None, None)
  logits = agent.act_greedily(KEY, nets, jnp.array(X))
  assert logits.shape == (3, 3)
  np.testing.assert_array_equal(
    agent.spec.policy(params, batch), logits.argmax(-1)
  )
  np.testing.assert_array_equal(agent.act(KEY, nets, jnp.array(X), 0), logits)


def test_losses_refuse_a_wrong_rank():
  vector = jnp.zeros([4])
  assert supervised.squared_error(vector[:, None], vector).shape == (4,)
  with pytest.raises(AssertionError):  # They would broadcast to [4, 4].
    supervised.squared_error(vector[:, None], vector[:, None])
  with pytest.raises(AssertionError):
    supervised.squared_error(jnp.zeros([4, 2]), vector)
  with pytest.raises(AssertionError):
    supervised.cross_entropy(jnp.zeros([4, 3]), jnp.zeros([1, 4], int))
