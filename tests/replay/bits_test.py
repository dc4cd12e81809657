"""Booleans as bits, and back."""

import jax
import numpy as np
import pytest

from plasticity_rl.replay import bits


@pytest.mark.parametrize('shape', [(), (1,), (8,), (9,), (10, 10, 4), (0,)])
@pytest.mark.parametrize('leading', [(), (3,), (2, 3)])
def test_unpacks_what_was_packed(shape, leading):
  x = np.random.default_rng(0).random((*leading, *shape)) < 0.5
  observation = jax.ShapeDtypeStruct(shape, bool)
  packed = bits.pack(x, observation)
  one = bits.stored(observation)
  assert (packed.shape, packed.dtype) == ((*leading, *one.shape), one.dtype)
  found = bits.unpack(packed, observation)
  np.testing.assert_array_equal(found, x)
  assert found.dtype == bool
  np.testing.assert_array_equal(bits.pack(x, observation, np), packed)


def test_an_eighth_of_the_bytes():
  assert bits.stored(jax.ShapeDtypeStruct((10, 10, 4), bool)).shape == (50,)


@pytest.mark.parametrize('dtype', ['float32', 'uint8', 'int32'])
def test_other_numbers_stay_as_they_are(dtype):
  x = np.arange(6, dtype=dtype).reshape(2, 3)
  observation = jax.ShapeDtypeStruct((3,), dtype)
  assert bits.stored(observation) == observation
  packed = bits.pack(x, observation)
  np.testing.assert_array_equal(packed, x)
  assert bits.unpack(packed, observation).dtype == dtype
