"""Networks of equal size."""

import dataclasses

import jax
import pytest

from plasticity_rl import injection
from plasticity_rl.errors import UserError
from plasticity_rl.networks import sequential
from plasticity_rl.networks import sizing

KEY = jax.random.PRNGKey(0)
CATCH = sequential.Sequential(
  observation_shape=(10, 5), hidden=(64, 64), num_outputs=3, split=1
)
IMAGES = sequential.Sequential(
  observation_shape=(10, 10, 4),
  convolutions=((16, 3, 1),),
  hidden=(32,),
  num_outputs=3,
)


@pytest.mark.parametrize('injections', (0, 1, 2))
def test_counts_what_injections_add(injections):
  network, _ = sequential.build(CATCH)

  def grown(key):
    params = network.init(key)
    for _ in range(max(injections, 1)):
      params = injection.inject_params(key, network, params)
    return params

  params = jax.eval_shape(grown, KEY)
  leaves = jax.tree.leaves(params)
  signs = 2 * max(injections, 1)
  # Encoder 50 -> 64, head 64 -> 64 -> 3.
  encoder, head = 51 * 64, 65 * 64 + 65 * 3
  assert sizing.parameter_count(CATCH, injections) == (
    encoder + head * (1 + 2 * injections)
  )
  assert sum(x.size for x in leaves) - signs == sizing.parameter_count(
    CATCH, max(injections, 1)
  )


@pytest.mark.parametrize('part', sizing.PARTS)
@pytest.mark.parametrize(
  'config',
  (
    CATCH,
    IMAGES,
    dataclasses.replace(CATCH, activation='crelu', layer_norm=True),
    dataclasses.replace(IMAGES, activation='fourier', width_counts='units'),
  ),
  ids=('catch', 'images', 'crelu', 'fourier'),
)
def test_nearest_is_within_two_percent(config, part):
  for injections in (1, 3):
    wanted = sizing.parameter_count(config, injections)
    found = sizing.nearest(config, wanted, part)
    assert abs(sizing.parameter_count(found) - wanted) < 0.02 * wanted
    sequential.build(found)  # Whole units.
    if part == 'head':
      assert found.convolutions == config.convolutions
      assert found.hidden[:-1] == config.hidden[:-1]
    else:
      assert found.hidden[0] > config.hidden[0]


def test_head_of_catch_by_hand():
  # 51 * 64 + 3 * (65 * 64 + 65 * 3) = 51 * 64 + 65 n + 3 (n + 1), n = 192.09.
  found = sizing.nearest(CATCH, sizing.parameter_count(CATCH, 1))
  assert found.hidden == (64, 192)


def test_its_own_size_is_found_and_smaller_ones_too():
  for part in sizing.PARTS:
    assert sizing.nearest(CATCH, sizing.parameter_count(CATCH), part) == CATCH
  assert sizing.nearest(CATCH, 0, 'all').hidden == (1, 1)


def test_a_head_without_hidden_layers_is_refused():
  linear = dataclasses.replace(CATCH, split=-1)
  with pytest.raises(UserError, match='the head has no hidden layer'):
    sizing.nearest(linear, 10_000)
  assert sizing.nearest(linear, 10_000, 'all').hidden > CATCH.hidden
