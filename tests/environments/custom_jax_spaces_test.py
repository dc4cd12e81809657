"""Spaces of environments in JAX: what agents see and choose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.environments import custom_jax_spaces as spaces
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.errors import UserError
from tests.environments.jax_stand_ins import Box


def seen(shape, dtype, count=None):
  found = jax.ShapeDtypeStruct(shape, dtype)
  return spaces.observations('mine:make', found, count)


@pytest.mark.parametrize(
  'shape, dtype, kept, kept_dtype',
  [
    ((3,), jnp.float32, (3,), jnp.float32),
    ((3,), jnp.int32, (3,), jnp.float32),
    ((3,), jnp.float16, (3,), jnp.float32),
    # Networks divide uint8 by 255, which is for pictures.
    ((3,), jnp.uint8, (3,), jnp.float32),
    ((), jnp.float32, (1,), jnp.float32),
    ((4, 5), jnp.float32, (20,), jnp.float32),
    ((4, 5), jnp.uint8, (4, 5, 1), jnp.uint8),
    ((10, 10, 4), jnp.bool_, (10, 10, 4), jnp.bool_),
    ((10, 10, 4), jnp.float32, (10, 10, 4), jnp.float32),
    ((10, 10, 4), jnp.int32, (10, 10, 4), jnp.float32),
    ((84, 84, 3), jnp.uint8, (84, 84, 3), jnp.uint8),
  ],
)
def test_observations(shape, dtype, kept, kept_dtype):
  made = seen(shape, dtype)
  assert (made.shape, made.dtype) == (kept, kept_dtype)
  value = jnp.arange(max(1, np.prod(shape))).reshape(shape).astype(dtype)
  converted = made.convert(value)
  assert (converted.shape, converted.dtype) == (kept, kept_dtype)
  np.testing.assert_array_equal(np.ravel(converted), np.ravel(value))


def test_members_of_a_discrete_space_are_one_hot():
  made = seen((), jnp.int32, 4)
  assert made.shape == (4,)
  np.testing.assert_array_equal(made.convert(jnp.int32(2)), [0, 0, 1, 0])


@pytest.mark.parametrize(
  'shape, dtype, message',
  [
    ((0,), jnp.float32, r'shape \(0,\) are empty'),
    ((2, 4, 4, 3), jnp.uint8, 'neither pictures'),
    ((4, 84, 84), jnp.uint8, r'are \[C, H, W\], it seems'),
    ((4, 84, 84), jnp.float32, r'are \[C, H, W\], it seems'),
    ((2,), jnp.complex64, 'complex64 are not real numbers'),
  ],
)
def test_observations_that_are_refused(shape, dtype, message):
  with pytest.raises(UserError, match=f"'mine:make': observations.*{message}"):
    seen(shape, dtype)


def test_trees_are_refused_with_their_arrays():
  array = jax.ShapeDtypeStruct((2,), jnp.float32)
  tree = {'a': array, 'b': (array, array), 'c': array, 'd': array}
  with pytest.raises(UserError) as error:
    spaces.observations('mine:make', tree, None)
  assert "a dict of 5 arrays: ['a'] (2,), ['b'][0] (2,)" in str(error.value)
  assert "['d']" not in str(error.value)


class Count:
  def __init__(self, n):
    self.n = n


def test_discrete_actions():
  made = spaces.actions('mine:make', Count(np.int64(3)))
  assert made.space == Discrete(3)
  assert made.convert(2) == 2
  with pytest.raises(UserError, match='there are 0 actions'):
    spaces.actions('mine:make', Count(0))


@pytest.mark.parametrize('shape', [(2,), (), (2, 1)])
def test_boxes_are_scaled(shape):
  made = spaces.actions('mine:make', Box(-1.0, 3.0, shape, jnp.float16))
  size = int(np.prod(shape))
  assert made.space == Continuous(size)
  for ours, theirs in ((-1, -1), (0, 1), (1, 3), (9, 3)):
    action = made.convert(jnp.full(size, ours, jnp.float32))
    assert (action.shape, action.dtype) == (shape, jnp.float16)
    np.testing.assert_array_equal(action, np.full(shape, theirs))


def test_bounds_of_each_number():
  box = Box(np.array([0, -2]), np.array([1.0, 2.0]), (2,))
  made = spaces.actions('mine:make', box)
  np.testing.assert_allclose(made.convert(jnp.ones(2)), [1, 2])
  np.testing.assert_allclose(made.convert(-jnp.ones(2)), [0, -2])


@pytest.mark.parametrize(
  'box, message',
  [
    (Box(0, 1, (2,), jnp.int32), 'vectors of whole numbers'),
    (Box(0, jnp.inf, (2,)), 'finite bounds'),
    (Box(0, 1, (0,)), 'are empty'),
    (None, 'a Discrete or a Box, not a NoneType'),
  ],
)
def test_actions_that_are_refused(box, message):
  with pytest.raises(UserError, match=message):
    spaces.actions('mine:make', box)


def test_unit_actions():
  made = spaces.unit_actions('mine:make', 2)
  assert made.space == Continuous(2)
  np.testing.assert_array_equal(made.convert(jnp.array([-3, 0.5])), [-1, 0.5])
  with pytest.raises(UserError, match='actions of size 0 are empty'):
    spaces.unit_actions('mine:make', 0)
