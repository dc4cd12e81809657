"""An ensemble is its members, one by one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.layers import feeds
from plasticity_rl.networks import actor_critic
from plasticity_rl.networks import ensemble
from plasticity_rl.networks import sequential

KEY = jax.random.PRNGKey(2)
CONFIG = sequential.Sequential(
  observation_shape=(4,), hidden=(5, 3), num_outputs=2, split=1
)
X = np.random.default_rng(0).standard_normal((6, 4), np.float32)


@pytest.mark.parametrize('form', ('batched', 'unrolled'))
@pytest.mark.parametrize('split', (0, 1, 2))
def test_it_computes_what_its_members_do(split, form):
  one, layers = sequential.build(
    dataclasses.replace(CONFIG, split=split, infer_heads=2 if split else 0)
  )
  several, declared = ensemble.build(one, layers, 3, form)
  params = several.init(KEY)
  output = several.apply(params, X)
  assert output.outputs.shape == (3, 6, 2)
  for m in range(3):
    own = one.apply(jax.tree.map(lambda p: p[m], params), X)  # noqa: B023
    np.testing.assert_allclose(
      output.outputs[m], own.outputs, rtol=1e-5, atol=1e-6
    )
    for name, features in own.layers.items():
      found = (
        output.layers['infer'][:, 2 * m : 2 * m + 2]
        if name == 'infer'
        else output.layers[f'{name}.{m}']
      )
      np.testing.assert_allclose(found, features, rtol=1e-5, atol=1e-6)
  names = {layer.name for layer in declared}
  assert names == set(output.layers) - {'infer'}
  # Drawn each by itself.
  for layer in layers:
    w = params[layer.path[0]][layer.path[1]]['w']
    assert not np.any((w[0] == w[1]) | (w[1] == w[2]))


def test_what_feeds_what():
  _, layers = ensemble.build(*sequential.build(CONFIG), 2)
  by_name = {layer.name: layer for layer in layers}
  assert [layer.name for layer in feeds(by_name['dense_0.1'], layers)] == [
    'dense_1.1'
  ]
  assert feeds(by_name['dense_2.0'], layers) == ()
  _, plain = sequential.build(CONFIG)
  assert feeds(plain[0], plain) == (plain[1],)
  # A layer that members share feeds all of them.
  shared = dataclasses.replace(plain[0], path=('encoder', 'shared'))
  assert feeds(shared, (shared, *layers)) == layers[:2]


def test_critics_see_observation_and_action():
  config = actor_critic.critic_config(
    dataclasses.replace(CONFIG, observation_shape=(2, 3), activation='tanh'), 2
  )
  network, _ = actor_critic.critic(config, 2, members=3)
  params = network.init(KEY)
  s, a = X[:, :, None] * np.ones([1, 1, 2], np.float32), X[:, :2]
  s = s[:, :3].transpose(0, 2, 1)
  q = network.apply(params, (s, a)).outputs
  assert q.shape == (6, 3)
  one, _ = sequential.build(config)
  own = one.apply(
    jax.tree.map(lambda p: p[1], params),
    np.concatenate([s.reshape(6, -1), a], -1),
  ).outputs
  np.testing.assert_allclose(q[:, 1:2], own, rtol=1e-5, atol=1e-6)
  other = network.apply(params, (s, a + 1)).outputs
  assert not np.any(other == q)


def test_actors_outputs_are_halves():
  network, _ = actor_critic.actor(actor_critic.actor_config(CONFIG, 2))
  whole, _ = sequential.build(actor_critic.actor_config(CONFIG, 2))
  params = network.init(KEY)
  outputs = network.apply(params, X).outputs
  both = whole.apply(params, X).outputs
  np.testing.assert_array_equal(outputs.mean, both[:, :2])
  np.testing.assert_array_equal(outputs.log_std, both[:, 2:])


def test_temperature_is_a_network_without_layers():
  network = actor_critic.temperature(0.2)
  params = network.init(KEY)
  assert float(params['head']['log_alpha']) == pytest.approx(np.log(0.2))
  output = network.apply(params, ())
  assert output.outputs.shape == () and output.layers == {}
  assert float(jnp.exp(output.outputs)) == pytest.approx(0.2)


def gram(w):
  matrix = np.asarray(w, float).reshape(-1, w.shape[-1])
  if matrix.shape[0] < matrix.shape[1]:
    matrix = matrix.T
  return matrix.T @ matrix


def test_orthogonal_weights():
  config = sequential.Sequential(
    observation_shape=(6, 6, 2),
    convolutions=((3, 3, 1),),
    hidden=(7, 40),
    num_outputs=4,
    split=1,
    initializer='orthogonal',
    output_gains=(3.0, 1.0),
  )
  network, layers = sequential.build(config)
  params = network.init(KEY)
  ws = [params[layer.path[0]][layer.path[1]]['w'] for layer in layers]
  # Columns of hidden layers, rows of the third: a gain of sqrt(2).
  for w in ws[:3]:
    np.testing.assert_allclose(gram(w), 2 * np.eye(len(gram(w))), atol=1e-5)
  np.testing.assert_allclose(gram(ws[3][:, :2]), 9 * np.eye(2), atol=1e-4)
  np.testing.assert_allclose(gram(ws[3][:, 2:]), np.eye(2), atol=1e-5)
