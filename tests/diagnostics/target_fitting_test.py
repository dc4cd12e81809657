"""Fits of random targets, against the same computed with numpy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection
from plasticity_rl.diagnostics import base
from plasticity_rl.diagnostics.target_fitting import target_fitting
from plasticity_rl.types import NetSpec
from plasticity_rl.types import NetState
from tests.diagnostics.probes import KEY
from tests.diagnostics.probes import floats
from tests.diagnostics.probes import injected

# A linear network of two outputs; what is drawn is always this.
FRESH = np.array([[1.0, -2.0], [3.0, 1.0]]) / 1024
NOW = np.array([[0.5, 2.0], [-1.0, 0.25]])
X = np.array([[1.0, 0.0], [2.0, 1.0], [-1.0, 3.0], [0.0, -2.0]])
RATE = 0.05


def linear(draw):
  def apply(params, x):
    y = x @ params['last']['w']
    return y, {'last': y}

  return injection.SplitNetwork(
    lambda key, x: {},
    lambda params, x: (x, {}),
    draw,
    apply,
    with_layers=True,
    example=jax.ShapeDtypeStruct((1, 2), jnp.float32),
  )


def probe(params, draw=lambda key, x: head(FRESH), decay=None):
  network, x = linear(draw), jnp.array(X, jnp.float32)
  rate = optax.linear_schedule(RATE, 0.0, decay) if decay else RATE
  optimizer = injection.grouped(
    optax.trace(0.9), after=optax.scale_by_learning_rate(rate)
  )
  # A state as after long training, which a fit must not go on from.
  old = jax.tree.map(lambda s: s + 100, optimizer.init(params))
  return base.Probe(
    NetSpec(network, optimizer, (), has_target=False),
    NetState(params, None, old, None),
    x,
    network.apply(params, x),
    key=KEY,
  )


def head(w):
  return {'last': {'w': jnp.array(w, jnp.float32)}}


def numpy_fit(w, steps):
  """The mean squared error of `x w` after momentum descent from `w`."""
  targets = (X @ NOW).mean(0) + np.sin(1e5 * (X @ FRESH))
  trace = np.zeros_like(w)
  for _ in range(steps):
    error = X @ w - targets
    trace = 0.9 * trace + 2 * X.T @ error / error.size
    w = w - RATE * trace
  return np.square(X @ w - targets).mean()


@pytest.mark.parametrize('steps', (0, 1, 7))
def test_target_fitting(steps):
  values = target_fitting(probe({'encoder': {}, 'head': head(NOW)}), steps, 3)
  current, fresh = numpy_fit(NOW, steps), numpy_fit(FRESH, steps)
  assert floats(values) == pytest.approx(
    {'current': current, 'fresh': fresh, 'relative': current / fresh},
    rel=1e-3,
  )


def test_frozen_heads_contribute_and_are_not_trained():
  """Injected, the function is the old one and what learns is the new head."""
  params = {'encoder': {}, 'head': head(NOW)}
  plain = target_fitting(probe(params), 5, 2)
  # A pair that cancels changes nothing at all.
  values = target_fitting(probe(injected(params)), 5, 2)
  assert floats(values) == pytest.approx(floats(plain), rel=1e-4)
  # What learns begins at zero, the function where it was: the same descent.
  frozen = jax.tree.map(lambda x: jnp.stack([x, 0 * x]), params['head'])
  zero = injection.InjectedHead(
    jax.tree.map(jnp.zeros_like, params['head']),
    frozen,
    jnp.array([1.0, -1.0]),
  )
  values = target_fitting(probe({**params, 'head': zero}), 5, 2)
  assert floats(values) == pytest.approx(floats(plain), rel=1e-4)


def test_schedules_start_anew():
  """At the end of the run's schedule nothing would be learned any more."""
  params = {'encoder': {}, 'head': head(NOW)}
  values = target_fitting(probe(params, decay=50), 5, 1)
  assert float(values['current']) < 0.9 * numpy_fit(NOW, 0)


def test_the_fresh_start_is_not_the_network_that_makes_the_targets():
  """Else it would begin, by its own draw, at what it is to fit."""
  # Of the same draw, sin(1e5 f) = f, both for f = 0 and for this one.
  one = (np.pi / 2 + 2 * np.pi * 15915) / 1e5

  def draw(key, x):
    del x
    return head(one * jax.random.bernoulli(key) * np.eye(2))

  x = jnp.array([[1.0, 1.0]])
  value = probe({'encoder': {}, 'head': head(np.zeros([2, 2]))}, draw)
  value = dataclasses.replace(
    value, inputs=x, output=value.net.network.apply(value.params, x)
  )
  assert target_fitting(value, 0, 64)['fresh'] == pytest.approx(0.5, abs=0.25)


@pytest.mark.slow
def test_draws_differ_and_are_averaged():
  def draw(key, x):
    del x
    return head(jax.random.normal(key, [2, 2]))

  params = {'encoder': {}, 'head': head(NOW)}
  one, two, many = (
    floats(target_fitting(probe(params, draw), 0, n)) for n in (1, 2, 64)
  )
  assert one['fresh'] != two['fresh'] != many['fresh']
  # The sine of a wide spread: mean square 1/2 beside that of the current fit.
  spread = np.square(X @ NOW - (X @ NOW).mean(0)).mean()
  assert many['current'] == pytest.approx(spread + 0.5, rel=0.15)
  # Of the means, not a mean of ratios, which one bad draw would decide.
  assert many['relative'] == pytest.approx(many['current'] / many['fresh'])
