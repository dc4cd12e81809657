"""The optimizer's state through injections, and what it updates."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.learner import optimizers
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import assert_close
from tests.injection.nets import assert_same_bits
from tests.injection.nets import dense
from tests.injection.nets import draw
from tests.injection.nets import fresh
from tests.injection.nets import head_apply
from tests.injection.nets import head_init
from tests.injection.nets import inject_params
from tests.injection.nets import key
from tests.injection.nets import nudge

RATE = 0.01
SCHEDULE = optax.linear_schedule(RATE, 0.0, 1000)
MASKED = {
  'adam': injection.masked(optax.adam(RATE)),
  'adamw': injection.masked(optax.adamw(RATE, weight_decay=0.1)),
  'rmsprop': injection.masked(optax.rmsprop(RATE, centered=True)),
  'clipped': injection.masked(
    optax.chain(optax.clip_by_global_norm(1.0), optax.adam(SCHEDULE))
  ),
  'hyperparams_inside': injection.masked(
    optax.inject_hyperparams(optax.adam)(RATE)
  ),
  'hyperparams_outside': optax.inject_hyperparams(
    lambda learning_rate: injection.masked(optax.adam(learning_rate))
  )(RATE),
}
GROUPED = {
  'adam': injection.grouped(
    optax.scale_by_adam(),
    before=optax.clip_by_global_norm(1.0),
    after=optax.scale_by_learning_rate(SCHEDULE),
  ),
  'adamw': injection.grouped(
    optax.chain(optax.scale_by_adam(), optax.add_decayed_weights(0.1)),
    after=optax.scale(-RATE),
  ),
  'rmsprop': injection.grouped(
    optax.scale_by_stddev(), after=optax.scale(-RATE)
  ),
  **{
    name: optimizers.make(
      settings.OptimizerConfig(name=name, learning_rate=RATE)
    )
    for name in ('muon', 'trac')
  },
  'hyperparams_inside': injection.grouped(
    optax.inject_hyperparams(optax.scale_by_adam)(b1=0.9),
    after=optax.scale(-RATE),
  ),
  'hyperparams_outside': optax.inject_hyperparams(
    lambda learning_rate: injection.grouped(
      optax.scale_by_adam(), after=optax.scale(-learning_rate)
    )
  )(RATE),
}
OPTIMIZERS = [(MASKED, name) for name in MASKED]
OPTIMIZERS += [(GROUPED, name) for name in GROUPED]
each_optimizer = pytest.mark.parametrize(
  'optimizer',
  [group[name] for group, name in OPTIMIZERS],
  ids=[
    'masked-' * (g is MASKED) + 'grouped-' * (g is GROUPED) + name
    for g, name in OPTIMIZERS
  ],
)
COUNT = 7


def by_path(tree):
  return {
    jax.tree_util.keystr(path): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def filled(state):
  """The state as after some training, every leaf another than at the start."""
  rng = np.random.default_rng(0)

  def fill(leaf):
    if jnp.issubdtype(jnp.result_type(leaf), jnp.integer):
      return np.full(jnp.shape(leaf), COUNT, np.int32)
    return rng.uniform(0.5, 1.0, jnp.shape(leaf)).astype(np.float32)

  return jax.tree.map(fill, state)


def heads_own(path):
  """Whether a leaf of a state is the head's, of these networks."""
  return "['head']" in path and not is_setting(path)


def is_setting(path):
  """A hyperparameter, which a user may have set by hand."""
  return '.hyperparams[' in path


def before_head(path):
  """Where the same leaf was before an injection."""
  return path.replace('.trainable', '')


@each_optimizer
@pytest.mark.parametrize('injections', [1, 2])
def test_the_heads_state_is_fresh_and_the_rest_untouched(optimizer, injections):
  params = fresh()
  for i in range(injections):
    old = filled(optimizer.init(params))
    params, state = injection.inject(key(i), PLAIN, params, optimizer, old)
  old, new = by_path(old), by_path(state)
  initial = by_path(optimizer.init(params))
  assert list(new) == list(initial)
  kinds = {heads_own(path) for path in new}
  assert kinds == {True, False}
  for path, leaf in new.items():
    wanted = initial[path] if heads_own(path) else old[path]
    assert leaf.dtype == initial[path].dtype
    np.testing.assert_array_equal(leaf, wanted, err_msg=path)
    assert leaf.shape == initial[path].shape
  # No state for what is frozen.
  assert not any('frozen' in p or 'signs' in p for p in new)


