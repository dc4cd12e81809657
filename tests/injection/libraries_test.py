"""Injection into parameters of any library, as a README shows it."""

import equinox as eqx
import flax.linen as nn
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from plasticity_rl import injection as injection_lib
from tests.injection.nets import assert_close
from tests.injection.nets import assert_same_bits

_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((6, 4), np.float32)
Y = _RNG.standard_normal((6, 2), np.float32)


def haiku_parts():
  encoder = hk.without_apply_rng(
    hk.transform(lambda x: jax.nn.relu(hk.Linear(8)(x)))
  )
  head = hk.without_apply_rng(hk.transform(lambda h: hk.nets.MLP([5, 2])(h)))
  return encoder.init, encoder.apply, head.init, head.apply


def flax_parts():
  encoder = nn.Sequential([nn.Dense(8), nn.relu])
  head = nn.Sequential([nn.Dense(5), nn.relu, nn.Dense(2)])
  return encoder.init, encoder.apply, head.init, head.apply


def equinox_part(make):
  """Modules keep functions beside arrays; only the arrays are parameters."""
  static = eqx.partition(make(jax.random.PRNGKey(0)), eqx.is_array)[1]

  def init(key, x):
    del x
    return eqx.partition(make(key), eqx.is_array)[0]

  def apply(params, x):
    return jax.vmap(eqx.combine(params, static))(x)

  return init, apply


def equinox_parts():
  encoder = equinox_part(
    lambda key: eqx.nn.MLP(
      4, 8, 8, depth=0, final_activation=jax.nn.relu, key=key
    )
  )
  head = equinox_part(lambda key: eqx.nn.MLP(8, 2, 5, depth=1, key=key))
  return *encoder, *head


PARTS = {'haiku': haiku_parts, 'flax': flax_parts, 'equinox': equinox_parts}


@pytest.mark.slow
@pytest.mark.parametrize('library', PARTS)
def test_the_snippet_of_the_readme(library):
  encoder_init, encoder_apply, head_init, head_apply = PARTS[library]()
  key, x = jax.random.PRNGKey(0), X

  # What follows is the README's, word for word.
  from plasticity_rl import injection

  net = injection.SplitNetwork(
    encoder_init, encoder_apply, head_init, head_apply
  )
  optimizer = injection.masked(optax.adam(3e-4))
  params = net.init(key, x)
  opt_state = optimizer.init(params)
  before = net.apply(params, x)
  params, opt_state = injection.inject(key, net, params, optimizer, opt_state)
  y = net.apply(params, x)

  assert_close(y, before)
  assert isinstance(params['head'], injection.InjectedHead)


@pytest.mark.slow
@pytest.mark.parametrize('library', PARTS)
def test_training_goes_on_in_the_manner_of_the_library(library):
  net = injection_lib.SplitNetwork(*PARTS[library]())
  optimizer = injection_lib.grouped(
    optax.scale_by_adam(), after=optax.scale(-0.03)
  )

  def loss(params):
    return jnp.mean((net.apply(params, X) - Y) ** 2)

  @jax.jit
  def train(params, opt_state):
    def step(carry, _):
      params, opt_state = carry
      value, gradients = jax.value_and_grad(loss)(params)
      updates, opt_state = optimizer.update(gradients, opt_state, params)
      return (optax.apply_updates(params, updates), opt_state), value

    return jax.lax.scan(step, (params, opt_state), length=40)

  @jax.jit
  def inject(key, params, opt_state):
    return injection_lib.inject(key, net, params, optimizer, opt_state)

  predict = jax.jit(net.apply)
  params = jax.jit(net.init)(jax.random.PRNGKey(0), X)
  (params, opt_state), losses = train(params, optimizer.init(params))
  assert losses[-1] < 0.9 * losses[0]
  before = predict(params, X)
  params, opt_state = inject(jax.random.PRNGKey(1), params, opt_state)
  assert_close(predict(params, X), before)
  frozen = params['head'].frozen
  (params, opt_state), losses = train(params, opt_state)
  assert losses[-1] < 0.9 * losses[0]
  assert_same_bits(params['head'].frozen, frozen)


def test_a_haiku_module_with_a_state_is_refused():
  """It cannot even be transformed; nothing is summed by mistake."""

  def batch_norm(h):
    normalize = hk.BatchNorm(True, True, 0.9)
    return normalize(h, is_training=True)

  head = hk.without_apply_rng(hk.transform(batch_norm))
  encoder_init, encoder_apply, *_ = haiku_parts()
  net = injection_lib.SplitNetwork(
    encoder_init, encoder_apply, head.init, head.apply
  )
  with pytest.raises(ValueError, match='transform_with_state'):
    net.init(jax.random.PRNGKey(0), X)
