"""Every intervention on every agent does what it says, and nothing else."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from plasticity_rl import injection
from plasticity_rl.interventions import registry
from plasticity_rl.layers import feeds
from tests.properties import cases

each_promise = pytest.mark.parametrize(
  'agent_name, history, promise', cases.with_promises()
)


# What draws anew, for agents that have somebody to draw the same for.
DRAWING = [p for p in cases.PROMISES if p.same_draw]
WITH_TARGET = [
  name
  for name, make in cases.AGENTS.items()
  if any(net.has_target for net in make(0)[1].spec.nets.values())
]


# Of what is beside a layer's weights; `INPUT_NORM` is its inputs'.
OF_UNITS = ('w', 'b', 'g', 'scale', 'offset')


def by_path(tree):
  return {
    tuple(path): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def assert_same_bits(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for (path, x), y in zip(
    jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True
  ):
    assert np.asarray(x).dtype == np.asarray(y).dtype
    np.testing.assert_array_equal(x, y, err_msg=jax.tree_util.keystr(path))


def paths_of(net_spec, parts, history):
  """Paths into the part that learns of what a promise names."""
  layers = net_spec.layers
  # Units of the encoder's last layer feed the frozen heads of an injected one.
  recycled = [
    layer
    for layer in layers
    if layer.hidden
    and (history == 'fresh' or feeds(layer, layers)[0].path[0] == layer.path[0])
  ]
  fed = [x.path for layer in recycled for x in feeds(layer, layers)]
  known = {
    'last': [layers[-1].path],
    'layers': [layer.path for layer in layers],
    'weights': [(*layer.path, 'w') for layer in layers],
    'biases': [(*layer.path, 'b') for layer in layers],
    'gains': [(*layer.path, 'g') for layer in layers],
    'recycled': [
      *((*layer.path, k) for layer in recycled for k in OF_UNITS),
      *((*path, 'w') for path in fed),
    ],
    'fed': [(*path, 'b') for path in fed],
  }
  known['mixed'] = [
    (*path, key) for path in (*(x.path for x in recycled), *fed) for key in 'wg'
  ]
  return [path for part in parts for path in known.get(part, [(part,)])]


def changing(net_spec, promise, history):
  paths = paths_of(net_spec, promise.changes, history)
  if 'recycled' in promise.changes:
    # Scaled, so that the weights that are left multiply as before.
    paths += [
      (*x.path, 'g')
      for layer in net_spec.layers
      if layer.hidden
      for x in feeds(layer, net_spec.layers)
    ]
  return paths


def is_below(path, prefixes):
  keys = tuple(key.key for key in path)
  return any(keys[: len(prefix)] == prefix for prefix in prefixes)


def without_trainable(state):
  """Optimizer state by path, whether the head is injected or not."""
  return {
    jax.tree_util.keystr(path).replace('.trainable', ''): leaf
    for path, leaf in by_path(state).items()
  }


def nets(agent_name, history, promise):
  """(spec, before, after, promise) of each network acted on by default."""
  agent, before, _ = cases.case(agent_name, history)
  after = cases.outcome(agent_name, history, promise.text)
  assert list(after.nets) == list(before.nets)
  for name in agent.spec.default_nets:
    mine = promise
    if promise.elsewhere and name != agent.spec.encoder_net:
      mine = promise._replace(
        changes=promise.elsewhere, groups=promise.elsewhere
      )
    yield agent.spec.nets[name], before.nets[name], after.nets[name], mine


def online_and_target(before, after):
  assert (before.target is None) == (after.target is None)
  yield before.params, after.params
  if before.target is not None:
    yield before.target, after.target


def test_every_intervention_promises_something():
  promised = {p.text.split('(')[0] for p in cases.PROMISES}
  assert promised == set(registry.REGISTRY)


@each_promise
def test_nothing_but_networks_changes(agent_name, history, promise):
  before = cases.case(agent_name, history).state
  after = cases.outcome(agent_name, history, promise.text)
  if promise.text == 'reseed':
    for old, new in zip(before.keys, after.keys, strict=True):
      assert not np.array_equal(old, new)
    after = after._replace(keys=before.keys)
  assert_same_bits(after._replace(nets=()), before._replace(nets=()))
  spec = cases.case(agent_name, history).agent.spec
  for name in set(spec.nets) - set(spec.default_nets):
    old, new = before.nets[name], after.nets[name]
    if not promise.elsewhere:
      assert_same_bits(new, old)
      continue
    # All of it is drawn again, and its optimizer starts anew.
    assert_same_bits(new.params, new.initial)
    assert_same_bits(
      new.opt_state, jax.vmap(spec.nets[name].optimizer.init)(new.params)
    )
    for a, b in zip(
      jax.tree.leaves((new.params, new.opt_state)),
      jax.tree.leaves((old.params, old.opt_state)),
      strict=True,
    ):
      assert not np.array_equal(a, b)


@each_promise
def test_what_learns_changes_where_promised(agent_name, history, promise):
  for spec, before, after, mine in nets(agent_name, history, promise):
    paths = changing(spec, mine, history)
    for old, new in online_and_target(before, after):
      old, new = (by_path(injection.trainable(p)) for p in (old, new))
      assert list(old) == list(new)
      for path, leaf in new.items():
        assert leaf.shape == old[path].shape
        assert leaf.dtype == old[path].dtype
        for seed in range(cases.SEEDS):
          same = np.array_equal(leaf[seed], old[path][seed])
          assert same != is_below(path, paths), jax.tree_util.keystr(path)


@each_promise
def test_frozen_heads_change_only_where_promised(agent_name, history, promise):
  for _, before, after, mine in nets(agent_name, history, promise):
    for old, new in online_and_target(before, after):
      old, new = old['head'], new['head']
      injected = isinstance(new, injection.InjectedHead)
      if mine.frozen == 'kept':
        assert injected == (history != 'fresh')
        if injected:
          assert_same_bits(
            (new.frozen, new.signs, new.thawed),
            (old.frozen, old.signs, old.thawed),
          )
      elif mine.frozen == 'dropped':
        assert injected == (history == 'slots')
        if injected:
          assert jax.tree.structure(new) == jax.tree.structure(old)
          assert not np.any(new.signs)
      else:
        check_added(old, new, history, 'third_term=False' in mine.text)


def check_added(old, new, history, two_terms):
  """The stack has the old trainable head and the fresh copy at its end."""
  was = old.trainable if history != 'fresh' else old
  kept = {'fresh': 0, 'injected': 2, 'slots': 2}[history]
  added = (
    [1.0]
    if two_terms and history != 'slots'
    else [1.0, 0.0 if two_terms else -1.0]
  )
  wanted = [1.0, -1.0] * (kept // 2) + added
  for signs in new.signs:
    np.testing.assert_array_equal(signs, wanted)
  if kept:
    assert_same_bits(
      jax.tree.map(lambda x: x[:, :kept], new.frozen),
      jax.tree.map(lambda x: x[:, -kept:], old.frozen),
    )
  assert_same_bits(jax.tree.map(lambda x: x[:, kept], new.frozen), was)
  if len(added) == 2:
    assert_same_bits(
      jax.tree.map(lambda x: x[:, kept + 1], new.frozen), new.trainable
    )


@each_promise
def test_optimizer_state_starts_anew_where_promised(
  agent_name, history, promise
):
  for spec, before, after, mine in nets(agent_name, history, promise):
    initial = jax.vmap(spec.optimizer.init)(after.params)
    assert jax.tree.structure(initial) == jax.tree.structure(after.opt_state)
    for group in after.opt_state:
      if group in cases.BOTH and not after.params[group]:
        continue  # Without weights, its count counts nothing.
      old, new, fresh = (
        without_trainable(x[group])
        for x in (before.opt_state, after.opt_state, initial)
      )
      assert set(old) == set(new)
      for path, leaf in new.items():
        # Stages for all groups may keep something of a group's weights.
        parts = [part for part in cases.BOTH if f"['{part}']" in path]
        owner = parts[0] if parts else group
        zeroed = [
          jax.tree_util.keystr(tuple(map(jax.tree_util.DictKey, where[1:])))
          for where in paths_of(spec, mine.zeroed, history)
          if where[0] == owner
        ]
        is_count = leaf.shape == (cases.SEEDS,) and leaf.dtype == np.int32
        counts = is_count and mine.counts
        if owner in mine.groups and leaf.dtype == np.uint32:
          # A key: drawn of the weights, or no weight's that goes on.
          assert np.array_equal(leaf, fresh[path]) or np.array_equal(
            leaf, old[path]
          )
        elif owner in mine.groups and not (
          mine.by_weight
          and leaf.dtype == np.float32
          and not any(f"['{layer.path[-1]}']" in path for layer in spec.layers)
        ):
          # Zeros, count included.
          np.testing.assert_array_equal(leaf, fresh[path], err_msg=path)
          assert not np.any(leaf)
        elif (zeroed and counts) or any(part in path for part in zeroed):
          np.testing.assert_array_equal(leaf, np.zeros_like(leaf))
        else:
          np.testing.assert_array_equal(leaf, old[path], err_msg=path)
        assert np.any(old[path])
    assert any(jax.tree.leaves(initial[g]) for g in cases.BOTH)


@each_promise
def test_initial_weights_follow_what_is_drawn_again(
  agent_name, history, promise
):
  redraws = promise.frozen in ('dropped', 'added')
  seen = False
  for spec, before, after, mine in nets(agent_name, history, promise):
    paths = changing(spec, mine, history) if redraws else []
    drawn = by_path(injection.trainable(after.params))
    was = by_path(before.initial)
    now = by_path(after.initial)
    assert list(now) == list(drawn) == list(was)
    for path, leaf in now.items():
      if is_below(path, paths):
        np.testing.assert_array_equal(leaf, drawn[path])
      # What was drawn again is what there is, unless it was then set to zero.
      new = leaf != was[path]
      there = drawn[path][new]
      # (A `g` of normalised weights is scaled where they were set to zero.)
      if path[-1].key != 'g' or redraws:
        # Up to rounding, which is the compiler's in either copy.
        same = np.isclose(leaf[new], there, rtol=1e-6, atol=0)
        assert np.all(same | (there == 0))
      seen |= new.any()
    # A copy of the first draw is what the initial weights are already.
    draws = redraws and 'first_draw' not in promise.text
    assert seen == (draws or mine.redraws)


@pytest.mark.parametrize(
  'agent_name, history, promise', cases.with_promises(WITH_TARGET, DRAWING)
)
def test_online_and_target_receive_the_same(agent_name, history, promise):
  for spec, before, after, mine in nets(agent_name, history, promise):
    if not spec.has_target:
      continue
    paths = changing(spec, mine, history)
    online, target, was = (
      by_path(injection.trainable(p))
      for p in (after.params, after.target, before.target)
    )
    found = [path for path in online if is_below(path, paths)]
    assert found
    for path in found:
      np.testing.assert_array_equal(online[path], target[path])
      # Each seed draws for itself (biases start from zero).
      if path[-1].key == 'w':
        assert not np.array_equal(online[path][0], online[path][1])
      assert not np.array_equal(was[path], target[path])


# Weights on the sphere are divided by their lengths afterwards.
FLAT = [name for name in WITH_TARGET if name != 'sac_sphere']


@pytest.mark.parametrize('agent_name, history', cases.pairs(FLAT))
def test_added_noise_is_the_same_in_online_and_target(agent_name, history):
  promise = next(p for p in cases.PROMISES if p.text == 'shrink_and_perturb')
  for spec, before, after, _ in nets(agent_name, history, promise):
    if not spec.has_target:
      continue
    noise = [
      [
        new - 0.5 * old
        for new, old in zip(
          jax.tree.leaves(injection.trainable(new_params)),
          jax.tree.leaves(injection.trainable(old_params)),
          strict=True,
        )
      ]
      for old_params, new_params in online_and_target(before, after)
    ]
    for a, b in zip(*noise, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-6)
    assert max(np.abs(a).max() for a in noise[0]) > 0.1


@functools.cache
def predictor(network):
  return jax.jit(
    jax.vmap(
      lambda p, x: jnp.concatenate(
        [y.ravel() for y in jax.tree.leaves(network.apply(p, x).outputs)]
      )
    )
  )


@each_promise
def test_predictions_stay_where_promised(agent_name, history, promise):
  agent, state, batch = cases.case(agent_name, history)
  inputs_by_net = jax.vmap(agent.spec.inputs, in_axes=(0, None))(
    {name: net.params for name, net in state.nets.items()}, batch
  )
  for name, (spec, before, after, mine) in zip(
    agent.spec.default_nets, nets(agent_name, history, promise), strict=True
  ):
    inputs = inputs_by_net[name]
    predict = predictor(spec.network)
    for old, new in online_and_target(before, after):
      old, new = (predict(p, inputs) for p in (old, new))
      change = np.abs(new - old).max() / np.abs(old).max()
      if mine.predicts:
        assert change < 1e-5
      else:
        assert change > 1e-3 or agent_name in mine.unseen_by


@pytest.mark.slow
@pytest.mark.parametrize(
  'agent_name, history',
  [
    *(('dqn_mlp', history) for history in cases.HISTORIES),
    *(
      (name, 'slots')
      for name in cases.AGENTS
      if name != 'dqn_mlp' and 'slots' in cases.FEWER.get(name, ['slots'])
    ),
  ],
)
def test_compiled_over_seeds_as_uncompiled_for_one(agent_name, history):
  # One of each kind, and no draw more than it takes.
  texts = {p.text.split('(')[0]: p.text for p in reversed(cases.PROMISES)}
  compiled = cases.compiled_outcomes(
    agent_name, history, sorted(texts.values())
  )
  for text, found in compiled.items():
    wanted = cases.outcome(agent_name, history, text)
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    for a, b in zip(
      jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True
    ):
      np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


DRAWS = 100
DRAWN = {
  'injection': ('head',),
  'reset(scope="last", layers=2)': ('head',),
  'reset(scope="everything")': ('encoder', 'head'),
  'reset(scope="random", fraction=1)': ('encoder', 'head'),
  'shrink_and_perturb(shrink=0, perturb=1)': ('encoder', 'head'),
}


@pytest.mark.slow
@pytest.mark.parametrize('agent_name', ['dqn_mlp', 'dqn_conv'])
def test_what_is_drawn_is_distributed_as_the_initialisers(agent_name):
  agent, state, batch = cases.case(agent_name, 'injected')
  state = cases.one_seed(state)
  interventions = {text: cases.make(text, agent) for text in DRAWN}

  @jax.jit
  @jax.vmap
  def draw(key, other_key):
    drawn = {
      text: injection.trainable(apply(key, state, batch).nets['q'].params)
      for text, apply in interventions.items()
    }
    return drawn, agent.init(other_key)['q'].params

  drawn, initial = draw(*jax.random.split(jax.random.PRNGKey(0), (2, DRAWS)))
  initial = by_path(initial)
  for text, parts in DRAWN.items():
    compared = 0
    for path, leaf in by_path(drawn[text]).items():
      if path[0].key not in parts:
        continue
      wanted = initial[path]
      if path[-1].key == 'b':
        np.testing.assert_array_equal(leaf, wanted)
        continue
      # Keys are fixed: a sample this odd means another distribution.
      assert scipy.stats.ks_2samp(leaf.ravel(), wanted.ravel()).pvalue > 1e-3
      # And the draws of one leaf are independent of each other.
      assert len(np.unique(leaf[:, 0])) > 0.9 * leaf[:, 0].size
      compared += 1
    assert compared >= len(parts)
