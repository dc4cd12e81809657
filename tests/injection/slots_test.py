"""Slots: injections at a time of its own for each of several seeds."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from tests.injection.nets import ADAM
from tests.injection.nets import PLAIN
from tests.injection.nets import X
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
from tests.injection.nets import key
from tests.injection.nets import member
from tests.injection.nets import nudge
from tests.injection.nets import step
from tests.injection.nets import train

SEEDS = 4


def test_closed_slots_contribute_nothing():
  plain = fresh()
  params = injection.with_slots(plain, 2)
  assert_same_bits(injection.trainable(params), plain)
  # Not even where their weights are large.
  head = params['head']
  large = injection.InjectedHead(
    head.trainable, jax.tree.map(lambda x: x + 1e6, head.frozen), head.signs
  )
  for closed in (params, {**params, 'head': large}):
    assert_close(apply(PLAIN, closed), apply(PLAIN, plain), 1e-7)
    found, wanted = (gradient(p) for p in (closed, plain))
    assert_close(injection.trainable(found), wanted, 1e-6)
    assert not any(np.any(g) for g in jax.tree.leaves(found['head'].frozen))


def test_slots_equal_growing():
  """The same injections and updates, the same network."""
  grown, slotted = fresh(), injection.with_slots(fresh(), 3)
  states = [ADAM.init(grown), ADAM.init(slotted)]
  for i in range(2):
    grown, states[0] = inject(i, PLAIN, grown, ADAM, states[0])
    slotted, states[1] = inject(i, PLAIN, slotted, ADAM, states[1], slots=True)
    grown, states[0] = train(grown, states[0], 2)
    slotted, states[1] = train(slotted, states[1], 2)
    assert_close(apply(PLAIN, slotted), apply(PLAIN, grown))
    assert_close(injection.trainable(slotted), injection.trainable(grown), 1e-4)
  assert_close(
    *(injection.trainable(gradient(p)) for p in (slotted, grown)), 1e-4
  )
  # The open slots stand at the end, in the same order.
  np.testing.assert_array_equal(slotted['head'].signs, [0, 0, 1, -1, 1, -1])
  assert_close(
    member(slotted['head'].frozen, slice(2, None)),
    grown['head'].frozen,
    1e-4,
  )


def test_full_slots_change_nothing():
  params = injection.with_slots(fresh(), 1)
  opt_state = ADAM.init(params)
  params, opt_state = inject(0, PLAIN, params, ADAM, opt_state, slots=True)
  params, opt_state = train(params, opt_state, 2)
  again = inject(1, PLAIN, params, ADAM, opt_state, slots=True)
  assert_same_bits(again, (params, opt_state))


@functools.partial(jax.jit, static_argnames='optimizer')
def inject_where(keys, fire, params, opt_state, optimizer=ADAM):
  """Injects the seeds that fire, as a criterion on a seed axis does."""

  def one(key, fire, params, opt_state):
    old = (params, opt_state)
    new = injection.inject(key, PLAIN, params, optimizer, opt_state, slots=True)
    return jax.tree.map(lambda n, o: jnp.where(fire, n, o), new, old)

  return jax.vmap(one)(keys, fire, params, opt_state)


@jax.jit
def predict(params):
  return jax.vmap(lambda p: PLAIN.apply(p, X))(params)


def of_seeds(tree, seeds):
  return jax.tree.map(lambda x: x[np.array(seeds)], tree)


def test_two_seeds_of_four_are_injected():
  seeds = [injection.with_slots(fresh(seed=i), 2) for i in range(SEEDS)]
  params = jax.tree.map(lambda *x: jnp.stack(x), *seeds)
  train_all = jax.jit(jax.vmap(functools.partial(step, ADAM)))
  opt_state = jax.jit(jax.vmap(ADAM.init))(params)
  # First the second and fourth, then the second and third.
  for i, fired in enumerate([[1, 3], [1, 2]]):
    params, opt_state = train_all(params, opt_state)
    fire = np.isin(np.arange(SEEDS), fired)
    keys = jax.random.split(key(i), SEEDS)
    new, new_state = inject_where(keys, fire, params, opt_state)
    rest = np.flatnonzero(~fire)
    assert_close(predict(new), predict(params))
    assert_same_bits(
      of_seeds((new, new_state), rest), of_seeds((params, opt_state), rest)
    )
    assert_same_bits(new['encoder'], params['encoder'])
    assert_same_bits(new_state['encoder'], opt_state['encoder'])
    assert_differ(
      of_seeds(new['head'].trainable, fired),
      of_seeds(params['head'].trainable, fired),
    )
    assert not any(
      np.any(x) for x in jax.tree.leaves(of_seeds(new_state['head'], fired))
    )
    assert_differ(
      *(  # Each seed has a draw of its own.
        of_seeds(new['head'].trainable, [seed]) for seed in fired
      )
    )
    params, opt_state = new, new_state
  np.testing.assert_array_equal(
    np.abs(params['head'].signs).sum(1) / 2, [0, 2, 1, 1]
  )
  before = predict(params)
  params, _ = train_all(params, opt_state)
  assert np.abs(predict(params) - before).max() > 1e-3


def test_dropping_closes_every_slot_and_they_can_be_opened_again():
  params = injection.with_slots(fresh(), 1)
  params = nudge(1, inject_params(0, PLAIN, params, slots=True))
  closed = injection.drop_frozen(params, slots=True)
  assert jax.tree.structure(closed) == jax.tree.structure(params)
  assert_same_bits(closed['head'].trainable, params['head'].trainable)
  alone = head_apply(params['head'].trainable, encode(params['encoder'], X))
  assert_close(apply(PLAIN, closed), alone, 1e-6)
  opened = inject_params(2, PLAIN, closed, slots=True)
  assert_close(apply(PLAIN, opened), alone)
  np.testing.assert_array_equal(opened['head'].signs, [1, -1])


def test_a_slot_can_do_without_the_third_term():
  before = injection.with_slots(fresh(), 1)
  after = inject_params(0, PLAIN, before, slots=True, third_term=False)
  jump = head_apply(after['head'].trainable, encode(before['encoder'], X))
  assert_close(apply(PLAIN, after), apply(PLAIN, before) + jump)


def test_misuse_of_slots_is_refused():
  params = fresh()
  with pytest.raises(ValueError, match='with_slots'):
    inject_params(0, PLAIN, params, slots=True)
  with pytest.raises(ValueError, match='must be positive'):
    injection.with_slots(params, 0)
  slotted = injection.with_slots(params, 1)
  with pytest.raises(ValueError, match='injected already'):
    injection.with_slots(slotted, 1)
  with pytest.raises(ValueError, match='freeze_original must be True'):
    inject_params(0, PLAIN, slotted, slots=True, freeze_original=False)
