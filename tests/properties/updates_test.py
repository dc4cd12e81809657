"""Agents' own updates, before and after interventions."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import injection
from tests.properties import cases


@functools.cache
def compiled_updates(agent_name, history):
  agent, _, batch = cases.case(agent_name, history)

  def three(key, nets, made_before):
    return jax.lax.scan(
      lambda nets, i: agent.update(key, nets, batch, made_before + i),
      nets,
      jnp.arange(3),
    )

  return jax.jit(jax.vmap(three, in_axes=(0, 0, None)))


def three_updates(agent_name, history, made_before=0):
  """All seeds after three updates, and their metrics."""
  state = cases.case(agent_name, history).state
  return compiled_updates(agent_name, history)(
    cases.keys(5), state.nets, made_before
  )


def frozen_of(params):
  head = params['head']
  return (head.frozen, head.signs)


def same(a, b):
  return all(
    np.array_equal(x, y)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  )


def differ(a, b):
  return not any(
    np.array_equal(x, y)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  )


@pytest.mark.parametrize(
  'agent_name, history',
  [
    *(pair for pair in cases.pairs() if 'fresh' not in pair.values),
    pytest.param('drq_conv', 'injected', marks=pytest.mark.slow),
  ],
)
def test_updates_leave_frozen_heads_to_the_bit(agent_name, history):
  state = cases.case(agent_name, history).state
  after, metrics = three_updates(agent_name, history)
  assert all(np.all(np.isfinite(m)) for m in jax.tree.leaves(metrics))
  spec = cases.case(agent_name, history).agent.spec
  for name in spec.default_nets:
    net, before = after[name], state.nets[name]
    last = spec.nets[name].layers[-1].path[-1]
    assert same(frozen_of(net.params), frozen_of(before.params))
    assert differ(
      net.params['head'].trainable[last],
      before.params['head'].trainable[last],
    )
    # Smaller layers may have dead units, but not all of their weights.
    encoder = before.params['encoder']
    assert not encoder or not same(net.params['encoder'], encoder)


def test_the_target_takes_over_theta_and_keeps_the_copy():
  state = cases.case('dqn_mlp', 'injected').state
  old = state.nets['q']
  # theta, the target's own, is not the online one; theta'_2 is.
  theta, copy = (
    [
      jax.tree.map(lambda x, k=k: x[:, k], p['head'].frozen)
      for p in (old.params, old.target)
    ]
    for k in (0, 1)
  )
  assert differ(*theta) and same(*copy)
  nets, _ = three_updates('dqn_mlp', 'injected', made_before=1)
  # The period is 3: the second of these was a copy, the third moved on.
  target = nets['q'].target
  assert same(frozen_of(target), frozen_of(old.params))
  assert not same(target['encoder'], nets['q'].params['encoder'])
  assert not same(target['encoder'], old.target['encoder'])


@pytest.mark.slow
def test_the_updates_own_metrics_see_the_injected_network():
  """The loss after an injection is that before it, to rounding."""
  for agent_name in cases.AGENTS:
    agent, state, batch = cases.case(agent_name, 'fresh')
    injected = cases.outcome(agent_name, 'fresh', 'injection')
    update = jax.jit(
      jax.vmap(
        lambda nets, agent=agent, batch=batch: agent.update(
          jax.random.PRNGKey(0), nets, batch, 0
        )[1]['loss']
      )
    )
    np.testing.assert_allclose(
      update(state.nets), update(injected.nets), rtol=1e-4
    )


TEXTS = [p.text for p in cases.PROMISES] + ['injection(freeze_original=False)']


@pytest.mark.slow
@hypothesis.settings(
  max_examples=12, deadline=None, derandomize=True, database=None
)
@hypothesis.given(st.lists(st.sampled_from(TEXTS), min_size=2, max_size=4))
def test_any_sequence_of_interventions(texts):
  agent, state, batch = cases.case('dqn_mlp', 'fresh')
  spec = agent.spec.nets['q']
  state = cases.one_seed(state)

  def sizes(params):
    return sum(
      x.size
      for x, learns in zip(
        jax.tree.leaves(params),
        jax.tree.leaves(injection.trainable_mask(params)),
        strict=True,
      )
      if learns
    )

  def predict(params):
    return spec.network.apply(params, batch.s_tm1).outputs

  thawed = 0
  for i, text in enumerate(texts):
    before = state.nets['q']
    state = cases.make(text, agent)(jax.random.PRNGKey(i), state, batch)
    net = state.nets['q']
    # Online, target and optimizer agree on what the network is.
    assert jax.tree.structure(net.params) == jax.tree.structure(net.target)
    assert jax.tree.structure(net.opt_state) == jax.tree.structure(
      jax.eval_shape(spec.optimizer.init, net.params)
    )
    thawed += 'freeze_original=False' in text
    if text.startswith('reset') and 'random' not in text:
      thawed = 0
    head = sizes({'head': injection.trainable(net.params)['head']})
    assert sizes(net.params) == (
      sizes(injection.trainable(net.params)) + thawed * head
    )
    if text in (
      'injection',
      'injection(freeze_original=False)',
      'optimizer_reset',
    ):
      for old, new in (
        (before.params, net.params),
        (before.target, net.target),
      ):
        old, new = predict(old), predict(new)
        assert jnp.abs(new - old).max() <= 1e-5 * jnp.abs(old).max()
