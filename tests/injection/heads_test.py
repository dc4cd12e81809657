"""Which heads can be injected."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from plasticity_rl import injection
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import fresh
from tests.injection.nets import key


def inject(head):
  net = injection.SplitNetwork(
    PLAIN.encoder_init, PLAIN.encoder_apply, lambda *_: head, lambda h, x: x
  )
  params = net.init(key(0), X)
  return injection.inject_params(key(1), net, params)


def linen_head(norm):
  return nn.Sequential([nn.Dense(3), norm]).init(key(0), jnp.ones([2, 8]))


def nnx_head(norm):
  rngs = nnx.Rngs(0)
  module = nnx.Sequential(nnx.Linear(8, 3, rngs=rngs), norm(3, rngs=rngs))
  return nnx.split(module)[1]


@pytest.mark.parametrize(
  'head, said',
  [
    ({}, 'has no parameters'),
    (None, 'has no parameters'),
    ({'linear': {}}, 'has no parameters'),
    (linen_head(nn.BatchNorm(use_running_average=True)), 'batch_stats'),
    ({'mlp': linen_head(nn.BatchNorm(use_running_average=True))}, 'batch_st'),
    (nnx_head(nnx.BatchNorm), 'BatchStat'),
    ({'w': jnp.ones([2]), 'count': jnp.zeros([], int)}, 'count.*int32'),
    ({'w': jnp.ones([2]), 'done': np.zeros(3, bool)}, 'done.*bool'),
    ({'w': jnp.ones([2]), 'key': jax.random.key(0)}, 'key.*key<'),
    ({'w': jnp.ones([2]), 'activation': jax.nn.relu}, 'activation'),
    ({'w': jnp.ones([2]), 'name': 'text'}, 'name'),
  ],
  ids=[
    'empty',
    'none',
    'no_leaf',
    'linen',
    'linen_inside',
    'nnx',
    'integer',
    'boolean',
    'key',
    'function',
    'text',
  ],
)
def test_a_head_that_cannot_be_injected_is_refused(head, said):
  with pytest.raises(ValueError, match=said):
    inject(head)
  with pytest.raises(ValueError, match=said):
    injection.with_slots({**fresh(), 'head': head}, 1)


@pytest.mark.parametrize(
  'head',
  [
    linen_head(nn.LayerNorm()),
    nnx_head(nnx.LayerNorm),
    {'params': jnp.ones([2]), 'bias': jnp.ones([2])},
    {'w': jnp.ones([2], jnp.bfloat16)},
  ],
  ids=['linen', 'nnx', 'a_leaf_called_params', 'half_precision'],
)
def test_a_head_that_learns_is_taken(head):
  injected = inject(head)['head']
  assert isinstance(injected, injection.InjectedHead)
  for stack, leaf in zip(
    jax.tree.leaves(injected.frozen), jax.tree.leaves(head), strict=True
  ):
    assert stack.shape == (2, *leaf.shape)
    assert stack.dtype == leaf.dtype


@pytest.mark.parametrize('part', ['encoder_init', 'head_init'])
def test_a_module_with_functions_in_it_is_refused_when_it_is_drawn(part):
  module = eqx.nn.MLP(5, 8, 8, depth=1, key=key(0))
  parts = {
    'encoder_init': PLAIN.encoder_init,
    'encoder_apply': PLAIN.encoder_apply,
    'head_init': PLAIN.head_init,
    'head_apply': PLAIN.head_apply,
    part: lambda *_: module,
  }
  with pytest.raises(ValueError, match=f'{part}: .*activation.*eqx.partition'):
    injection.SplitNetwork(**parts).init(key(0), X)
