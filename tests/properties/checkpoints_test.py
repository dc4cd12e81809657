"""What any intervention leaves of any agent comes back from a checkpoint."""

import functools

import jax
import numpy as np
import pytest

from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry
from plasticity_rl.run.checkpoint import Checkpoints
from tests.properties import cases

# What else options decide leaves the structure as it is.
TEXTS = [
  *registry.REGISTRY,
  'injection(third_term=False)',
  'injection(freeze_original=False)',
  'reset(scope="everything")',
]
# Each agent once, the fastest of them with every history.
CASES = [
  case
  for case in cases.pairs()
  if case.values[0] == 'dqn_mlp'
  or case.values[1] == ('fresh' if case.values[0] == 'drq_conv' else 'injected')
]


class Intervened:
  """As an experiment that knows of shapes, and replays its history on them."""

  def __init__(self, agent, state, batch):
    self.trainer = self
    self._agent, self._state, self._batch = agent, state, batch
    self._once = functools.cache(self._shapes)

  def shapes(self, history):
    return self._once(tuple(history))

  def _shapes(self, history):
    """By each intervention: networks, and the state of its own."""
    nets, own = {}, {}
    for i, text in enumerate(history):
      intervention = registry.make(expressions.parse(text), self._agent.spec)

      def apply(key, state, batch, intervention=intervention):
        state, own = intervention.apply(
          key, state, intervention.init(state), batch
        )
        return state._replace(interventions={'own': own})

      after = jax.eval_shape(
        cases.over_seeds(apply), cases.keys(0), self._state, self._batch
      )
      nets[str(i)], own[str(i)] = after.nets, after.interventions
    return after._replace(nets=nets, interventions=own)

  def shapes_as_saved(self, shapes, leaves):
    del leaves
    return shapes

  def load(self, state, folder):
    del folder
    return state


@pytest.mark.parametrize('agent_name, history', CASES)
def test_every_outcome_comes_back_to_the_bit(agent_name, history, tmp_path):
  agent, state, batch = cases.case(agent_name, history)
  experiment = Intervened(agent, state, batch)
  texts = [
    # Slots hold frozen heads alone.
    text
    for text in TEXTS
    if (history != 'slots' or 'freeze_original' not in text)
    and cases.applies(agent_name, text)
  ]
  rng = np.random.default_rng(0)
  after = jax.tree.map(
    lambda x: np.asarray(rng.integers(0, 100, x.shape) / 3).astype(x.dtype),
    experiment.shapes(texts),
  )
  checkpoints = Checkpoints(tmp_path)
  checkpoints.save(5, after, {'history': texts})
  checkpoints.wait()
  back, meta = Checkpoints(tmp_path).restore(5, experiment)
  assert meta['history'] == texts
  assert jax.tree.structure(back) == jax.tree.structure(after)
  for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(after), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)
