"""Frozen heads cost their forward and backward pass, not weight gradients."""

import jax
import jax.numpy as jnp
import pytest

from plasticity_rl import injection
from tests.injection.nets import draw

BATCH, INPUTS, FEATURES, HIDDEN, OUTPUTS = 16, 12, 24, 20, 4
X = jnp.arange(BATCH * INPUTS, dtype=jnp.float32).reshape(BATCH, INPUTS) % 7
# Of the two matrix products of a head, for two heads. There are no biases, so
# that this is all that may differ.
WEIGHT_GRADIENTS = 2 * 2 * BATCH * (FEATURES * HIDDEN + HIDDEN * OUTPUTS)


def head_apply(params, h):
  # A square, whose gradient costs the same whoever asks for it.
  return jnp.square(h @ params['hidden']['w']) @ params['last']['w']


def without_biases(params):
  return {name: {'w': layer['w']} for name, layer in params.items()}


NET = injection.SplitNetwork(
  encoder_init=lambda key, x: without_biases(
    draw(key, conv=(INPUTS, FEATURES))
  ),
  encoder_apply=lambda p, x: jnp.square(x @ p['conv']['w']),
  head_init=lambda key, h: without_biases(
    draw(key, hidden=(FEATURES, HIDDEN), last=(HIDDEN, OUTPUTS))
  ),
  head_apply=head_apply,
)


def loss(params):
  # Every output counts by itself, and the value is asked for too: otherwise
  # XLA leaves out products that a training step needs.
  return jnp.square(NET.apply(params, X) - 1.0).sum()


def lowered(params):
  # A function of its own, so that nothing is found in a cache.
  return jax.jit(lambda p: jax.value_and_grad(loss)(p)).lower(params)


def flops(stage):
  """XLA's estimate for a lowered or compiled program."""
  return stage.cost_analysis()['flops']


@pytest.fixture(name='params', scope='module')
def fixture_params():
  params = NET.init(jax.random.PRNGKey(0), X)
  return injection.inject_params(jax.random.PRNGKey(1), NET, params)


@pytest.fixture(name='programs', scope='module')
def fixture_programs(params):
  """Gradients as they are, and as they would be with nothing stopped."""
  stopped = lowered(params)
  stop = jax.lax.stop_gradient
  jax.lax.stop_gradient = lambda x: (x[0], stop(x[1]))  # But for the signs.
  try:
    free = lowered(params)
  finally:
    jax.lax.stop_gradient = stop
  return stopped, free


def test_no_weight_gradients_are_lowered_for_frozen_heads(programs):
  stopped, free = programs
  # And the zeros that the gradient has instead cost nothing.
  assert flops(free) - flops(stopped) == WEIGHT_GRADIENTS


def test_no_weight_gradients_are_compiled_for_frozen_heads(programs):
  stopped, free = (program.compile() for program in programs)
  # The compiler may compute some activation again rather than keep it.
  difference = flops(free) - flops(stopped)
  assert abs(difference - WEIGHT_GRADIENTS) < 0.05 * WEIGHT_GRADIENTS


def test_the_gradient_of_what_learns_is_the_same(programs, params):
  found, wanted = (program.compile()(params)[1] for program in programs)
  assert jnp.allclose(
    found['encoder']['conv']['w'], wanted['encoder']['conv']['w'], rtol=1e-5
  )
  assert jnp.any(wanted['head'].frozen['last']['w'])
  assert not jnp.any(found['head'].frozen['last']['w'])


def test_injection_costs_two_more_heads_and_no_more():
  """Twice what a head and its gradient to the features take, per pair."""
  plain = NET.init(jax.random.PRNGKey(0), X)
  injected = injection.inject_params(jax.random.PRNGKey(1), NET, plain)
  before, after = (flops(lowered(p)) for p in (plain, injected))
  products = 2 * BATCH * (FEATURES * HIDDEN + HIDDEN * OUTPUTS)
  # Forward and backward to the features; activations and signs are the rest.
  assert 2 * 2 * products <= after - before < 1.15 * 2 * 2 * products
