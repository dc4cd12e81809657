"""The same network in Flax's two ways of writing it, as a split network."""

import flax.linen as nn
import jax.numpy as jnp
from flax import nnx

import plasticity_rl as pl

HIDDEN = 64


class Encoder(nn.Module):
  """Features, and those of each layer by name, for measures and methods."""

  @nn.compact
  def __call__(self, x):
    h = nn.relu(nn.Dense(HIDDEN)(x))
    return h, {'encoder': h}


class Head(nn.Module):
  """Action values: what an injection is of."""

  actions: int

  @nn.compact
  def __call__(self, features):
    h = nn.relu(nn.Dense(HIDDEN)(features))
    return nn.Dense(self.actions)(h), {'hidden': h}


class NnxEncoder(nnx.Module):
  """The same; modules of nnx hold their parameters."""

  def __init__(self, inputs, rngs):
    self.dense = nnx.Linear(inputs, HIDDEN, rngs=rngs)

  def __call__(self, x):
    h = nnx.relu(self.dense(x))
    return h, {'encoder': h}


class NnxHead(nnx.Module):
  """The same."""

  def __init__(self, actions, rngs):
    self.dense = nnx.Linear(HIDDEN, HIDDEN, rngs=rngs)
    self.output = nnx.Linear(HIDDEN, actions, rngs=rngs)

  def __call__(self, features):
    h = nnx.relu(self.dense(features))
    return self.output(h), {'hidden': h}


def _pure(kind, size):
  """An nnx module as functions of a nested dict of arrays."""
  graph = nnx.graphdef(kind(size, nnx.Rngs(0)))

  def init(key, x):
    del x
    return nnx.to_pure_dict(nnx.state(kind(size, nnx.Rngs(key)), nnx.Param))

  return init, lambda params, x: nnx.merge(graph, nnx.State(params))(x)


def make(library, inputs, actions):
  """The split network, and where its layers are in the parameters."""
  if library == 'nnx':
    parts = *_pure(NnxEncoder, inputs), *_pure(NnxHead, actions)
    paths = {
      'encoder': ('encoder', 'dense'),
      'hidden': ('head', 'dense'),
      'output': ('head', 'output'),
    }
  else:
    encoder, head = Encoder(), Head(actions)
    parts = encoder.init, encoder.apply, head.init, head.apply
    paths = {
      'encoder': ('encoder', 'params', 'Dense_0'),
      'hidden': ('head', 'params', 'Dense_0'),
      'output': ('head', 'params', 'Dense_1'),
    }
  net = pl.SplitNetwork(
    *parts, with_layers=True, example=jnp.zeros([1, inputs])
  )
  return net, pl.declare_layers(paths, weight='kernel', bias='bias')
