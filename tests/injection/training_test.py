"""What learns after an injection, and what gradients the encoder receives."""

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import injection
from plasticity_rl.agents import base
from plasticity_rl.types import NetState
from tests.injection.nets import ADAM
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import Y
from tests.injection.nets import apply
from tests.injection.nets import assert_close
from tests.injection.nets import assert_differ
from tests.injection.nets import assert_same_bits
from tests.injection.nets import encode
from tests.injection.nets import fresh
from tests.injection.nets import gradient
from tests.injection.nets import head_apply
from tests.injection.nets import inject
from tests.injection.nets import inject_params
from tests.injection.nets import loss
from tests.injection.nets import member
from tests.injection.nets import nudge
from tests.injection.nets import train

TAU = 0.25


@jax.jit
def polyak(target, online):
  return jax.tree.map(lambda t, o: t + TAU * (o - t), target, online)


def distance(a, b):
  """The Euclidean norm of the difference."""
  pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  return np.sqrt(sum(np.sum(np.square(x - y)) for x, y in pairs))


def test_frozen_heads_stay_through_three_injections_and_then_go():
  params, opt_state = train(fresh(), ADAM.init(fresh()))
  target = nudge(0, fresh(seed=1))
  for i in range(3):
    before, before_target = apply(PLAIN, params), apply(PLAIN, target)
    old = injection.trainable(params)['head']
    old_target = injection.trainable(target)['head']
    params, opt_state = inject(i, PLAIN, params, ADAM, opt_state)
    target = inject_params(i, PLAIN, target)
    assert_close(apply(PLAIN, params), before)
    assert_close(apply(PLAIN, target), before_target)
    start = params
    head, theta, copy = params['head'], 2 * i, 2 * i + 1
    assert_same_bits(member(head.frozen, theta), old)
    assert_same_bits(member(head.frozen, copy), head.trainable)
    assert_same_bits(member(target['head'].frozen, theta), old_target)

    params, opt_state = train(params, opt_state)
    assert_same_bits(params['head'].frozen, head.frozen)
    assert_same_bits(params['head'].signs, head.signs)
    assert_differ(params['head'].trainable, head.trainable)
    assert_differ(params['encoder'], start['encoder'])
    # And it learns something.
    assert loss(params) < loss(start)

    # The target's own theta moves to the online one; what both drew together
    # does not move by a bit, however often.
    for _ in range(5):
      target = polyak(target, params)
      assert_same_bits(
        member(target['head'].frozen, copy),
        member(params['head'].frozen, copy),
      )
    gap = distance(
      member(target['head'].frozen, theta), member(head.frozen, theta)
    )
    assert np.isclose(
      gap, (1 - TAU) ** 5 * distance(old_target, old), rtol=1e-3
    )
    assert_same_bits(target['head'].signs, params['head'].signs)

  head = params['head'].trainable
  dropped = injection.drop_frozen(params)
  opt_state = injection.carry_state(ADAM, opt_state, dropped, 'keep')
  assert_close(
    apply(PLAIN, dropped), head_apply(head, encode(params['encoder'], X))
  )
  after, _ = train(dropped, opt_state)
  assert loss(after) < loss(dropped)


def test_a_periodic_copy_takes_the_whole_tree():
  online = nudge(0, inject_params(1, PLAIN, fresh()))
  target = inject_params(1, PLAIN, fresh(seed=1))
  state = NetState(online, target, (), None)
  copied = {
    updates: base.copy_periodically(state, updates, 3).target
    for updates in (1, 2, 3)
  }
  assert_same_bits(copied[1], target)
  assert_same_bits(copied[2], target)
  assert_same_bits(copied[3], online)
  assert_differ(  # The theta of the target was its own.
    member(target['head'].frozen, 0), member(online['head'].frozen, 0)
  )


def test_the_encoder_learns_through_every_term():
  """Its gradient, against a sum of heads written down by hand."""
  params = nudge(1, inject_params(2, PLAIN, fresh()))
  head = params['head']
  theta, copy = member(head.frozen, 0), member(head.frozen, 1)

  def by_hand(encoder, new, third=lambda x: x, detach=lambda f: f):
    features = encode(encoder, X)
    outputs = head_apply(theta, features) + head_apply(new, features)
    outputs -= third(head_apply(copy, detach(features)))
    return jnp.mean((outputs - Y) ** 2)

  @jax.jit
  def gradients(encoder, new):
    both = jax.grad(by_hand, argnums=(0, 1))
    return (
      both(encoder, new),
      both(encoder, new, third=jnp.zeros_like)[0],
      both(encoder, new, detach=jax.lax.stop_gradient)[0],
    )

  found = gradient(params)
  (encoder, new), two_terms, detached = gradients(
    params['encoder'], head.trainable
  )
  assert_close(found['encoder'], encoder)
  assert_close(found['head'].trainable, new)
  size = distance(encoder, jax.tree.map(np.zeros_like, encoder))
  for wrong in (two_terms, detached):
    assert distance(wrong, encoder) > 0.05 * size
  assert not any(
    np.any(g)
    for g in jax.tree.leaves((found['head'].frozen, found['head'].signs))
  )


def test_after_two_injections_there_are_five_terms():
  params = inject_params(3, PLAIN, nudge(1, inject_params(2, PLAIN, fresh())))
  params = nudge(4, params)
  head = params['head']

  def by_hand(encoder):
    features = encode(encoder, X)
    outputs = head_apply(head.trainable, features)
    for k, sign in enumerate([1, -1, 1, -1]):
      outputs += sign * head_apply(member(head.frozen, k), features)
    return jnp.mean((outputs - Y) ** 2)

  wanted = jax.jit(jax.grad(by_hand))(params['encoder'])
  assert_close(gradient(params)['encoder'], wanted)


def test_a_thawed_original_learns_beside_the_new_head():
  start = inject_params(1, PLAIN, fresh(), freeze_original=False)
  params, _ = train(start, ADAM.init(start))
  assert_differ(params['head'].thawed, start['head'].thawed)
  assert_differ(params['head'].trainable, start['head'].trainable)
  assert_same_bits(params['head'].frozen, start['head'].frozen)
