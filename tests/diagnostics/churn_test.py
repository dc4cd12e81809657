"""What an update on one half changes on the other, by hand."""

import jax.numpy as jnp
import pytest

from plasticity_rl.diagnostics import base
from plasticity_rl.diagnostics.churn import churn
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from plasticity_rl.types import NetworkOutput

# Values of two actions on four examples; the first column grows by `params`.
Q = jnp.array([[0.0, 9.0], [0.0, 9.0], [0.0, 1.0], [0.0, 4.0]])


class Network:
  @staticmethod
  def apply(params, x):
    # Twice as much on the half that was learned from.
    there = jnp.array([2.0, 2.0, 1.0, 1.0])
    return NetworkOutput(x.at[:, 0].add(there * params), {})


def probe(change, policy=None, network=Network):
  """An update on n examples adds n times `change`."""
  return base.Probe(
    NetSpec(network, None, (), has_target=False),
    NetState(jnp.array(0.0), None, None, None),
    Q,
    NetworkOutput(Q, {}),
    updated=lambda n: NetState(jnp.array(n * change), None, None, None),
    policy=policy or (lambda p: jnp.argmax(Network.apply(p, Q).outputs, -1)),
  )


def test_churn():
  """Actions change on one of the last two; their values by 2 in one of two."""
  values = churn(probe(1.0))
  assert float(values['value']) == 1.0
  assert float(values['policy']) == 0.5
  assert float(churn(probe(-1.0))['value']) == 1.0  # Without its sign.
  assert float(churn(probe(3.0))['policy']) == 1.0


def test_nothing_changes_without_a_change():
  assert {k: float(v) for k, v in churn(probe(0.0)).items()} == {
    'value': 0,
    'policy': 0,
  }


def test_continuous_decisions_change_by_so_much():
  # By 2, one of two dimensions, the other way on the last example; the first
  # half, which was learned from, does not count.
  there = jnp.array([[9.0, 9.0], [9.0, 9.0], [0.0, 1.0], [0.0, -1.0]])
  values = churn(probe(1.0, policy=lambda p: p * there))
  assert {k: float(v) for k, v in values.items()} == {
    'value': 1.0,
    'action': 1.0,
  }


def test_a_decision_of_several_parts_changes_once():
  values = churn(
    probe(
      1.0,
      policy=lambda p: jnp.where(
        jnp.arange(4)[:, None] == 3, jnp.stack([p, 0 * p]), 0.0
      ).astype(jnp.int32),
    )
  )
  assert float(values['policy']) == pytest.approx(0.5)
