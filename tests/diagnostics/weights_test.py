"""Diagnostics of weights on numbers that were worked out by hand."""

import jax
import jax.numpy as jnp
import pytest

from plasticity_rl import injection
from plasticity_rl.diagnostics.weight_change import distance_from_init
from plasticity_rl.diagnostics.weight_change import update_ratio
from plasticity_rl.diagnostics.weight_norm import weight_growth
from plasticity_rl.diagnostics.weight_norm import weight_norm
from plasticity_rl.types import NetState
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import injected
from tests.diagnostics.probes import probe_of


def weights():
  """Norms: conv 3, first 4, second 12, last 84 -> 13 and 85 cumulated."""

  def layer(w, b):
    return {'w': jnp.array([w], jnp.float32), 'b': jnp.array([b], jnp.float32)}

  return {
    'encoder': {'conv': layer(1.8, 2.4), 'first': layer(4.0, 0.0)},
    'head': {'second': layer(0.0, 12.0), 'last': layer(84.0, 0.0)},
  }


PLAIN = {'conv': 3, 'first': 4, 'second': 12, 'last': 84, 'trainable': 85}


def test_weight_norm():
  values = weight_norm(probe_of({}, weights()))
  assert floats(values) == pytest.approx({**PLAIN, 'all': 85})


def test_weight_norm_of_what_learns_and_of_all():
  params = weights()
  frozen = jax.tree.map(lambda x: jnp.stack([x * 0, x * 2]), params['head'])
  head = injection.InjectedHead(params['head'], frozen, jnp.array([1.0, -1.0]))
  values = weight_norm(probe_of({}, {**params, 'head': head}))
  everything = (85**2 + 4 * (12**2 + 84**2)) ** 0.5
  assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


def test_weight_norm_leaves_closed_slots_out():
  params = weights()
  frozen = jax.tree.map(lambda x: jnp.stack([x * 7, x * 2]), params['head'])
  for signs, share in (([0.0, 0.0], 0), ([0.0, -1.0], 4), ([1.0, -1.0], 53)):
    head = injection.InjectedHead(params['head'], frozen, jnp.array(signs))
    values = weight_norm(probe_of({}, {**params, 'head': head}))
    everything = (85**2 + share * (12**2 + 84**2)) ** 0.5
    assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


def test_weight_norm_counts_a_thawed_head_in_all():
  params = weights()
  head = injection.InjectedHead(
    params['head'],
    jax.tree.map(lambda x: x[:0][None][:0], params['head']),
    jnp.zeros([0]),
    thawed=(params['head'],),
  )
  values = weight_norm(probe_of({}, {**params, 'head': head}))
  everything = (85**2 + 12**2 + 84**2) ** 0.5
  assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


def scaled(**factors):
  """`weights()` with each layer multiplied."""
  return {
    part: {
      name: jax.tree.map(lambda x, f=factors[name]: f * x, layer)
      for name, layer in layers.items()
    }
    for part, layers in weights().items()
  }


FACTORS = {'conv': 2.0, 'first': 0.5, 'second': 1.0, 'last': 1.5}


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_weight_growth(of):
  """Of what learns: frozen heads have not grown."""
  probe = probe_of({}, of(scaled(**FACTORS)), initial=weights())
  whole = (6**2 + 2**2 + 12**2 + 126**2) ** 0.5 / 85
  assert floats(weight_growth(probe)) == pytest.approx(
    {**FACTORS, 'trainable': whole}
  )


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_distance_from_init(of):
  probe = probe_of({}, of(scaled(**FACTORS)), initial=weights())
  assert floats(distance_from_init(probe)) == pytest.approx(
    {
      'conv': 3,
      'first': 2,
      'second': 0,
      'last': 42,
      'trainable': (9 + 4 + 42**2) ** 0.5,
    }
  )


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_update_ratio(of):
  """Over the weights before the update, by what one update changed."""
  new = NetState(of(scaled(**FACTORS)), None, None, None)
  probe = probe_of({}, of(weights()), updated=lambda: new)
  assert floats(update_ratio(probe)) == pytest.approx(
    {
      'conv': 1,
      'first': 0.5,
      'second': 0,
      'last': 0.5,
      'trainable': (9 + 4 + 42**2) ** 0.5 / 85,
    }
  )
