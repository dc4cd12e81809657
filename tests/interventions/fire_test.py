"""FIRE on agents: convolutions alone, and dense layers drawn again."""

import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.interventions import fire as fire_of_agents
from plasticity_rl.methods import fire
from tests.interventions import nets


def changed(text, kind='conv', history='fresh'):
  """(before, after) of the network, and its layers' weights in both."""
  made = nets.agent(kind)
  before = nets.state(kind, history)
  after = nets.apply(text, made, before, kind).nets['q']
  net = made.spec.nets['q']
  return (
    before.nets['q'],
    after,
    *(
      nets.weights(net, p)
      for p in (before.nets['q'].params, after.params, after.target)
    ),
  )


@pytest.mark.parametrize('dense', ('project', 'reset', 'keep'))
def test_what_becomes_of_dense_layers(dense):
  before, after, old, new, target = changed(
    f'fire(dense="{dense}", optimizer="keep")'
  )
  for name in old:
    w, b = old[name]['w'], old[name]['b']
    is_conv = name.startswith('conv')
    projected = fire.scale_of(w) * fire.polar(w, 10)
    same = np.allclose(new[name]['w'], projected, atol=1e-5)
    assert same == (is_conv or dense == 'project')
    assert np.array_equal(new[name]['w'], w) == (
      not is_conv and dense == 'keep'
    )
    drawn = not is_conv and dense == 'reset'
    assert np.array_equal(new[name]['b'], b) == (not drawn)
    # Projected or drawn, the target receives the same.
    if is_conv or dense != 'keep':
      np.testing.assert_array_equal(target[name]['w'], new[name]['w'])
    group = 'encoder' if name.startswith('conv') else 'head'
    if drawn:
      assert np.all(new[name]['b'] == 0)
      np.testing.assert_array_equal(
        after.initial[group][name]['w'], new[name]['w']
      )
    else:
      np.testing.assert_array_equal(
        after.initial[group][name]['w'], before.initial[group][name]['w']
      )
  for a, b in zip(
    nets.jax.tree.leaves(after.opt_state),
    nets.jax.tree.leaves(before.opt_state),
    strict=True,
  ):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('dense', ('reset_head', 'keep_head'))
def test_of_dense_layers_those_of_the_head_alone(dense):
  _, _, old, new, _ = changed(f'fire(dense="{dense}")', kind='mlp')
  for name in old:
    w = old[name]['w']
    in_encoder = name in ('dense_0', 'dense_1')
    projected = fire.scale_of(w) * fire.polar(w, 10)
    assert np.allclose(new[name]['w'], projected, atol=1e-5) == in_encoder
    assert np.array_equal(new[name]['w'], w) == (
      not in_encoder and dense == 'keep_head'
    )


@pytest.mark.parametrize('dense', fire_of_agents.DENSE)
def test_frozen_heads_stay_unless_dense_layers_are_drawn_again(dense):
  _, after, *_ = changed(f'fire(dense="{dense}")', history='injected')
  is_injected = isinstance(after.params['head'], injection.InjectedHead)
  assert is_injected == (not dense.startswith('reset'))
