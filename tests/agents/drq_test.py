"""DrQ: shifts beside NumPy's, and who sees and trains what."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import drq
from plasticity_rl.agents.random_shift import random_shift
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.networks import pixels
from plasticity_rl.types import TrainState
from tests.agents.actor_critic import ACTIONS
from tests.agents.actor_critic import BATCH
from tests.agents.actor_critic import IMAGE
from tests.agents.actor_critic import KEY
from tests.agents.actor_critic import batch
from tests.agents.actor_critic import init
from tests.agents.actor_critic import layers_of
from tests.agents.actor_critic import make
from tests.agents.actor_critic import mlp

CONFIG = settings.DrQConfig(shift=1, latent=3)


@pytest.fixture(name='agent', scope='module')
def fixture_agent():
  return make(CONFIG)


@pytest.fixture(name='nets', scope='module')
def fixture_nets(agent):
  return init(agent)


# --- Shifts -----------------------------------------------------------------


def offsets(keys, pad):
  return [
    np.asarray(jax.random.randint(key, (2,), 0, 2 * pad + 1)) for key in keys
  ]


@pytest.mark.parametrize('pad', (0, 1, 4))
@pytest.mark.parametrize('dtype', (np.uint8, np.float32))
def test_shift_is_a_crop_of_the_padded_image(pad, dtype):
  images = batch(IMAGE).s_tm1.astype(dtype)
  keys = base.example_keys(KEY, BATCH)
  found = random_shift(keys, images, pad)
  assert found.dtype == dtype
  for image, (i, j), crop in zip(
    images, offsets(keys, pad), found, strict=True
  ):
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), 'edge')
    np.testing.assert_array_equal(
      crop, padded[i : i + IMAGE[0], j : j + IMAGE[1]]
    )


def test_shifts_are_uniform_and_each_images_own():
  keys = base.example_keys(KEY, 2000)
  # Pixel (2, 2) of an image that counts its pixels tells the shift.
  image = np.arange(25, dtype=np.float32).reshape(5, 5, 1)
  images = np.broadcast_to(image, (2000, 5, 5, 1))
  seen = np.asarray(random_shift(keys, images, 1))[:, 2, 2, 0]
  where, counts = np.unique(seen, return_counts=True)
  assert where.tolist() == [6, 7, 8, 11, 12, 13, 16, 17, 18]
  # Five standard deviations of a count.
  assert np.abs(counts - 2000 / 9).max() < 5 * (2000 * 8 / 81) ** 0.5
  # Another order, another size: each goes with its key.
  order = np.array([3, 1999, 0])
  again = random_shift(keys[order], images[order], 1)
  assert again[:, 2, 2, 0].tolist() == seen[order].tolist()


def test_shift_refuses_wrong_shapes():
  images = jnp.zeros([2, 3, 3, 1])
  with pytest.raises(AssertionError):  # One key for all images.
    random_shift(KEY, images, 1)
  with pytest.raises(AssertionError):  # Images without channels.
    random_shift(base.example_keys(KEY, 2), images[..., 0], 1)


# --- Losses -----------------------------------------------------------------


def convolved(params, images):
  """The encoder of one 3x3 convolution of stride 2, in NumPy."""
  layer = params['encoder']['conv_0']
  x = np.asarray(images, float) / 255
  w = np.asarray(layer['w'], float)
  out = np.stack(
    [
      np.stack(
        [
          np.tensordot(x[:, i : i + 3, j : j + 3], w, 3)
          for j in range(0, x.shape[2] - 2, 2)
        ],
        1,
      )
      for i in range(0, x.shape[1] - 2, 2)
    ],
    1,
  ) + np.asarray(layer['b'], float)
  return np.maximum(out, 0).reshape(len(x), -1)


def trunk(head, x):
  layer = jax.tree.map(lambda p: np.asarray(p, float), head['trunk'])
  z = x @ layer['w'] + layer['b']
  z = (z - z.mean(-1, keepdims=True)) / np.sqrt(z.var(-1, keepdims=True) + 1e-5)
  return np.tanh(z * layer['scale'] + layer['offset'])


def after_trunk(params, member=None):
  head = {k: v for k, v in params['head'].items() if k != 'trunk'}
  return layers_of({'encoder': {}, 'head': head}, member)


@pytest.mark.slow
def test_networks_by_hand(agent, nets):
  data = batch(IMAGE)
  inputs = agent.spec.inputs({k: n.params for k, n in nets.items()}, data)
  features = convolved(nets['critic'].params, data.s_tm1)
  q = (
    agent.spec.nets['critic']
    .network.apply(nets['critic'].params, inputs['critic'])
    .outputs
  )
  params = nets['critic'].params
  z = np.concatenate([trunk(params['head'], features), data.a_tm1], -1)
  for member in range(2):
    np.testing.assert_allclose(
      q[:, member],
      mlp(after_trunk(params, member), z)[:, 0],
      rtol=1e-4,
      atol=1e-5,
    )
  np.testing.assert_allclose(
    inputs['actor'].reshape(BATCH, -1), features, rtol=1e-4, atol=1e-6
  )
  params = nets['actor'].params
  mean, _ = np.split(
    mlp(after_trunk(params), trunk(params['head'], features)), 2, -1
  )
  actions = agent.act_greedily(KEY, nets, data.s_tm1)
  np.testing.assert_allclose(actions, np.tanh(mean), rtol=1e-3, atol=1e-5)


def without_shift(values, targets):
  return make(
    dataclasses.replace(
      CONFIG,
      shift=0,
      value_augmentations=values,
      target_augmentations=targets,
    )
  )


@pytest.mark.slow
def test_losses_are_averaged_over_shifts(nets):
  """Without a shift, views are equal: M means nothing, K averages noise."""
  data = batch(IMAGE)
  losses = {
    (m, k): without_shift(m, k).spec.losses(KEY, nets, data)['critic'](
      nets['critic'].params
    )[0]
    for m, k in ((1, 1), (3, 1), (1, 2))
  }
  np.testing.assert_allclose(losses[3, 1], losses[1, 1], rtol=1e-5)
  # Targets differ by the actions drawn, but where an episode ended.
  differ = losses[1, 2] != losses[1, 1]
  assert differ.tolist() == (data.discount_t != 0).tolist()


@pytest.mark.slow
def test_views_are_shifted_each_by_itself(nets):
  """Loss and target see shifted images; several shifts are not the same."""
  data = batch(IMAGE)
  plain, shifted, twice = (
    agent.spec.losses(KEY, nets, data)['critic'](nets['critic'].params)[0]
    for agent in (
      without_shift(1, 1),
      make(CONFIG),
      make(dataclasses.replace(CONFIG, value_augmentations=2)),
    )
  )
  assert (plain != shifted).any() and (twice != shifted).any()


@pytest.mark.slow
@pytest.mark.parametrize('blank', ('s_tm1', 's_t'))
def test_the_loss_and_its_target_both_see_shifted_images(nets, blank):
  """An image of one colour is the same shifted: only the other one tells."""
  data = batch(IMAGE)
  images = getattr(data, blank)
  data = data._replace(**{blank: np.full_like(images, 7)})
  plain, shifted = (
    agent.spec.losses(KEY, nets, data)['critic'](nets['critic'].params)[0]
    for agent in (without_shift(1, 1), make(CONFIG))
  )
  differ = np.asarray(plain != shifted)
  # Where an episode ended, the target has no image.
  seen = np.ones(BATCH, bool) if blank == 's_t' else data.discount_t != 0
  # A shift by nothing, of nine, changes nothing.
  assert differ[seen].mean() > 0.5 and not differ[~seen].any()


def test_all_views_of_an_image_are_shifted_differently(agent):
  """The M of the loss and the K of the target, of one image here."""
  views = drq.ShiftedViews(
    agent.spec.nets['critic'],
    dataclasses.replace(CONFIG, value_augmentations=3, target_augmentations=2),
  )
  data = batch(IMAGE)
  data = data._replace(s_t=data.s_tm1)
  values, targets = views.views(base.example_keys(KEY, BATCH), data)
  assert (len(values), len(targets)) == (3, 2)
  found = [np.asarray(view) for view in (*values, *targets)]
  for i, one in enumerate(found):
    for other in found[:i]:
      assert (one != other).any()
    assert (one != np.asarray(data.s_tm1)).any()


# --- The shared encoder -----------------------------------------------------


@pytest.mark.slow
def test_only_the_critics_loss_trains_the_encoder(agent, nets):
  """And it does so by the critic alone, not through its targets."""

  def total(critic_params, name):
    seen = {**nets, 'critic': nets['critic']._replace(params=critic_params)}
    loss = agent.spec.losses(KEY, seen, batch(IMAGE))[name]
    own = critic_params if name == 'critic' else nets[name].params
    return loss(own)[0].mean()

  of = {
    name: jax.grad(total)(nets['critic'].params, name)
    for name in ('critic', 'temperature')
  }
  assert all(jnp.any(g) for g in jax.tree.leaves(of['critic']['encoder']))
  assert not any(jnp.any(g) for g in jax.tree.leaves(of['temperature']))
  alone = jax.grad(
    lambda p: agent.spec.losses(KEY, nets, batch(IMAGE))['critic'](p)[0].mean()
  )(nets['critic'].params)
  for a, b in zip(
    jax.tree.leaves(of['critic']), jax.tree.leaves(alone), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_an_update_moves_the_encoder_by_the_critics_gradient(agent, nets):
  data = batch(IMAGE)
  new, _ = jax.jit(agent.update)(KEY, nets, data, 0)
  loss = agent.spec.losses(KEY, nets, data)['critic']
  gradient = jax.grad(lambda p: loss(p)[0].mean())(nets['critic'].params)
  for old, now, g in zip(
    *(
      jax.tree.leaves(x['encoder'])
      for x in (nets['critic'].params, new['critic'].params, gradient)
    ),
    strict=True,
  ):
    assert np.abs(g).max() > 1e-3
    np.testing.assert_allclose(old - g, now, rtol=1e-3, atol=1e-5)
  assert new['actor'].params['encoder'] == {}


def test_a_reset_of_all_but_the_encoder(agent, nets):
  """The paper's rule: the shared encoder and its optimizer state stay."""
  intervention = registry.make(
    expression.parse('reset(scope="all_but_encoder")'), agent.spec
  )
  state = TrainState(nets, (), (), (), (), {})
  after = intervention.apply(KEY, state, (), batch(IMAGE))[0].nets
  for old, new in zip(
    jax.tree.leaves(nets['critic'].params['encoder']),
    jax.tree.leaves(after['critic'].params['encoder']),
    strict=True,
  ):
    np.testing.assert_array_equal(old, new)
  for name, net in nets.items():
    for old, new in zip(
      jax.tree.leaves(net.params['head']),
      jax.tree.leaves(after[name].params['head']),
      strict=True,
    ):
      assert not np.array_equal(old, new)


