"""Small networks of plain JAX, and what the tests of injection share.

Written without any library, so that every product in them can be written down
by hand as well; `libraries_test.py` has those of Haiku, Flax and Equinox.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from plasticity_rl import injection

INPUTS, FEATURES, HIDDEN, OUTPUTS, BATCH = 5, 8, 6, 3, 7
MEMBERS = 3


def draw(key, **shapes):
  """Dense layers by name, of shape (inputs, outputs).

  All from one draw, since drawing is what takes longest to compile; biases
  too, so that one that is left out is missed.
  """
  total = sum((n + 1) * m for n, m in shapes.values())
  flat = jax.random.uniform(key, [total], minval=-1.0)
  layers, begin = {}, 0
  for name, (n, m) in shapes.items():
    w, b = (
      flat[begin : begin + n * m],
      flat[begin + n * m : begin + (n + 1) * m],
    )
    layers[name] = {'w': (3 / n) ** 0.5 * w.reshape(n, m), 'b': 0.3 * b}
    begin += (n + 1) * m
  return layers


def dense(params, x):
  return x @ params['w'] + params['b']


def encode(params, x):
  return jnp.tanh(dense(params['conv'], x))


def encoder_init(key, x):
  return draw(key, conv=(x.shape[-1], FEATURES))


def head_init(key, features):
  return draw(key, hidden=(features.shape[-1], HIDDEN), last=(HIDDEN, OUTPUTS))


def head_apply(params, features):
  # Smooth, so that no gradient is zero by chance.
  return dense(params['last'], jnp.tanh(dense(params['hidden'], features)))


def policy_head(params, features):
  """A pytree of outputs, as a Gaussian policy has."""
  out = head_apply(params, features)
  return {'gaussian': (out[:, :1], out[:, 1:2]), 'value': out[:, 2]}


def ensemble_init(key, features):
  return jax.vmap(lambda k: head_init(k, features))(
    jax.random.split(key, MEMBERS)
  )


def ensemble_apply(params, features):
  return jax.vmap(head_apply, in_axes=(0, None))(params, features)


def grouped_adam(learning_rate=0.01):
  return injection.grouped(
    optax.scale_by_adam(),
    before=optax.clip_by_global_norm(0.5),
    after=optax.scale_by_learning_rate(learning_rate),
  )


# One object each, so that whatever is jitted for it is compiled once.
PLAIN = injection.SplitNetwork(encoder_init, encode, head_init, head_apply)
NETS = {
  'plain': PLAIN,
  'pytree': injection.SplitNetwork(
    encoder_init, encode, head_init, policy_head
  ),
  'ensemble': injection.SplitNetwork(
    encoder_init, encode, ensemble_init, ensemble_apply
  ),
}
ADAM = grouped_adam()
_RNG = np.random.default_rng(0)
X = _RNG.standard_normal((BATCH, INPUTS), np.float32)
Y = _RNG.standard_normal((BATCH, OUTPUTS), np.float32)


@functools.partial(jax.jit, static_argnums=0)
def _init(net, key):
  return net.init(key, X)


def key(number):
  return jax.random.PRNGKey(number)


def fresh(net=PLAIN, seed=0):
  return _init(net, key(seed))


# Compiled whole, since each small operation by itself takes longer.
@functools.partial(jax.jit, static_argnames=('net', 'options'))
def _inject_params(key, net, params, options):
  return injection.inject_params(key, net, params, **dict(options))


def inject_params(seed, net, params, **options):
  return _inject_params(key(seed), net, params, tuple(options.items()))


@functools.partial(jax.jit, static_argnames=('net', 'optimizer', 'options'))
def _inject(key, net, params, optimizer, opt_state, options):
  return injection.inject(
    key, net, params, optimizer, opt_state, **dict(options)
  )


def inject(seed, net, params, optimizer, opt_state, **options):
  return _inject(
    key(seed), net, params, optimizer, opt_state, tuple(options.items())
  )


@functools.partial(jax.jit, static_argnums=0)
def apply(net, params, x=X):
  return net.apply(params, x)


def loss(params):
  return jnp.mean((PLAIN.apply(params, X) - Y) ** 2)


gradient = jax.jit(jax.grad(loss))


@functools.partial(jax.jit, static_argnums=0)
def step(optimizer, params, opt_state):
  """One update of `PLAIN`, as someone else's training loop would make it."""
  gradients = jax.grad(loss)(params)
  updates, opt_state = optimizer.update(gradients, opt_state, params)
  return optax.apply_updates(params, updates), opt_state


def train(params, opt_state, num_updates=3, optimizer=ADAM):
  for _ in range(num_updates):
    params, opt_state = step(optimizer, params, opt_state)
  return params, opt_state


def nudge(seed, params):
  """Moves all that learns, as training would, without training."""
  leaves, treedef = jax.tree.flatten(params)
  learns = jax.tree.leaves(injection.trainable_mask(params))
  rng = np.random.default_rng(seed)
  return treedef.unflatten(
    [
      np.asarray(leaf) + 0.3 * rng.standard_normal(leaf.shape, np.float32)
      if one
      else leaf
      for leaf, one in zip(leaves, learns, strict=True)
    ]
  )


def member(stack, k):
  """The k-th of stacked heads."""
  return jax.tree.map(lambda x: x[k], stack)


def count(params):
  """How many parameters learn."""
  learns = jax.tree.leaves(injection.trainable_mask(params))
  return sum(
    leaf.size
    for leaf, one in zip(jax.tree.leaves(params), learns, strict=True)
    if one
  )


def assert_same_bits(a, b):
  """Equal in structure, type and every bit."""
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for (path, x), y in zip(
    jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True
  ):
    x, y = np.asarray(x), np.asarray(y)
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(
      x.view(np.uint8 if x.ndim else x.dtype),
      y.view(np.uint8 if y.ndim else y.dtype),
      err_msg=jax.tree_util.keystr(path),
    )


def assert_close(actual, wanted, relative=1e-5):
  """Closer than `relative` times the largest number wanted, leaf by leaf."""
  assert jax.tree.structure(actual) == jax.tree.structure(wanted)
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(wanted), strict=True
  ):
    np.testing.assert_allclose(
      a, b, rtol=0, atol=relative * float(jnp.abs(b).max())
    )


def assert_differ(a, b):
  """No leaf is equal."""
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert not np.array_equal(x, y)
