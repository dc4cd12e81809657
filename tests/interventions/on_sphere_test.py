"""Weights of unit length stay so: after updates, and after interventions."""

import jax
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl import sphere
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry
from plasticity_rl.learner import optimizers
from plasticity_rl.types import Counters
from plasticity_rl.types import TrainState
from tests.properties import cases

KEY = jax.random.PRNGKey(6)


def lengths(params):
  """The lengths of all columns of weights that learn, by path."""
  found = {}
  plain = injection.trainable(params)
  for path, w in jax.tree_util.tree_leaves_with_path(plain):
    if sphere.is_on_sphere(path):
      found[jax.tree_util.keystr(path)] = np.linalg.norm(w, axis=-2)
  return found


def assert_on_sphere(params):
  found = lengths(params)
  assert len(found) == 5
  for path, length in found.items():
    # Of a unit whose inputs were all recycled, nothing is left.
    whole = length[length != 0]
    np.testing.assert_allclose(whole, 1, rtol=2e-5, err_msg=path)


@pytest.fixture(name='agent', scope='module')
def fixture_agent():
  return cases.AGENTS['sac_sphere'](0)[1]


@pytest.fixture(name='batch', scope='module')
def fixture_batch():
  batch = cases.case('sac_sphere', 'fresh').batch
  return jax.tree.map(np.asarray, batch)


@pytest.fixture(name='trained', scope='module')
def fixture_trained(agent, batch):
  """After some updates, in which the target fell behind."""
  nets, update = agent.init(KEY), jax.jit(agent.update)
  for name in ('critic', 'actor'):
    assert_on_sphere(nets[name].params)
  for i in range(4):
    nets, _ = update(jax.random.fold_in(KEY, i), nets, batch, i)
    for name in ('critic', 'actor'):
      assert_on_sphere(nets[name].params)
  counters = Counters(*(np.int32(4) for _ in Counters._fields))
  return TrainState(nets, (), (), (), counters, {})


def test_updates_move_weights(agent, trained):
  start = agent.init(KEY)['critic'].params
  moved = jax.tree.map(
    lambda a, b: not np.allclose(a, b), start, trained.nets['critic'].params
  )
  assert all(jax.tree.leaves(moved))


# Without a state of keys, and without biases to move mean features into.
TEXTS = [
  p.text
  for p in cases.PROMISES
  if p.text.split('(')[0] not in ('reseed', 'continual_backprop')
]


def test_what_needs_biases_is_refused(agent):
  with pytest.raises(UserError, match='no biases in the layers that hidden'):
    registry.make(expressions.parse('continual_backprop'), agent.spec)


@pytest.mark.parametrize('text', TEXTS)
def test_interventions_leave_weights_on_the_sphere(agent, batch, trained, text):
  made = registry.make(expressions.parse(text), agent.spec)
  after, _ = made.apply(KEY, trained, made.init(trained), batch)
  for name in ('critic', 'actor'):
    assert_on_sphere(after.nets[name].params)


def test_what_is_not_changed_stays_to_the_bit(agent, batch, trained):
  """A target that follows slowly is not on the sphere, and is left alone."""
  made = registry.make(expressions.parse('optimizer_reset'), agent.spec)
  after, _ = made.apply(KEY, trained, (), batch)
  old, new = trained.nets['critic'].target, after.nets['critic'].target
  jax.tree.map(np.testing.assert_array_equal, old, new)
  off = [abs(x - 1).max() for x in lengths(old).values()]
  assert max(off) > 1e-6


@pytest.mark.parametrize('name', ('adam', 'sgd', 'muon', 'trac'))
@pytest.mark.parametrize('remember', (False, True))
def test_every_optimizer_puts_them_back(agent, name, remember):
  net = agent.spec.nets['actor']
  optimizer = optimizers.make(
    settings.OptimizerConfig(name=name, learning_rate=0.1),
    remember=remember,
    on_sphere=True,
  )
  params = net.network.init(KEY)
  injected = injection.inject_params(KEY, net.network, params)
  for tree in (params, injected):
    gradients = jax.tree.map(lambda x: x + 0.3, tree)
    updates, _ = optimizer.update(gradients, optimizer.init(tree), tree)
    new = jax.tree.map(lambda p, u: p + u, tree, updates)
    assert_on_sphere(new)
    head = new['head']
    if isinstance(head, injection.InjectedHead):
      jax.tree.map(
        np.testing.assert_array_equal, head.frozen, tree['head'].frozen
      )
