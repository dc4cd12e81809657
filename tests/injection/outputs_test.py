"""What injection does to the tree and to predictions, before any training."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.networks import sequential
from tests.injection.nets import BATCH
from tests.injection.nets import INPUTS
from tests.injection.nets import MEMBERS
from tests.injection.nets import NETS
from tests.injection.nets import OUTPUTS
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import apply
from tests.injection.nets import assert_close
from tests.injection.nets import assert_differ
from tests.injection.nets import assert_same_bits
from tests.injection.nets import count
from tests.injection.nets import encode
from tests.injection.nets import fresh
from tests.injection.nets import head_apply
from tests.injection.nets import inject_params
from tests.injection.nets import key
from tests.injection.nets import member
from tests.injection.nets import nudge


def history(net, seed, injections, slots):
  """A network that was injected and then moved, several times over."""
  params = fresh(net, seed)
  if slots:
    params = injection.with_slots(params, 3)
  for i in range(injections):
    params = inject_params(10 + i, net, nudge(20 + i, params), slots=slots)
  return nudge(30 + seed, params)


@pytest.mark.parametrize('slots', [False, True], ids=['grow', 'slots'])
@pytest.mark.parametrize('injections', [0, 1, 2])
@pytest.mark.parametrize('name', NETS)
def test_predictions_stay(name, injections, slots):
  """Of online and target alike, at the first, second and third injection.

  To float32's rounding and not to the bit: a matrix product over stacked heads
  and one over a single head may sum in different orders.
  """
  net = NETS[name]
  for seed in (0, 1):  # As online and target, with parameters of their own.
    before = history(net, seed, injections, slots)
    after = inject_params(5, net, before, slots=slots)
    assert_close(apply(net, after), apply(net, before), 1e-5)
    # What learns now is something else.
    assert_differ(
      injection.trainable(before)['head'], injection.trainable(after)['head']
    )
    assert_same_bits(before['encoder'], after['encoder'])


@pytest.mark.parametrize('name', NETS)
def test_online_and_target_receive_one_draw(name):
  net = NETS[name]
  online, target = (
    inject_params(5, net, fresh(net, seed))['head'] for seed in (0, 1)
  )
  assert_same_bits(online.trainable, target.trainable)
  assert_same_bits(member(online.frozen, 1), member(target.frozen, 1))
  for head, seed in ((online, 0), (target, 1)):
    assert_same_bits(member(head.frozen, 0), fresh(net, seed)['head'])


def whole_numbers_init(scale):
  """Weights that are whole numbers times a power of two: products are exact."""

  def init(key, features):
    shape = (features.shape[-1], OUTPUTS)
    uniform = jax.random.uniform(key, shape, minval=-3.5, maxval=3.5)
    return {'w': scale * jnp.round(uniform)}

  return init


def exact_net(scale=1.0):
  return injection.SplitNetwork(
    encoder_init=whole_numbers_init(1.0),
    encoder_apply=lambda p, x: jax.nn.relu(x @ p['w']),
    head_init=whole_numbers_init(scale),
    head_apply=lambda p, h: h @ p['w'],
  )


WHOLE_X = np.round(4 * X)


@pytest.mark.parametrize('slots', [False, True], ids=['grow', 'slots'])
def test_predictions_stay_to_the_bit_where_arithmetic_is_exact(slots):
  """Then no order of summing a product matters, and none is an excuse."""
  net = exact_net()
  params = net.init(key(0), WHOLE_X)
  if slots:
    params = injection.with_slots(params, 3)
  for i in range(3):
    # A move by whole numbers, so that pairs do not cancel any more.
    moved = injection.trainable(params)
    moved = {**moved, 'head': {'w': moved['head']['w'] + i + 1}}
    params = injection.replace_trainable(params, moved)
    before = apply(net, params, WHOLE_X)
    params = inject_params(i + 1, net, params, slots=slots)
    assert_same_bits(apply(net, params, WHOLE_X), before)
    assert np.abs(before).max() > 0


def test_a_new_pair_cancels_before_it_meets_the_rest():
  """h + (h1 - h2), not (h + h1) - h2, whose rounding moves predictions.

  Heads of 2^30 make rounding certain on any machine: h + h1 has no bits left
  for h, while h1 - h2 is exactly zero.
  """
  small, large = exact_net(), exact_net(2.0**30)
  params = small.init(key(0), WHOLE_X)
  large.init(key(0), WHOLE_X)
  before = apply(small, params, WHOLE_X)
  for i in range(2):
    params = injection.inject_params(key(i + 1), large, params)
    assert_same_bits(apply(small, params, WHOLE_X), before)
  w = params['head'].trainable['w']
  assert (np.asarray(w) != 0).any() and (np.asarray(before) != 0).any()


@pytest.mark.parametrize('slots', [False, True], ids=['grow', 'slots'])
def test_as_many_parameters_learn(slots):
  for net in NETS.values():
    params = fresh(net)
    wanted = sum(x.size for x in jax.tree.leaves(params))
    if slots:
      params = injection.with_slots(params, 3)
    assert count(params) == wanted
    for i in range(3):
      params = inject_params(i, net, params, slots=slots)
      assert count(params) == wanted


def test_masks_are_opposites_of_the_trees_own_structure():
  params = inject_params(1, PLAIN, fresh())
  learns = injection.trainable_mask(params)
  assert jax.tree.structure(learns) == jax.tree.structure(params)
  assert jax.tree.leaves(injection.frozen_mask(params)) == [
    not one for one in jax.tree.leaves(learns)
  ]
  head = learns['head']
  assert all(jax.tree.leaves((learns['encoder'], head.trainable)))
  assert not any(jax.tree.leaves((head.frozen, head.signs)))


def test_the_stack_keeps_heads_in_the_order_of_their_age():
  params = fresh()
  wanted, signs = [], []
  for i in range(3):
    params = nudge(i, params)
    old = injection.trainable(params)['head']
    params = inject_params(i, PLAIN, params)
    new = params['head'].trainable
    wanted += [old, new]
    signs += [1.0, -1.0]
    for k, head in enumerate(wanted):
      assert_same_bits(member(params['head'].frozen, k), head)
    np.testing.assert_array_equal(params['head'].signs, signs)


def test_the_new_head_is_a_draw_of_the_initialiser():
  params = nudge(0, fresh())
  heads = [inject_params(i, PLAIN, params)['head'].trainable for i in (1, 1, 2)]
  assert_close(heads[0], PLAIN.draw_head(key(1)), 1e-6)
  assert_same_bits(heads[0], heads[1])
  assert_differ(heads[0], heads[2])
  assert_differ(heads[0], params['head'])


def test_members_of_an_ensemble_are_drawn_apart():
  net = NETS['ensemble']
  head = inject_params(1, net, fresh(net))['head']
  for a, b in itertools.combinations(range(MEMBERS), 2):
    assert_differ(member(head.trainable, a), member(head.trainable, b))
  assert head.trainable['last']['w'].shape[0] == MEMBERS
  assert head.frozen['last']['w'].shape[:2] == (2, MEMBERS)
  assert net.apply({**fresh(net), 'head': head}, X).shape == (
    MEMBERS,
    BATCH,
    OUTPUTS,
  )


def test_without_the_third_term_predictions_jump_by_a_fresh_head():
  before = fresh()
  after = inject_params(1, PLAIN, before, third_term=False)
  features = encode(before['encoder'], X)
  jump = head_apply(after['head'].trainable, features)
  assert_close(apply(PLAIN, after), apply(PLAIN, before) + jump)
  assert np.abs(jump).max() > 0.1
  np.testing.assert_array_equal(after['head'].signs, [1.0])
  # An injection after it cancels as ever.
  again = inject_params(2, PLAIN, nudge(0, after))
  assert_close(apply(PLAIN, again), apply(PLAIN, nudge(0, after)))


@pytest.mark.parametrize('third_term', [True, False])
def test_an_unfrozen_original_goes_on_learning(third_term):
  before = fresh()
  after = inject_params(
    1, PLAIN, before, freeze_original=False, third_term=third_term
  )
  head = after['head']
  assert_same_bits(head.thawed, (before['head'],))
  assert all(jax.tree.leaves(injection.trainable_mask(after)['head'].thawed))
  of_head = sum(x.size for x in jax.tree.leaves(before['head']))
  assert count(after) == count(before) + of_head
  wanted = apply(PLAIN, before)
  if not third_term:
    wanted += head_apply(head.trainable, encode(before['encoder'], X))
  assert_close(apply(PLAIN, after), wanted)
  again = inject_params(2, PLAIN, nudge(0, after))
  assert_close(apply(PLAIN, again), apply(PLAIN, nudge(0, after)))
  assert len(again['head'].thawed) == 1


def test_nothing_shared_puts_the_whole_network_into_the_head():
  net, layers = sequential.build(
    sequential.Sequential(
      observation_shape=(INPUTS,),
      convolutions=(),
      hidden=(4,),
      num_outputs=2,
      split=0,
    )
  )
  before = net.init(key(0))
  assert before['encoder'] == {}
  assert {layer.path[0] for layer in layers} == {'head'}
  after = inject_params(1, net, before)
  assert count(after) == count(before) > 0
  assert_close(net.apply(after, X).outputs, net.apply(before, X).outputs)


def test_layers_are_those_of_the_head_that_learns():
  net, _ = sequential.build(
    sequential.Sequential(
      observation_shape=(INPUTS,),
      convolutions=(),
      hidden=(4, 4),
      num_outputs=2,
      split=1,
    )
  )
  params = inject_params(1, net, net.init(key(0)))
  layers = net.apply(params, X).layers
  alone = net.apply(injection.trainable(params), X)
  assert list(layers) == ['dense_0', 'dense_1', 'dense_2']
  assert_close(dict(layers), dict(alone.layers))
  assert_close(alone.outputs, layers['dense_2'])


@pytest.mark.parametrize('slots', [False, True], ids=['grow', 'slots'])
def test_compiled_as_uncompiled(slots):
  before = fresh()
  if slots:
    before = injection.with_slots(before, 1)

  after = injection.inject_params(key(1), PLAIN, before, slots=slots)
  compiled = inject_params(1, PLAIN, before, slots=slots)
  assert_close(compiled, after, 1e-6)
  assert_close(apply(PLAIN, after), PLAIN.apply(after, X), 1e-6)


def test_the_tree_survives_a_round_trip():
  once = inject_params(1, PLAIN, fresh(), freeze_original=False)
  params = inject_params(2, PLAIN, once)
  leaves, treedef = jax.tree.flatten(params)
  back = jax.tree.unflatten(treedef, leaves)
  assert isinstance(back['head'], injection.InjectedHead)
  assert_same_bits(back, params)
  # And by paths, which is how checkpoints and optimizer states find leaves.
  by_path = {
    jax.tree_util.keystr(path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }
  assert len(by_path) == len(leaves)
  for path, leaf in by_path.items():
    found = eval('params' + path, {'params': params})  # Of our own making.
    assert found is leaf
  assert {
    p.split("['head']")[1].split('[')[0] for p in by_path if 'head' in p
  } == {'.trainable', '.frozen', '.signs', '.thawed'}


def test_trainable_and_its_inverse():
  params = nudge(0, inject_params(1, PLAIN, fresh()))
  plain = injection.trainable(params)
  assert jax.tree.structure(plain) == jax.tree.structure(fresh())
  assert_same_bits(injection.replace_trainable(params, plain), params)
  doubled = jax.tree.map(lambda x: 2 * x, plain)
  changed = injection.replace_trainable(params, doubled)
  assert_same_bits(injection.trainable(changed), doubled)
  assert_same_bits(changed['head'].frozen, params['head'].frozen)


def test_drop_frozen_leaves_what_learns():
  params = nudge(0, inject_params(1, PLAIN, fresh()))
  dropped = injection.drop_frozen(params)
  assert_same_bits(dropped, injection.trainable(params))
  assert_same_bits(injection.drop_frozen(dropped), dropped)
  assert_close(
    apply(PLAIN, dropped),
    head_apply(params['head'].trainable, encode(params['encoder'], X)),
  )


def test_a_head_of_another_structure_is_refused():
  params = fresh()
  params = {**params, 'head': {**params['head'], 'more': jnp.ones(2)}}
  with pytest.raises(ValueError, match='differ in structure'):
    inject_params(1, PLAIN, params)


def test_a_draw_before_features_are_known_is_refused():
  net = dataclasses.replace(PLAIN)
  with pytest.raises(ValueError, match='example=x'):
    net.draw_head(key(0))
  # An example is enough, also where another process made the parameters.
  net = dataclasses.replace(
    PLAIN, example=jax.ShapeDtypeStruct(X.shape, X.dtype)
  )
  assert_same_bits(net.draw_head(key(0)), PLAIN.draw_head(key(0)))
