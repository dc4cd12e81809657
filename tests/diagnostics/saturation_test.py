"""Saturation by hand, and of which layers it is."""

import dataclasses

import numpy as np
import pytest

from plasticity_rl import measures
from plasticity_rl.diagnostics import registry
from plasticity_rl.diagnostics.saturation import saturation
from plasticity_rl.errors import UserError
from plasticity_rl.layers import Layer
from tests.diagnostics.probes import TWO_LAYERS
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import probe_of
from tests.properties import cases

H = np.array([[0.95, -0.2, -1.0], [0.99, 0.1, 0.3]])


def test_near_either_bound_counts():
  assert float(measures.saturation(H)) == pytest.approx(0.5)
  assert float(measures.saturation(H, margin=0.0)) == pytest.approx(1 / 6)
  assert float(measures.saturation(H, margin=0.025)) == pytest.approx(0.5)
  assert float(measures.saturation(H, margin=0.02)) == pytest.approx(1 / 3)
  # Of a sigmoid zero is a bound.
  sigmoid = (H + 1) / 2
  assert float(measures.saturation(sigmoid, 0.0)) == pytest.approx(0.5)
  assert float(measures.saturation(sigmoid)) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
  'call, message',
  (
    (lambda: measures.saturation(2 * H), 'features are not within -1 and 1'),
    (lambda: measures.saturation(H, 1.0, -1.0), 'low must be below high'),
    (lambda: measures.saturation(H, margin=0.6), 'margin must be .* 0 to 0.5'),
    (lambda: measures.saturation(H[0]), 'features: expected a batch'),
  ),
)
def test_what_is_refused(call, message):
  with pytest.raises(UserError, match=message):
    call()


def test_layers_without_bounds_are_left_out():
  layers = (
    Layer('conv', ('encoder', 'conv')),
    Layer('first', ('encoder', 'first'), bounds=(-1.0, 1.0)),
    Layer('second', ('head', 'second'), bounds=(0.0, 1.0)),
    Layer('last', ('head', 'last'), hidden=False),
  )
  probe = probe_of(
    {'conv': H, 'first': H, 'second': [[0.5, 0.0]], 'last': H}, layers=layers
  )
  assert floats(saturation(probe)) == pytest.approx(
    {'first': 0.5, 'second': 0.5, 'encoder': 0.5, 'head': 0.5}
  )
  assert saturation(probe_of({'first': H}, layers=TWO_LAYERS)) == {}


def test_networks_say_which_layers_are_bounded():
  _, layers = cases.split_network(
    cases.INPUTS, convolutions=(), hidden=(5, 4), split=1, activation='tanh'
  )
  assert [layer.bounds for layer in layers] == [(-1, 1), (-1, 1), None]
  _, layers = cases.split_network(
    cases.INPUTS, convolutions=(), hidden=(5, 4), split=1
  )
  assert [layer.bounds for layer in layers] == [None] * 3
  _, agent = cases.AGENTS['drq_conv'](0)  # Its trunk ends in tanh.
  for net in ('critic', 'actor'):
    bounded = [x.name for x in agent.spec.nets[net].layers if x.bounds]
    assert bounded == ['trunk']


def test_an_agent_without_bounded_layers_is_told():
  _, agent = cases.AGENTS['dqn_mlp'](0)
  with pytest.raises(UserError, match='saturation is of bounded .*"tanh"'):
    registry.make(agent.spec, agent.update, ('saturation',), {})
  net = agent.spec.nets['q']
  bounded = dataclasses.replace(net.layers[0], bounds=(-1.0, 1.0))
  spec = dataclasses.replace(
    agent.spec,
    nets={'q': dataclasses.replace(net, layers=(bounded, *net.layers[1:]))},
  )
  registry.make(spec, agent.update, ('saturation',), {})
