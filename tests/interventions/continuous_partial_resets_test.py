"""Continuous partial resets by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.layers import declare_layers
from plasticity_rl.measures.gradients import gradient_scores
from plasticity_rl.methods import continuous_partial_resets as method
from plasticity_rl.weight_norm import weight_normalization
from tests.interventions import nets

TEXT = 'continuous_partial_resets(period=3, decay=0.5, rate=0.4, sharpness=2)'


def scores(made, state, kind):
  by_layer = nets.gradient(made, state, kind)
  return {
    name: np.asarray(gradient_scores(by_layer[name]['w']))
    for name in nets.DEAD[kind]
  }


def test_utility_is_an_average_that_starts_anew():
  made, state = nets.agent('mlp'), nets.state('mlp')
  g = scores(made, state, 'mlp')
  _, own = nets.calls(TEXT, made, state, 'mlp', times=2)
  for name, score in g.items():
    np.testing.assert_allclose(
      own['q'][name].utility, 0.25 + 0.75 * score, rtol=1e-4
    )
    assert own['q'][name].calls == 2
  _, own = nets.calls(TEXT, made, state, 'mlp', times=3)
  assert all(np.all(own['q'][name].utility == 1) for name in g)


@pytest.mark.parametrize('kind', nets.SHAPES)
def test_weights_are_mixed_by_hand(kind):
  made, state = nets.agent(kind), nets.state(kind)
  net = made.spec.nets['q']
  before, own = nets.calls(TEXT, made, state, kind, times=2)
  jax.tree.map(np.testing.assert_array_equal, before.nets, state.nets)
  after, _ = nets.calls(TEXT, made, before, kind, own=own, key=9)
  q, new = before.nets['q'], after.nets['q']
  g = scores(made, state, kind)
  utility = {n: 0.125 + 0.875 * s for n, s in g.items()}
  rates = {
    n: 0.4 * np.minimum(np.exp(-2 * (u - 0.95)), 1) for n, u in utility.items()
  }
  assert min(r.min() for r in rates.values()) < 0.3  # Not all alike.
  fresh = None
  names = [layer.name for layer in net.layers]
  for old_params, new_params in (
    (q.params, new.params),
    (q.target, new.target),
  ):
    old, now = (nets.weights(net, p) for p in (old_params, new_params))
    drawn = {}
    for i, name in enumerate(names):
      w = old[name]['w']
      r_in = rates.get(name, np.zeros(w.shape[-1]))
      r_out = rates[names[i - 1]] if i else np.zeros(w.shape[-2])
      r_out = np.tile(r_out, w.shape[-2] // r_out.size)[:, None]
      rest = now[name]['w'] - (1 - r_in) * (1 - r_out) * w
      np.testing.assert_array_equal(now[name]['b'], old[name]['b'])
      if name == names[-1]:
        np.testing.assert_allclose(rest, 0, atol=1e-6)
      else:
        drawn[name] = rest / r_in
    # What was added is one draw of the initialiser, the same in both.
    if fresh is not None:
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), fresh, drawn
      )
    fresh = drawn
  for w in fresh.values():
    bound = 2 / np.prod(w.shape[:-1]) ** 0.5  # Truncated at two deviations.
    assert np.abs(w).max() < bound * 1.15
    assert np.std(w) > bound / 4
  for part in ('opt_state', 'initial'):
    jax.tree.map(
      np.testing.assert_array_equal, getattr(new, part), getattr(q, part)
    )


def test_what_another_intervention_draws_again_is_new():
  made, state = nets.agent('mlp'), nets.state('mlp')
  _, own = nets.calls(TEXT, made, state, 'mlp', times=2)
  redrawn = nets.apply('reset(scope="head")', made, state, 'mlp')
  longer = TEXT.replace('period=3', 'period=30')
  _, after = nets.calls(longer, made, redrawn, 'mlp', own=own)
  g = scores(made, redrawn, 'mlp')
  for name, score in g.items():
    start = 1 if name == 'dense_2' else own['q'][name].utility
    np.testing.assert_allclose(
      after['q'][name].utility, 0.5 * start + 0.5 * score, rtol=1e-4
    )


def test_with_weight_normalisation_what_multiplies_is_mixed():
  rng = np.random.default_rng(0)

  def layer(units):
    return {
      'w': rng.standard_normal((4, units), np.float32),
      'g': rng.uniform(1, 5, units).astype(np.float32),
    }

  params, fresh = ({'a': layer(4), 'b': layer(2)} for _ in range(2))
  layers = declare_layers({'a': ['a'], 'b': ['b']}, bias=None)
  r = jnp.array([0.5, 0.0, 0.25, 0.0])
  new = method.mix(layers, params, fresh, {'a': r})
  multiplied = [
    {n: weight_normalization(p[n]['w'], p[n]['g']) for n in p}
    for p in (params, fresh, new)
  ]
  old, drawn, now = multiplied
  np.testing.assert_allclose(
    now['a'], (1 - r) * old['a'] + r * drawn['a'], rtol=1e-5
  )
  np.testing.assert_allclose(now['b'], (1 - r[:, None]) * old['b'], rtol=1e-5)
  for k in 'wg':  # To the bit.
    np.testing.assert_array_equal(
      new['a'][k][..., 1::2], params['a'][k][..., 1::2]
    )