@each_optimizer
def test_keep_hands_the_heads_state_to_the_new_head(optimizer):
  params = fresh()
  old = filled(optimizer.init(params))
  params, state = injection.inject(
    key(0), PLAIN, params, optimizer, old, optimizer_state='keep'
  )
  once, new = by_path(old), by_path(state)
  assert {before_head(path) for path in new} == set(once)
  for path, leaf in new.items():
    np.testing.assert_array_equal(leaf, once[before_head(path)])
  _, again = injection.inject(
    key(1), PLAIN, params, optimizer, state, optimizer_state='keep'
  )
  assert_same_bits(again, state)
  # And back to a head that is not injected.
  dropped = injection.drop_frozen(params)
  assert_same_bits(
    injection.carry_state(optimizer, state, dropped, 'keep'), old
  )


@each_optimizer
def test_reset_all_starts_anew_but_for_schedules(optimizer):
  old = by_path(filled(optimizer.init(fresh())))
  params, state = injection.inject(
    key(0),
    PLAIN,
    fresh(),
    optimizer,
    filled(optimizer.init(fresh())),
    optimizer_state='reset_all',
  )
  initial = by_path(optimizer.init(params))
  for path, leaf in by_path(state).items():
    schedules = "['after']" in path or is_setting(path)
    np.testing.assert_array_equal(
      leaf, old[path] if schedules else initial[path], err_msg=path
    )


def counts(state):
  return {p: int(x) for p, x in by_path(state).items() if p.endswith('count')}


def test_a_group_has_a_count_of_its_own():
  state = filled(GROUPED['adam'].init(fresh()))
  _, state = injection.inject(key(0), PLAIN, fresh(), GROUPED['adam'], state)
  assert set(counts(state['encoder']).values()) == {COUNT}
  assert set(counts(state['head']).values()) == {0}
  # The schedule's.
  assert set(counts(state['after']).values()) == {COUNT}


def test_a_single_group_keeps_its_count():
  state = filled(MASKED['adam'].init(fresh()))
  _, state = injection.inject(key(0), PLAIN, fresh(), MASKED['adam'], state)
  assert set(counts(state).values()) == {COUNT}


def test_a_head_inside_the_encoder_is_the_encoders():
  """Attention has heads; so has many an encoder taken from elsewhere."""
  net = injection.SplitNetwork(
    lambda key, x: draw(key, head=(x.shape[-1], 4)),
    lambda p, x: jnp.tanh(dense(p['head'], x)),
    head_init,
    head_apply,
  )
  params = net.init(key(0), X)
  for optimizer in (MASKED['adam'], GROUPED['adam']):
    old = filled(optimizer.init(params))
    new_params, new = injection.inject(key(1), net, params, optimizer, old)
    initial = by_path(optimizer.init(new_params))
    old, new = by_path(old), by_path(new)
    inside = [
      p
      for p in new
      if "['encoder']['head']" in p
      or (p.startswith("['encoder']") and "['head']" in p)
    ]
    assert len(inside) == 4  # Two moments of a weight and a bias.
    for path in inside:
      np.testing.assert_array_equal(new[path], old[path])
    moments = [p for p in new if '.trainable' in p]
    assert len(moments) == 8
    for path in moments:
      np.testing.assert_array_equal(new[path], initial[path])


@pytest.mark.parametrize(
  'optimizer',
  [
    optax.adam(RATE),
    optax.rmsprop(RATE),
    optax.sgd(RATE, momentum=0.9),
    optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(RATE)),
    # Without a state for each parameter.
    optax.sgd(RATE),
    optax.chain(optax.add_decayed_weights(0.1), optax.sgd(RATE)),
    optax.noisy_sgd(RATE, key=0),
    optax.chain(
      injection.masked(optax.adam(RATE)),
      optax.noisy_sgd(RATE, key=0),
    ),
    optax.chain(
      injection.masked(optax.adam(RATE)), optax.add_decayed_weights(1)
    ),
  ],
  ids=[
    'adam',
    'rmsprop',
    'momentum',
    'chain',
    'sgd',
    'weight_decay',
    'noisy_sgd',
    'noise_after_masked',
    'decay_after_masked',
  ],
)
def test_an_unwrapped_optimizer_is_refused(optimizer):
  params = fresh()
  with pytest.raises(ValueError, match='wrap it by injection.masked'):
    injection.inject(key(0), PLAIN, params, optimizer, optimizer.init(params))


