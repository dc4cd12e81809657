"""Injections with a confound of published comparisons."""

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry
from tests.interventions import nets
from tests.properties import cases


def assert_equal(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def differs(a, b):
  pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  return any(not np.array_equal(x, y) for x, y in pairs)


def at(tree, index):
  return jax.tree.map(lambda x: x[index], tree)


@pytest.mark.parametrize('history', ('fresh', 'closed'))
def test_a_first_draw_is_what_the_head_began_with(history):
  made = nets.agent('mlp', history == 'closed')
  before = nets.state('mlp', history)
  first = before.nets['q'].initial['head']
  copied = nets.apply('injection(fresh="first_draw")', made, before, 'mlp')
  drawn = nets.apply('injection', made, before, 'mlp').nets['q']
  copied = copied.nets['q']
  for params in (copied.params, copied.target):
    assert_equal(params['head'].trainable, first)
    assert_equal(at(params['head'].frozen, -1), first)
  assert_equal(copied.initial, before.nets['q'].initial)
  assert differs(drawn.params['head'].trainable, first)


def test_the_target_freezes_its_own_head_or_the_online_one():
  made, before = nets.agent('mlp'), nets.state('mlp')
  old = before.nets['q']
  for target, theta in (('own', old.target), ('online', old.params)):
    text = f'injection(target="{target}")'
    after = nets.apply(text, made, before, 'mlp').nets['q']
    assert_equal(at(after.target['head'].frozen, 0), theta['head'])
    assert_equal(at(after.params['head'].frozen, 0), old.params['head'])
    assert_equal(after.target['head'].trainable, after.params['head'].trainable)
    assert_equal(after.target['encoder'], old.target['encoder'])
  assert differs(old.target['head'], old.params['head'])


def test_networks_without_a_target_have_none_to_change():
  spec = cases.AGENTS['classifier'](0)[1].spec
  with pytest.raises(UserError, match='has no target; those that have: .none.'):
    registry.make(expressions.parse('injection(target="online")'), spec)
  spec = cases.AGENTS['sac_mlp'](0)[1].spec
  registry.make(expressions.parse('injection(target="online")'), spec)
  with pytest.raises(UserError, match="'actor' has no target.* critic"):
    registry.make(
      expressions.parse('injection(target="online", nets="actor")'), spec
    )
