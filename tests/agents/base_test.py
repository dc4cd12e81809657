"""Fresh networks, gradients on what learns, copies to the target."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl.agents import base
from plasticity_rl.networks import sequential
from plasticity_rl.types import NetSpec

KEY = jax.random.PRNGKey(2)


@pytest.fixture(name='net', scope='module')
def fixture_net():
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(3,), hidden=(4,), num_outputs=2, split=1
    )
  )
  optimizer = injection.grouped(
    optax.scale_by_adam(), after=optax.scale_by_learning_rate(0.1)
  )
  return NetSpec(network, optimizer, layers, has_target=True)


def test_target_is_a_copy_in_buffers_of_its_own(net):
  state = base.init_net(KEY, net, slots=0)
  pairs = zip(
    jax.tree.leaves(state.params),
    jax.tree.leaves(state.target),
    strict=True,
  )
  for online, target in pairs:
    np.testing.assert_array_equal(online, target)
    assert online.unsafe_buffer_pointer() != target.unsafe_buffer_pointer()
  without = dataclasses.replace(net, has_target=False)
  assert base.init_net(KEY, without, slots=0).target is None


def test_slots_are_allocated_closed(net):
  state = base.init_net(KEY, net, slots=2)
  head = state.params['head']
  assert isinstance(head, injection.InjectedHead)
  assert head.signs.tolist() == [0, 0, 0, 0]
  x = jnp.ones([1, 3])
  np.testing.assert_array_equal(
    net.network.apply(state.params, x).outputs,
    net.network.apply(base.init_net(KEY, net, 0).params, x).outputs,
  )


def test_apply_gradients_leaves_frozen_heads_alone(net):
  state = base.init_net(KEY, net, slots=0)
  params, opt_state = jax.jit(
    lambda s: injection.inject(
      KEY, net.network, s.params, net.optimizer, s.opt_state
    )
  )(state)
  state = state._replace(params=params, opt_state=opt_state)
  gradients = jax.tree.map(jnp.ones_like, params)
  after = base.apply_gradients(net, state, gradients).params
  head, before = after['head'], params['head']
  for name in ('frozen', 'signs'):
    jax.tree.map(
      np.testing.assert_array_equal,
      getattr(head, name),
      getattr(before, name),
    )
  # The first step of Adam is the learning rate.
  for new, old in (
    (after['encoder'], params['encoder']),
    (head.trainable, before.trainable),
  ):
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b - 0.1, rtol=1e-5),
      new,
      old,
    )


def test_copies_every_period_updates_the_frozen_ones_too(net):
  state = base.init_net(KEY, net, slots=1)
  moved = jax.tree.map(lambda x: x + 1, state.params)
  state = state._replace(params=moved)
  copy = jax.jit(base.copy_periodically, static_argnums=2)
  for updates, copied in (
    (1, False),
    (2, False),
    (3, True),
    (4, False),
    (6, True),
  ):
    target = copy(state, updates, 3).target
    jax.tree.map(
      np.testing.assert_array_equal,
      target,
      moved if copied else state.target,
    )


def test_gradient_step_refuses_wrong_shapes(net):
  state = base.init_net(KEY, net, slots=0)
  x, y = jnp.ones([4, 3]), jnp.zeros([4])

  def step(data, column=False):
    def make_loss(data):
      x, y = data

      def loss(params):
        output = net.network.apply(params, x)
        predictions = output.outputs[:, :1] if column else output.outputs[:, 0]
        return jnp.square(predictions - y), output

      return loss, x

    return base.gradient_step(net, state, make_loss, data)

  step((x, y))
  with pytest.raises(AssertionError):  # Another number of examples.
    step((x, y[:1]))
  with pytest.raises(AssertionError):  # Losses [4, 4].
    step((x, y), column=True)