def test_other_keys_are_a_group_that_an_injection_keeps():
  """A temperature trains as if alone, and so does a second network's head."""
  optimizer = injection.grouped(optax.adam(RATE))
  params = {
    **fresh(),
    'log_alpha': jnp.array(0.0),
    'other': {'head': {'w': jnp.ones([2, 2])}},
  }
  alone = {name: params[name] for name in ('log_alpha', 'other')}
  expected, adam = dict(alone), optax.adam(RATE)
  state, alone_state = optimizer.init(params), adam.init(alone)
  for i in range(6):
    gradients = jax.tree.map(lambda p: p - 3.0, params)
    updates, state = optimizer.update(gradients, state, params)
    params = optax.apply_updates(params, updates)
    updates, alone_state = adam.update(
      jax.tree.map(lambda p: p - 3.0, expected), alone_state
    )
    expected = optax.apply_updates(expected, updates)
    if i == 2:
      before = state
      params, state = injection.inject(key(i), PLAIN, params, optimizer, state)
      assert_same_bits(state['rest'], before['rest'])
  assert_close({name: params[name] for name in alone}, expected)


def test_grouped_refuses_parameters_without_a_head():
  with pytest.raises(ValueError, match="'encoder'.*'head'.*found.*'body'"):
    injection.grouped(optax.adam(RATE)).init({'body': jnp.ones(2)})


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class _Head:
  trainable: jax.Array


@each_optimizer
@pytest.mark.parametrize('injections', [1, 2])
def test_keep_finds_the_moments_of_a_field_called_trainable(
  optimizer, injections
):
  """A head's own field is not taken for that of `InjectedHead`."""

  def head_init(key, features):
    return _Head(jax.random.normal(key, [features.shape[-1], 2]))

  net = injection.SplitNetwork(
    lambda key, x: jnp.ones([x.shape[-1], 3]),
    lambda w, x: x @ w,
    head_init,
    lambda head, features: features @ head.trainable,
  )
  params = net.init(key(0), X)
  for i in range(injections):
    old = filled(optimizer.init(params))
    params, state = injection.inject(
      key(i), net, params, optimizer, old, optimizer_state='keep'
    )

  # Heads' moments of the state before, in the same order.
  def of_head(state):
    return [v for k, v in by_path(state).items() if '.trainable' in k]

  for new, kept in zip(of_head(state), of_head(old), strict=True):
    np.testing.assert_array_equal(new, kept)


def test_a_rate_set_by_hand_survives_an_injection():
  optimizer = injection.grouped(optax.inject_hyperparams(optax.adam)(RATE))
  params = fresh()
  state = optimizer.init(params)
  rates = [
    path
    for path in by_path(state)
    if "'head'" in path and 'learning_rate' in path
  ]
  assert len(rates) == 1
  state = jax.tree_util.tree_map_with_path(
    lambda path, x: (
      jnp.array(0.5) if jax.tree_util.keystr(path) in rates else x
    ),
    state,
  )
  for how in injection.OPTIMIZER_STATES:
    _, after = injection.inject(
      key(0), PLAIN, params, optimizer, state, optimizer_state=how
    )
    assert by_path(after)[rates[0]] == 0.5


def test_what_does_not_belong_together_is_refused():
  params, optimizer = fresh(), MASKED['adam']
  state = optimizer.init(params)
  with pytest.raises(ValueError, match='reset_head.*keep.*reset_all'):
    injection.inject(
      key(0), PLAIN, params, optimizer, state, optimizer_state='rest'
    )
  with pytest.raises(ValueError, match='was it made by this optimizer'):
    injection.inject(
      key(0), PLAIN, params, optimizer, GROUPED['adam'].init(params)
    )
  wider = jax.tree.map(lambda x: jnp.zeros((2, *x.shape), x.dtype), state)
  with pytest.raises(ValueError, match='has shape'):
    injection.inject(key(0), PLAIN, params, optimizer, wider)


# --- Updates ----------------------------------------------------------------


def gradients_of(params, frozen=1.0):
  """Any gradients; those of frozen leaves larger by a factor."""
  rng = np.random.default_rng(1)
  return jax.tree.map(
    lambda p, learns: (
      rng.standard_normal(p.shape, np.float32) * (1.0 if learns else frozen)
    ),
    params,
    injection.trainable_mask(params),
  )


def of_trainable(tree):
  """Leaves that learn, as a list; and the others."""
  learns = jax.tree.leaves(injection.trainable_mask(tree))
  leaves = jax.tree.leaves(tree)
  return (
    [x for x, one in zip(leaves, learns, strict=True) if one],
    [x for x, one in zip(leaves, learns, strict=True) if not one],
  )


def clipped(core):
  return {
    'masked': injection.masked(
      optax.chain(optax.clip_by_global_norm(0.5), core)
    ),
    'grouped': injection.grouped(
      optax.identity(), before=optax.clip_by_global_norm(0.5), after=core
    ),
    'config': optimizers.make(
      settings.OptimizerConfig(
        name='sgd', learning_rate=1.0, max_gradient_norm=0.5
      )
    ),
  }


