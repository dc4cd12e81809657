"""Injected trees through checkpoints that are read without a target."""

import flax.serialization
import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

from plasticity_rl import injection
from tests.injection.nets import PLAIN
from tests.injection.nets import X
from tests.injection.nets import assert_same_bits
from tests.injection.nets import fresh
from tests.injection.nets import key


def through_flax(tree, folder):
  del folder
  return flax.serialization.msgpack_restore(
    flax.serialization.msgpack_serialize(tree)
  )


def through_orbax(tree, folder):
  with ocp.PyTreeCheckpointer() as checkpointer:
    checkpointer.save(folder / 'saved', tree)
    return checkpointer.restore(folder / 'saved')


THROUGH = {'flax': through_flax, 'orbax': through_orbax}
OPTIONS = {
  'injected': [{}],
  'twice': [{}, {}],
  'thawed': [{'freeze_original': False}, {'freeze_original': False}],
  'none': [],
}


def injected(options):
  params = {**fresh(), 'log_alpha': jnp.zeros([])}
  for i, one in enumerate(options):
    params = injection.inject_params(key(i), PLAIN, params, **one)
  return params


@pytest.mark.parametrize('options', OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize('through', THROUGH.values(), ids=THROUGH)
def test_parameters_come_back(through, options, tmp_path):
  params = injected(options)
  saved = jax.tree.map(np.asarray, injection.to_state_dict(params))
  restored = injection.from_state_dict(through(saved, tmp_path))
  assert_same_bits(restored, params)
  np.testing.assert_array_equal(
    PLAIN.apply(restored, X), PLAIN.apply(params, X)
  )


def test_an_optimizers_state_comes_back_by_its_structure():
  """As flax does it for named tuples, which no dict tells from dicts."""
  params = injected(OPTIONS['injected'])
  state = injection.grouped(optax.adam(0.1)).init(params)
  saved = flax.serialization.to_bytes(injection.to_state_dict(state))
  restored = injection.from_state_dict(
    flax.serialization.from_bytes(injection.to_state_dict(state), saved)
  )
  assert_same_bits(restored, state)


def test_other_fields_are_refused():
  saved = injection.to_state_dict(injected(OPTIONS['injected']))
  del saved['head']['injected_head']['signs']
  with pytest.raises(ValueError, match='expected trainable, frozen and signs'):
    injection.from_state_dict(saved)
