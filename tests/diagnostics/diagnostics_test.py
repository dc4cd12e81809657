"""Every diagnostic on numbers that were worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.diagnostics import base
from plasticity_rl.diagnostics import registry
from plasticity_rl.diagnostics.dead_units import dead_units
from plasticity_rl.diagnostics.dormant_units import dormancy
from plasticity_rl.diagnostics.dormant_units import dormant_units
from plasticity_rl.diagnostics.srank import srank
from plasticity_rl.diagnostics.srank import srank_of
from plasticity_rl.diagnostics.weight_norm import weight_norm
from plasticity_rl.errors import UserError
from plasticity_rl.types import AgentSpec
from plasticity_rl.types import Layer
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Transition

# A convolution and a dense layer in the encoder, two in the head.
LAYERS = (
    Layer('conv', ('encoder', 'conv')),
    Layer('first', ('encoder', 'first'), flattened_from=(1, 2, 3)),
    Layer('second', ('head', 'second')),
    Layer('last', ('head', 'last'), hidden=False),
)
FEATURES = {
    # [B, H, W, C]: channel 0 is dead, channel 1 lives at one position of one
    # example, channel 2 everywhere.
    'conv': np.array([
        [[[0, 0, 2], [0, 0, 2]]],
        [[[0, 0.04, 2], [0, 0, 2]]],
    ]),
    # Mean |h|: 2, 0, 1, 1, so that their mean is 1.
    'first': np.array([[1.0, 0, 2, 0], [3.0, 0, 0, 2]]),
    'second': np.array([[0.0, 1.0], [0.0, 0.0]]),
    'last': np.zeros([2, 3]),
}


def probe_of(features, params=None, layers=LAYERS):
  features = {k: jnp.array(v, jnp.float32) for k, v in features.items()}
  return base.Probe(
      NetSpec(None, None, layers, has_target=False),
      NetState(params, None, None, None), None,
      NetworkOutput(None, features),
  )


KEY = jax.random.PRNGKey(0)


def floats(values):
  return {k: float(v) for k, v in values.items()}


def test_activity_of_dense_units_and_of_channels():
  activity = base.unit_activity(jnp.array(FEATURES['conv']))
  np.testing.assert_allclose(activity, [0, 0.01, 2], rtol=1e-6)
  assert base.unit_activity(jnp.array([[-1.0, 2], [3.0, 0]])).tolist() == [2, 1]


def test_dead_units():
  assert floats(dead_units(probe_of(FEATURES))) == pytest.approx({
      'conv': 1 / 3, 'first': 1 / 4, 'second': 1 / 2,
      'encoder': 2 / 7,  # Over units, not over layers.
      'head': 1 / 2,
  })


def test_dormancy():
  np.testing.assert_allclose(
      dormancy(jnp.array(FEATURES['first'])), [2, 0, 1, 1]
  )
  assert dormancy(jnp.zeros([4, 3])).tolist() == [0, 0, 0]


def test_dormant_units():
  # Scores of the channels: 0, 0.01 / 0.67, 2 / 0.67.
  assert floats(dormant_units(probe_of(FEATURES))) == pytest.approx({
      'conv': 2 / 3, 'first': 1 / 4, 'second': 1 / 2, 'encoder': 3 / 7,
      'head': 1 / 2,
  })
  # At most tau counts, not below it alone.
  for tau, share in ((0.0, 1 / 4), (0.99, 1 / 4), (1.0, 3 / 4), (2.0, 1.0)):
    values = dormant_units(probe_of(FEATURES), tau=tau)
    assert float(values['first']) == share


def test_no_hidden_layer_in_a_part():
  layers = (Layer('last', ('head', 'last'), hidden=False),)
  assert dead_units(probe_of({'last': np.zeros([2, 3])}, layers=layers)) == {}


def matrix(*singular_values, rows=9, columns=7):
  """A matrix of these singular values between random orthogonal bases."""
  draw = np.random.default_rng(0)
  u, _ = np.linalg.qr(draw.normal(size=[rows, rows]))
  v, _ = np.linalg.qr(draw.normal(size=[columns, columns]))
  s = np.zeros([rows, columns])
  np.fill_diagonal(s, [*singular_values, *[0] * columns][:columns])
  return jnp.array(u @ s @ v, jnp.float32)


@pytest.mark.parametrize('rank', (1, 3, 7))
def test_srank_of_equal_singular_values_is_the_rank(rank):
  assert float(srank_of(matrix(*[2.0] * rank))) == rank


def test_srank_counts_up_to_the_share():
  # Shares 0.9, 0.985, 0.995, 1.
  features = matrix(90.0, 8.5, 1.0, 0.5)
  for delta, expected in ((0.2, 1), (0.05, 2), (0.01, 3), (0.001, 4)):
    assert float(srank_of(features, delta)) == expected


def test_srank_where_the_share_is_met_exactly():
  # A share of three in four is as much as is asked for.
  assert float(srank_of(jnp.eye(4), 0.25)) == 3
  assert float(srank_of(jnp.eye(4), 0.24)) == 4
  assert float(srank_of(jnp.eye(4), 0.0)) == 4


def test_srank_of_nothing_is_zero():
  assert float(srank_of(jnp.zeros([5, 3]))) == 0


def test_srank_looks_at_dense_layers_and_at_the_end_of_the_encoder():
  features = {**FEATURES, 'second': np.eye(2)}
  assert floats(srank(probe_of(features))) == {'first': 2, 'second': 2}
  # Where a convolution ends the encoder, its flattened output.
  layers = (
      Layer('inner', ('encoder', 'inner')), Layer('conv', ('encoder', 'conv')),
      Layer('second', ('head', 'second')),
      Layer('last', ('head', 'last'), hidden=False),
  )
  conv = np.zeros([3, 1, 2, 2])
  conv[0, 0, 0, 0] = conv[1, 0, 1, 0] = conv[2, 0, 0, 1] = 1.0
  features = {**FEATURES, 'inner': conv, 'conv': conv, 'second': np.eye(3)}
  assert floats(srank(probe_of(features, layers=layers))) == {
      'conv': 3, 'second': 3
  }


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
  frozen = jax.tree.map(
      lambda x: jnp.stack([x * 0, x * 2]), params['head']
  )
  head = injection.InjectedHead(params['head'], frozen, jnp.array([1.0, -1.0]))
  values = weight_norm(probe_of({}, {**params, 'head': head}))
  everything = (85**2 + 4 * (12**2 + 84**2)) ** 0.5
  assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


def test_weight_norm_leaves_closed_slots_out():
  params = weights()
  frozen = jax.tree.map(
      lambda x: jnp.stack([x * 7, x * 2]), params['head']
  )
  for signs, share in (([0.0, 0.0], 0), ([0.0, -1.0], 4), ([1.0, -1.0], 53)):
    head = injection.InjectedHead(params['head'], frozen, jnp.array(signs))
    values = weight_norm(probe_of({}, {**params, 'head': head}))
    everything = (85**2 + share * (12**2 + 84**2)) ** 0.5
    assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


def test_weight_norm_counts_a_thawed_head_in_all():
  params = weights()
  head = injection.InjectedHead(
      params['head'], jax.tree.map(lambda x: x[:0][None][:0], params['head']),
      jnp.zeros([0]), thawed=(params['head'],),
  )
  values = weight_norm(probe_of({}, {**params, 'head': head}))
  everything = (85**2 + 12**2 + 84**2) ** 0.5
  assert floats(values) == pytest.approx({**PLAIN, 'all': everything})


class Network:
  """Features that grow with the input; stands for a `SplitNetwork`."""

  @staticmethod
  def apply(params, x):
    del params
    return NetworkOutput(None, {
        k: x * jnp.array(v, jnp.float32) for k, v in FEATURES.items()
    })


def test_registry_measures_every_network_by_name():
  net = NetSpec(Network, None, LAYERS, has_target=False)
  spec = AgentSpec(
      nets={'a': net, 'b': net}, default_nets=('a',), encoder_net='a',
      inputs=lambda params, batch: {'a': batch.s_tm1, 'b': 0 * batch.s_tm1},
      policy=None,
      losses=lambda key, nets, batch: {'a': None, 'b': None},
  )
  measure = registry.make(
      spec, None, ('dead_units', 'dormant_units', 'weight_norm'),
      {'dormant_units': {'tau': 1.0}},
  )
  nets = {name: NetState(weights(), None, None, None) for name in 'ab'}
  batch = Transition(jnp.array(3.0), None, None, None, None)
  values = floats(measure(KEY, nets, batch))
  assert values['plasticity/a/dead_units/conv'] == pytest.approx(1 / 3)
  assert values['plasticity/b/dead_units/conv'] == 1
  assert values['plasticity/a/dormant_units/first'] == 3 / 4  # By that tau.
  assert values['plasticity/b/weight_norm/all'] == pytest.approx(85)
  assert {k.split('/')[2] for k in values} == {
      'dead_units', 'dormant_units', 'weight_norm'
  }


def test_unknown_diagnostic_is_refused_with_the_nearest():
  with pytest.raises(UserError, match="'sranc'; did you mean 'srank'"):
    registry.make(None, None, ('dead_units', 'sranc'), {})