def test_other_splits_are_refused():
  with pytest.raises(UserError, match='network.split must be 1 or -4: -2'):
    make(CONFIG, split=-2)
  assert make(CONFIG, split=-4).spec.nets['critic'].layers == (
    make(CONFIG, split=1).spec.nets['critic'].layers
  )
  with pytest.raises(UserError, match='needs network.convolutions'):
    make(CONFIG, convolutions=(), split=0)


def test_layers_are_declared(agent):
  critic = agent.spec.nets['critic'].layers
  assert [layer.name for layer in critic] == [
    'conv_0',
    'trunk',
    'dense_0.0',
    'dense_0.1',
    'dense_1.0',
    'dense_1.1',
    'dense_2.0',
    'dense_2.1',
  ]
  assert [layer.side_inputs for layer in critic] == [
    0,
    0,
    ACTIONS,
    ACTIONS,
    0,
    0,
    0,
    0,
  ]
  assert [layer.hidden for layer in critic] == [True] * 6 + [False] * 2
  actor = agent.spec.nets['actor'].layers
  assert [layer.path for layer in actor] == [
    ('head', name) for name in ('trunk', 'dense_0', 'dense_1', 'dense_2')
  ]
  encode = pixels.encode(
    agent.spec.nets['critic'].network,
    agent.init(KEY)['critic'].params,
    batch(IMAGE).s_tm1,
  )
  assert encode.shape == (BATCH, 3, 2, 3)
