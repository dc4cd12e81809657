"""The gradient of SAM is that of the loss uphill."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl.agents import base
from plasticity_rl.agents.sam import sam
from plasticity_rl.networks import sequential
from plasticity_rl.shard import Shard
from plasticity_rl.types import NetSpec

KEY = jax.random.PRNGKey(5)
X, Y = jax.random.normal(KEY, [8, 3]), jnp.arange(8.0)


@pytest.fixture(name='net', scope='module')
def fixture_net():
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(3,),
      hidden=(4,),
      num_outputs=1,
      split=1,
      activation='tanh',
    )
  )
  optimizer = injection.grouped(optax.identity(), after=optax.scale(-1.0))
  return NetSpec(network, optimizer, layers, False, sam_radius=0.3)


def make_loss(net):
  def make(data):
    x, y = data

    def loss(params):
      output = net.network.apply(params, x)
      return jnp.square(output.outputs[:, 0] - y), output

    return loss, x

  return make


def step(net, state, data=(X, Y), **options):
  return base.gradient_step(net, state, make_loss(net), data, **options)


def gradient(net, params):
  loss, _ = make_loss(net)((X, Y))
  return jax.grad(lambda p: loss(p)[0].mean())(params)


def assert_close(a, b):
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5), a, b
  )


def test_goes_uphill_by_the_radius():
  params = {'encoder': jnp.array([1.0, 2.0]), 'head': jnp.array([0.5])}
  gradients = {'encoder': jnp.array([2.0, 0.0]), 'head': jnp.array([-1.5])}
  moved = sam(params, gradients, 0.5)
  np.testing.assert_allclose(moved['encoder'], [1.4, 2.0])
  np.testing.assert_allclose(moved['head'], [0.2])
  for x in jax.tree.leaves(
    sam(params, jax.tree.map(jnp.zeros_like, params), 1)
  ):
    assert np.isfinite(x).all()


def test_a_step_takes_the_gradient_there_and_starts_here(net):
  state = base.init_net(KEY, net, slots=0)
  after, metrics, outputs = step(net, state)
  g = gradient(net, state.params)
  norm = optax.tree.norm(g)
  there = jax.tree.map(lambda p, g: p + 0.3 * g / norm, state.params, g)
  wanted = jax.tree.map(lambda p, g: p - g, state.params, gradient(net, there))
  assert_close(after.params, wanted)
  # What is reported is of the parameters themselves.
  plain, plain_metrics, plain_outputs = step(
    dataclasses.replace(net, sam_radius=0.0), state
  )
  np.testing.assert_array_equal(outputs, plain_outputs)
  assert metrics == plain_metrics
  moved = optax.tree.norm(
    jax.tree.map(jnp.subtract, after.params, plain.params)
  )
  assert moved > 0.01


def test_frozen_heads_stay_and_are_no_part_of_the_norm(net):
  state = base.init_net(KEY, net, slots=0)
  params = injection.inject_params(KEY, net.network, state.params)
  gradients = jax.tree.map(
    lambda one, p: jnp.ones_like(p) * (1 if one else 1e3),
    injection.trainable_mask(params),
    params,
  )
  moved = sam(params, gradients, 0.3)
  learns = injection.trainable(params)
  size = sum(x.size for x in jax.tree.leaves(learns))
  assert_close(
    injection.trainable(moved),
    jax.tree.map(lambda p: p + 0.3 / size**0.5, learns),
  )
  for a, b in zip(
    jax.tree.leaves(moved['head'].frozen),
    jax.tree.leaves(params['head'].frozen),
    strict=True,
  ):
    np.testing.assert_array_equal(a, b)


def test_in_parts_and_on_devices_as_the_whole_batch(net):
  """The direction is that of the whole batch's gradient."""
  state = base.init_net(KEY, net, slots=0)
  whole = step(net, state)[0].params
  parts = step(dataclasses.replace(net, microbatches=4), state)[0].params
  assert_close(parts, whole)
  spread = jax.vmap(
    lambda x, y: step(net, state, (x, y), shard=Shard('devices', 2))[0].params,
    axis_name='devices',
  )(X.reshape(2, 4, 3), Y.reshape(2, 4))
  for device in (0, 1):
    assert_close(jax.tree.map(lambda p, d=device: p[d], spread), whole)
