"""Mean outputs that stay what they were."""

import jax
import numpy as np
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.types import TrainState
from tests.interventions import nets
from tests.properties import cases

RESET = 'reset(scope="head")'
KEPT = 'reset(scope="head", keep_mean=True)'


@pytest.mark.parametrize('history', ('fresh', 'injected'))
@pytest.mark.parametrize('text', (KEPT, 'injection(keep_mean=True)'))
def test_the_mean_of_every_output_stays(history, text):
  made, state = nets.agent('mlp'), nets.state('mlp', history)
  after = nets.apply(text, made, state, 'mlp').nets['q']
  before = state.nets['q']
  means = [
    nets.predict(made, q.params, 'mlp').outputs.mean(0) for q in (before, after)
  ]
  np.testing.assert_allclose(*means, atol=1e-5)


def test_only_the_last_biases_differ_from_a_plain_reset():
  made, state = nets.agent('mlp'), nets.state('mlp')
  plain, kept = (
    nets.apply(text, made, state, 'mlp').nets['q'] for text in (RESET, KEPT)
  )
  shifts = []
  for part in ('params', 'target'):
    one, other = (
      nets.weights(made.spec.nets['q'], getattr(q, part)) for q in (plain, kept)
    )
    shifts.append(other['dense_3']['b'] - one['dense_3']['b'])
    other['dense_3']['b'] = one['dense_3']['b']
    jax.tree.map(np.testing.assert_array_equal, one, other)
  assert np.abs(shifts[0]).min() > 1e-3
  np.testing.assert_array_equal(*shifts)
  jax.tree.map(np.testing.assert_array_equal, plain.opt_state, kept.opt_state)
  jax.tree.map(np.testing.assert_array_equal, plain.initial, kept.initial)


def test_each_member_of_an_ensemble_keeps_its_own():
  agent, state, batch = cases.case('sac_mlp', 'fresh')
  before = cases.one_seed(state).nets
  intervention = registry.make(expression.parse(KEPT), agent.spec)
  start = TrainState(before, (), (), (), (), {})
  after = intervention.apply(
    jax.random.PRNGKey(3), start, intervention.init(start), batch
  )[0].nets

  def mean(nets_):
    params = {name: net.params for name, net in nets_.items()}
    x = agent.spec.inputs(params, batch)['critic']
    critic = agent.spec.nets['critic'].network
    return critic.apply(params['critic'], x).outputs.mean(0)

  np.testing.assert_allclose(mean(after), mean(before), atol=1e-5)
  assert mean(before).shape == (2,)


def test_what_it_takes():
  spec = nets.agent('mlp').spec
  with pytest.raises(UserError, match='keep_mean'):
    registry.make(expression.parse('reset(keep_mean=2)'), spec)
