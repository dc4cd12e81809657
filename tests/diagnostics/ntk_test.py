"""The tangent kernel of networks that were differentiated by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl.diagnostics import base
from plasticity_rl.diagnostics.ntk import ntk_condition
from plasticity_rl.diagnostics.ntk import ntk_rank
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from tests.diagnostics.probes import injected
from tests.diagnostics.probes import regression
from tests.diagnostics.probes import two_layers
from tests.properties import cases

X, Y = [[1.0], [-1.0], [2.0]], [[5.0], [7.0], [0.0]]
# Gradients of the output on x = 1: first w (3, 0, 0), b (3, 0, 0), last w
# (2, 0, 0), b 1; on -1: w (0, -5, 0), b (0, 5, 0), w (0, 1, 0), b 1; on 2:
# w (6, 0, 0), b (3, 0, 0), w (4, 0, 0), b 1.
KERNEL = np.array([[23.0, 1, 36], [1, 52, 1], [36, 1, 62]])
VALUES = np.linalg.eigvalsh(KERNEL)[::-1]


@pytest.mark.parametrize('of', (lambda p: p, injected))
def test_by_hand(of):
  probe = regression(of(two_layers()), X, Y)
  np.testing.assert_allclose(probe.ntk_eigenvalues(32), VALUES, rtol=1e-4)
  assert float(ntk_rank(probe)['rank']) == 3
  # The smallest of the three holds 0.6 % of the trace.
  assert float(ntk_rank(probe, delta=0.2)['rank']) == 2
  assert float(ntk_condition(probe)['condition']) == pytest.approx(
    VALUES[0] / VALUES[-1], rel=1e-3
  )


def test_no_loss_is_in_it():
  exact = regression(two_layers(), X, [[6.0], [5.0], [12.0]])
  np.testing.assert_allclose(exact.ntk_eigenvalues(32), VALUES, rtol=1e-4)


def test_of_the_first_examples():
  probe = regression(two_layers(), X, Y)
  np.testing.assert_allclose(
    probe.ntk_eigenvalues(2),
    np.linalg.eigvalsh(KERNEL[:2, :2])[::-1],
    rtol=1e-4,
  )
  assert float(ntk_rank(probe, examples=1)['rank']) == 1
  assert float(ntk_condition(probe, examples=1)['condition']) == 1


def test_computed_once_for_both():
  probe = regression(two_layers(), X, Y)
  calls, real = [], probe.net.network

  class Counted:
    @staticmethod
    def apply(params, x):
      calls.append(x)
      return real.apply(params, x)

  object.__setattr__(
    probe, 'net', NetSpec(Counted, None, probe.net.layers, has_target=False)
  )
  ntk_rank(probe)
  before = len(calls)
  ntk_condition(probe)
  assert len(calls) == before > 0


@pytest.mark.parametrize(
  'agent_name, net_name',
  (
    ('dqn_mlp', 'q'),
    pytest.param('dqn_normed', 'q', marks=pytest.mark.slow),
    pytest.param('sac_mlp', 'critic', marks=pytest.mark.slow),
    pytest.param('sac_mlp', 'actor', marks=pytest.mark.slow),
  ),
)
def test_summed_over_outputs_as_by_all_their_gradients(agent_name, net_name):
  """Several outputs, of trees and ensembles, beside one large Jacobian."""
  agent, state, batch = cases.case(agent_name, 'injected')
  nets = cases.one_seed(state).nets
  net, one = agent.spec.nets[net_name], nets[net_name]
  inputs = agent.spec.inputs({k: v.params for k, v in nets.items()}, batch)
  probe = base.Probe(
    net, NetState(one.params, None, None, None), inputs[net_name], None
  )

  def outputs(learns):
    params = injection.replace_trainable(one.params, learns)
    found = net.network.apply(params, inputs[net_name]).outputs
    return jnp.concatenate(
      [y.reshape(cases.BATCH, -1) for y in jax.tree.leaves(found)], -1
    )

  jacobian = np.concatenate(
    [
      np.asarray(g).reshape(*g.shape[:2], -1)
      for g in jax.tree.leaves(
        jax.jacrev(outputs)(injection.trainable(one.params))
      )
    ],
    -1,
  )
  assert jacobian.shape[1] > 1
  kernel = np.einsum('iap,jap->ij', jacobian, jacobian)
  np.testing.assert_allclose(
    probe.ntk_eigenvalues(32),
    np.linalg.eigvalsh(kernel)[::-1],
    rtol=1e-3,
    atol=1e-5 * np.trace(kernel),
  )