@pytest.mark.parametrize('name', ['masked', 'grouped', 'config'])
def test_clipping_does_not_see_frozen_leaves(name):
  """Their gradients, were there any, would shrink all others a thousandfold."""
  optimizer = clipped(optax.sgd(1.0))[name]
  params = inject_params(1, PLAIN, fresh())
  gradients = gradients_of(params, frozen=1000.0)
  updates, _ = jax.jit(optimizer.update)(
    gradients, optimizer.init(params), params
  )
  learning, frozen = of_trainable(gradients)
  norm = np.sqrt(sum(np.sum(np.square(g)) for g in learning))
  assert norm > 1 and np.abs(frozen[0]).max() > 100
  found, found_frozen = of_trainable(updates)
  assert_close(found, [-0.5 / norm * g for g in learning])
  assert not any(np.any(x) for x in found_frozen)


@pytest.mark.slow
@each_optimizer
def test_frozen_leaves_get_zeros_whatever_their_gradient(optimizer):
  params = inject_params(1, PLAIN, fresh())
  updates, _ = optimizer.update(
    gradients_of(params), filled(optimizer.init(params)), params
  )
  learning, frozen = of_trainable(updates)
  assert all(np.all(x) for x in learning)
  assert not any(np.any(x) for x in frozen)


def test_an_agents_update_does_not_touch_frozen_leaves():
  """Even where an optimizer's would: nothing but the mask is relied on."""
  params = inject_params(1, PLAIN, fresh())
  net = NetSpec(PLAIN, optax.sgd(1.0), (), False)
  state = NetState(params, None, net.optimizer.init(params), None)
  state = base.apply_gradients(net, state, gradients_of(params))
  learning, frozen = of_trainable(state.params)
  before, wanted = of_trainable(params)
  assert_same_bits(frozen, wanted)
  assert not any(
    np.array_equal(a, b) for a, b in zip(learning, before, strict=True)
  )


def long_trained(optimizer, params):
  """A state with a count at which Adam's bias correction is over."""
  return jax.tree.map(
    lambda x: np.full_like(x, 1_000_000) if x.dtype == np.int32 else x,
    filled(optimizer.init(params)),
  )


def first_step(optimizer):
  """The head's update right after an injection, and the gradient of it."""
  params, state = injection.inject(
    key(1),
    PLAIN,
    fresh(),
    optimizer,
    long_trained(optimizer, fresh()),
  )
  gradients = gradients_of(nudge(0, params))
  updates, _ = jax.jit(optimizer.update)(gradients, state, params)
  return updates['head'].trainable, gradients['head'].trainable


def test_the_first_step_of_the_new_head_is_a_fresh_adams():
  found, gradients = first_step(
    injection.grouped(
      optax.scale_by_adam(), after=optax.scale_by_learning_rate(RATE)
    )
  )
  adam = optax.adam(RATE)
  wanted, _ = adam.update(gradients, adam.init(gradients))
  assert_close(found, wanted, 1e-6)
  largest = max(np.abs(x).max() for x in jax.tree.leaves(found))
  assert largest <= RATE * (1 + 1e-5)


def test_a_kept_count_makes_the_first_step_larger():
  """Why there are groups; what the docstring of `inject` warns of."""
  found, _ = first_step(MASKED['adam'])
  sizes = np.abs(np.concatenate([x.ravel() for x in jax.tree.leaves(found)]))
  np.testing.assert_allclose(sizes, 0.1 / 0.001**0.5 * RATE, rtol=1e-3)


@pytest.mark.parametrize(
  'name', ['adam', 'adamw', 'muon', 'rmsprop_centered', 'sgd', 'trac']
)
def test_optimizers_of_configs_decay_by_the_runs_updates(name):
  """Their schedule goes on where it was, injection or not."""
  optimizer = optimizers.make(
    settings.OptimizerConfig(name=name, learning_rate=1.0, decay_updates=10)
  )
  params, state = injection.inject(
    key(1), PLAIN, fresh(), optimizer, filled(optimizer.init(fresh()))
  )
  at_start = optimizer.init(params)
  assert (
    counts(state['after'])
    == dict.fromkeys(counts(at_start['after']), COUNT)
    != {}
  )
  update = jax.jit(optimizer.update)
  gradients = gradients_of(params)
  late, _ = update(gradients, state, params)
  early, _ = update(gradients, at_start, params)
  # The head's state is that of the start: only the rate differs.
  assert_close(
    late['head'].trainable,
    jax.tree.map(lambda u: (1 - COUNT / 10) * u, early['head'].trainable),
  )
