"""Self-normalized resets: the estimate by hand, and when a unit is reset."""

import jax
import numpy as np
import pytest

from plasticity_rl.methods import self_normalized_resets as snr
from tests.interventions import nets


def run(fires, decay=1.0):
  """Own state of one unit after a history of firing."""
  zero = np.zeros(1, np.float32)
  own = snr.Statistics(np.zeros(1, np.int32), zero, zero, drawn=zero)
  for f in fires:
    own = snr.observe(own, fires=np.array([bool(f)]), decay=decay)
  numbers = (own.gaps.item(), own.length.item(), own.silent.item())
  return numbers, snr.log_tail(own).item(), own


@pytest.mark.parametrize(
  'fires, gaps, length, silent',
  [
    ((0, 0, 0), 0, 0, 3),
    ((1, 1, 1), 3, 3, 0),
    ((0, 0, 1, 0, 1, 0, 0), 2, 5, 2),
  ],
)
def test_gaps_and_their_tail_by_hand(fires, gaps, length, silent):
  found, tail, _ = run(fires)
  assert found == (gaps, length, silent)
  p = (gaps + 1) / (length + 2)
  np.testing.assert_allclose(tail, np.log((1 - p) ** silent), rtol=1e-6)


def test_old_gaps_are_forgotten():
  (gaps, length, silent), *_ = run((1, 0, 0, 1, 0), decay=0.5)
  assert (gaps, length, silent) == (1.5, 0.5 * 1 + 3, 1)


def silenced(made, kind, **options):
  """A network whose planted units fire for ten calls and then no more."""
  text = f'self_normalized_resets({options.pop("text", "")})'
  alive = nets.state(kind)
  _, own = nets.calls(text, made, alive, kind, times=10)
  return text, nets.plant(alive, kind), own


@pytest.mark.parametrize('kind', nets.SHAPES)
def test_units_that_fell_silent_are_recycled_without_a_trace(kind):
  made = nets.agent(kind)
  net = made.spec.nets['q']
  text, state, own = silenced(made, kind)
  first = next(iter(nets.DEAD[kind]))
  mask = nets.masks(kind)[first]
  # (1 - 11/12)^2 is still above .001 (decay aside), the third power is not.
  for call in range(3):
    before = state
    state, own = nets.calls(text, made, state, kind, own=own)
    b = nets.weights(net, state.nets['q'].params)[first]['b']
    assert np.all(b[mask] == (0 if call == 2 else -0.5))
    for old, new in zip(before.nets['q'][:2], state.nets['q'][:2], strict=True):
      np.testing.assert_array_equal(
        nets.predict(made, new, kind).outputs,
        nets.predict(made, old, kind).outputs,
      )
  old = nets.weights(net, before.nets['q'].params)[first]['b']
  np.testing.assert_array_equal(b[~mask], old[~mask])
  mine = own['q'][first]
  for k in ('silent', 'gaps', 'length'):
    np.testing.assert_array_equal(np.asarray(getattr(mine, k))[mask], 0)
    assert k == 'silent' or np.all(np.asarray(getattr(mine, k))[~mask] > 0)


def test_a_rare_unit_is_given_more_time():
  often, rare = run((1,) * 30)[-1], run((0, 0, 0, 0, 1) * 6)[-1]

  def calls_until_reset(own):
    calls = 0
    while snr.log_tail(own).item() > np.log(1e-3):
      own = snr.observe(own, fires=np.array([False]), decay=1.0)
      calls += 1
    return calls

  assert calls_until_reset(often) == 2
  # p = 7/32: the first power of 25/32 below .001.
  assert calls_until_reset(rare) == 28


def test_threshold_zero_is_the_identity():
  made = nets.agent('mlp')
  text, state, own = silenced(made, 'mlp', text='eta=0')
  after, _ = nets.calls(text, made, state, 'mlp', own=own, times=12)
  jax.tree.map(np.testing.assert_array_equal, after.nets, state.nets)


def test_the_layer_that_feeds_frozen_heads_is_left_alone():
  made = nets.agent('mlp')
  state = nets.plant(nets.state('mlp', 'injected'), 'mlp')
  after, _ = nets.calls('self_normalized_resets(eta=0.6)', made, state, 'mlp')
  old, new = (
    nets.weights(made.spec.nets['q'], s.nets['q'].params)
    for s in (state, after)
  )
  mask = nets.masks('mlp')
  assert np.all(new['dense_0']['b'][mask['dense_0']] == 0)
  assert np.all(new['dense_2']['b'][mask['dense_2']] == 0)
  np.testing.assert_array_equal(new['dense_1']['b'], old['dense_1']['b'])


def test_what_another_intervention_draws_again_is_new():
  made = nets.agent('mlp')
  text = 'self_normalized_resets'
  state, own = nets.calls(text, made, nets.state('mlp'), 'mlp', times=4)
  state = nets.apply('injection', made, state, 'mlp')
  _, own = nets.calls(text, made, state, 'mlp', own=own)
  assert np.all(np.asarray(own['q']['dense_0'].length) > 3)
  assert np.all(np.asarray(own['q']['dense_2'].length) <= 1)
