"""Optax's own optimizers under `masked` and `grouped`."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax import contrib

from plasticity_rl import injection
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import fresh
from tests.injection.nets import key

each_wrapper = pytest.mark.parametrize(
  'wrap', [injection.masked, injection.grouped]
)


def loss(params):
  return jnp.mean(PLAIN.apply(params, X) ** 2)


def train(optimizer, params, state, steps=10):
  @jax.jit
  def step(params, state):
    value, gradients = jax.value_and_grad(loss)(params)
    updates, state = optimizer.update(gradients, state, params, value=value)
    return optax.apply_updates(params, updates), state

  for _ in range(steps):
    params, state = step(params, state)
  return params, state


TAKE_THE_LOSS = {
  'reduce_on_plateau': optax.chain(
    optax.adam(0.01), contrib.reduce_on_plateau(patience=2)
  ),
  'polyak_sgd': optax.polyak_sgd(max_learning_rate=0.1),
  'momo': contrib.momo(0.1),
}


@pytest.mark.parametrize('core', TAKE_THE_LOSS.values(), ids=TAKE_THE_LOSS)
@each_wrapper
def test_the_loss_reaches_optimizers_that_take_it(wrap, core):
  optimizer = wrap(core)
  params = fresh()
  before = loss(params)
  params, state = train(optimizer, params, optimizer.init(params))
  assert loss(params) < before
  params, state = injection.inject(key(1), PLAIN, params, optimizer, state)
  frozen = params['head'].frozen
  params, _ = train(optimizer, params, state)
  for a, b in zip(
    jax.tree.leaves(params['head'].frozen), jax.tree.leaves(frozen), strict=True
  ):
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize('core', TAKE_THE_LOSS.values(), ids=TAKE_THE_LOSS)
def test_grouped_trains_after_an_injection(core):
  optimizer = injection.grouped(core)
  params = fresh()
  params, state = train(optimizer, params, optimizer.init(params), steps=2)
  params, state = injection.inject(key(1), PLAIN, params, optimizer, state)
  before = loss(params)
  params, _ = train(optimizer, params, state, steps=30)
  assert loss(params) < before


def test_the_loss_reaches_each_stage():
  told = []

  def stage(name):
    def update(updates, state, params=None, *, value):
      told.append((name, value))
      return updates, state

    return optax.GradientTransformationExtraArgs(lambda _: (), update)

  optimizer = injection.grouped(
    stage('core'), before=stage('before'), after=stage('after')
  )
  params = {**fresh(), 'log_alpha': jnp.zeros([])}
  optimizer.update(params, optimizer.init(params), params, value=0.5)
  assert told == [
    ('before', 0.5),
    *[('core', 0.5)] * 3,  # Encoder, head and the rest.
    ('after', 0.5),
  ]


@each_wrapper
def test_an_optimizer_that_asks_for_the_loss_says_so(wrap):
  optimizer = wrap(contrib.momo(0.1))
  params = fresh()
  with pytest.raises(TypeError, match='value'):
    optimizer.update(params, optimizer.init(params), params)


def test_an_unwrapped_optimizer_that_takes_the_loss_is_refused():
  params = fresh()
  optimizer = optax.polyak_sgd()
  with pytest.raises(ValueError, match='wrap it by injection.masked'):
    injection.inject(key(0), PLAIN, params, optimizer, optimizer.init(params))


@pytest.mark.parametrize(
  'core, said',
  [
    (optax.lookahead(optax.sgd(0.1), 5, 0.5), 'LookaheadState'),
    (optax.lbfgs(), 'linesearch=None.*ZoomLinesearch'),
    (
      optax.chain(optax.sgd(0.1), optax.scale_by_backtracking_linesearch(5)),
      'BacktrackingLinesearch',
    ),
  ],
  ids=['lookahead', 'lbfgs', 'backtracking'],
)
@each_wrapper
def test_what_needs_the_whole_tree_is_refused(wrap, core, said):
  with pytest.raises(ValueError, match=said):
    wrap(core).init(fresh())


@pytest.mark.parametrize(
  'wrap, optimizer_state',
  [
    (injection.grouped, 'reset_head'),
    # Its inner products are one for all parameters.
    (injection.masked, 'reset_all'),
  ],
)
def test_lbfgs_without_a_line_search_goes_through_an_injection(
  wrap, optimizer_state
):
  optimizer = wrap(optax.lbfgs(0.05, linesearch=None))
  params = fresh()
  before = loss(params)
  params, state = train(optimizer, params, optimizer.init(params))
  assert loss(params) < before
  params, state = injection.inject(
    key(1), PLAIN, params, optimizer, state, optimizer_state=optimizer_state
  )
  before = loss(params)
  params, _ = train(optimizer, params, state)
  assert loss(params) < before


def labels(tree):
  return jax.tree.map(lambda _: 'a', tree)


@pytest.mark.parametrize(
  'make',
  [
    lambda of: optax.multi_transform({'a': optax.adam(0.01)}, of(labels)),
    lambda of: optax.adamw(
      0.01, mask=of(lambda tree: jax.tree.map(lambda _: True, tree))
    ),
  ],
  ids=['multi_transform', 'decay_mask'],
)
def test_labels_are_functions_of_the_parameters(make):
  params = fresh()
  optimizer = injection.grouped(make(lambda function: function))
  params, state = train(optimizer, params, optimizer.init(params), steps=2)
  injection.inject(key(1), PLAIN, params, optimizer, state)
  # Trees have the structure of all parameters, and of one time.
  of_a_tree = make(lambda function: function(fresh()))
  with pytest.raises(ValueError, match='functions of the parameters, not tree'):
    injection.grouped(of_a_tree).init(params)
  optimizer = injection.masked(of_a_tree)
  params = fresh()
  state = optimizer.init(params)
  with pytest.raises(ValueError, match='functions of the parameters, not tree'):
    injection.inject(key(1), PLAIN, params, optimizer, state)
