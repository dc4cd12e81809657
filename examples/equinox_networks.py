"""A critic in Equinox as a split network."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp

import plasticity_rl as pl

HIDDEN = 64


class Encoder(eqx.Module):
  """Features, and those of each layer by name, for measures and methods."""

  first: eqx.nn.Linear

  def __init__(self, inputs, key):
    self.first = eqx.nn.Linear(inputs, HIDDEN, key=key)

  def __call__(self, x):
    h = jax.nn.relu(self.first(x))
    return h, {'first': h}


class Head(eqx.Module):
  """A value: what an injection is of."""

  second: eqx.nn.Linear
  output: eqx.nn.Linear

  def __init__(self, key):
    keys = jax.random.split(key)
    self.second = eqx.nn.Linear(HIDDEN, HIDDEN, key=keys[0])
    self.output = eqx.nn.Linear(HIDDEN, 1, key=keys[1])

  def __call__(self, features):
    h = jax.nn.relu(self.second(features))
    return self.output(h)[0], {'second': h}


def _pure(kind):
  """A module as functions of nested dicts, in which units are columns.

  Equinox has a unit's weights in a row; the methods on units expect columns.
  """
  example = kind(key=jax.random.key(0))
  names = [name for name, x in vars(example).items() if x is not None]

  def init(key, x):
    del x
    layers = {name: getattr(kind(key=key), name) for name in names}
    return {n: {'w': x.weight.T, 'b': x.bias} for n, x in layers.items()}

  def apply(params, x):
    module = eqx.tree_at(
      lambda m: [
        x for n in names for x in (getattr(m, n).weight, getattr(m, n).bias)
      ],
      example,
      [x for n in names for x in (params[n]['w'].T, params[n]['b'])],
    )
    return jax.vmap(module)(x)

  return init, apply


def make_critic(inputs):
  """The split network, and where its layers are in the parameters."""
  net = pl.SplitNetwork(
    *_pure(functools.partial(Encoder, inputs)),
    *_pure(Head),
    with_layers=True,
    example=jnp.zeros([1, inputs]),
  )
  paths = {
    'first': ('encoder', 'first'),
    'second': ('head', 'second'),
    'output': ('head', 'output'),
  }
  return net, pl.declare_layers(paths)


def make_policy(key, inputs, outputs):
  """A network whose arrays are the parameters."""
  return eqx.nn.MLP(inputs, outputs, HIDDEN, 1, key=key)
