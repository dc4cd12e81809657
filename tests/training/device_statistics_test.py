"""Running statistics on the device, by hand and inside a data source."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training import device_statistics
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import running_statistics
from tests.training import small

RNG = np.random.default_rng(0)
STEPS, ENVS, SIZE = 30, 4, 3
X = RNG.normal(3, 5, (STEPS, ENVS, SIZE)).astype(np.float32)
REWARDS = RNG.normal(1, 2, (STEPS, ENVS)).astype(np.float32)
LAST = RNG.random((STEPS, ENVS)) < 0.2


def device(envs=slice(None), shard=UNSHARDED):
  """After all steps of some environments."""
  found = device_statistics.init(
    X[:, envs].shape[1], (SIZE,), observations=True, returns=True
  )
  for x, r, last in zip(X, REWARDS, LAST, strict=True):
    found = device_statistics.update(
      found, x[envs], r[envs], last[envs], 0.9, shard
    )
  return found


def returns_by_hand():
  g, found = np.zeros(ENVS), []
  for r, last in zip(REWARDS, LAST, strict=True):
    g = 0.9 * g + r
    found.append(g)
    g = np.where(last, 0, g)
  return np.array(found), g


def test_mean_and_variance_of_all_observations():
  found = device()['observations']
  flat = X.reshape(-1, SIZE)
  for e in range(ENVS):  # Each row is a copy.
    np.testing.assert_allclose(found['mean'][e], flat.mean(0), rtol=1e-4)
    np.testing.assert_allclose(found['variance'][e], flat.var(0), rtol=1e-4)
    assert found['count'][e] == STEPS * ENVS
  x = RNG.normal(3, 5, (7, 2, SIZE))
  expected = (x - flat.mean(0)) / flat.std(0, ddof=1)
  np.testing.assert_allclose(
    device_statistics.normalize(device(), jnp.array(x)), expected, rtol=1e-3
  )


def test_rewards_are_scaled_by_returns():
  g, now = returns_by_hand()
  found = device()['returns']
  np.testing.assert_allclose(found['now'], now, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(found['largest'][0], abs(g).max(), rtol=1e-5)
  np.testing.assert_allclose(found['variance'][0], g.var(), rtol=1e-4)
  r = jnp.array([1.0, -2.0])
  for most, size in ((100.0, g.std()), (0.1, abs(g).max() / 0.1)):
    np.testing.assert_allclose(
      device_statistics.scale(device(), r, most), r / size, rtol=1e-4
    )


def test_the_host_does_the_same():
  host = running_statistics.init(2, (SIZE,))
  host |= running_statistics.init_returns(2, ENVS)
  for x, r, last in zip(X, REWARDS, LAST, strict=True):
    host = running_statistics.update(host, np.stack([x, x]))
    host = running_statistics.update_returns(
      host, np.stack([r, r]), np.stack([last, last]), 0.9
    )
  r = np.array([[1.0, -2.0, 0.5]] * 2, np.float32)
  for most in (0.1, 100.0):
    np.testing.assert_allclose(
      running_statistics.scale(host, r, most)[1],
      device_statistics.scale(device(), jnp.array(r[1]), most),
      rtol=1e-4,
    )
  np.testing.assert_allclose(
    running_statistics.normalize(host, np.stack([X[0], X[0]]))[0],
    device_statistics.normalize(device(), X[0]),
    rtol=1e-3,
    atol=1e-4,
  )
  begun = running_statistics.begin_episodes(host)
  assert not begun['returns_now'].any()


def test_devices_that_share_environments_agree():
  """Two of two environments each are one of four."""
  whole = device()
  shard = Shard('d', 2)
  found = device_statistics.init(
    ENVS // 2, (SIZE,), observations=True, returns=True
  )
  found = jax.tree.map(lambda x: jnp.stack([x, x]), found)
  update = jax.vmap(
    functools.partial(device_statistics.update, discount=0.9, shard=shard),
    axis_name='d',
  )
  for x, r, last in zip(X, REWARDS, LAST, strict=True):
    parts = (v.reshape(2, ENVS // 2, *v.shape[1:]) for v in (x, r, last))
    found = update(found, *parts)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a.reshape(b.shape), b, rtol=1e-4, atol=1e-5
    ),
    found,
    whole,
  )


def test_nothing_is_kept_of_what_is_not_normalised():
  empty = device_statistics.init(2, (3,), observations=False, returns=False)
  assert empty == {}
  x = np.arange(3)
  assert device_statistics.normalize(empty, x) is x
  assert device_statistics.scale(empty, x, 0.0) is x
  assert device_statistics.update(empty, x, x, x, 0.9, UNSHARDED) == {}


# --- Inside a run ---


def cartpole(**changes):
  config = settings_lib.default_config('dqn', 'cartpole')
  small.shorten(config)
  config.environment.normalize_observations = True
  config.environment.scale_rewards = 5.0
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


@pytest.fixture(name='run', scope='module')
def fixture_run(tmp_path_factory):
  experiment = small.build(cartpole())
  folder = tmp_path_factory.mktemp('run') / 'run'
  return experiment, small.run(experiment, folder)


def test_batches_are_normalised_and_the_replay_is_not(run):
  experiment, folder = run
  state = small.saved(experiment, folder, 80)
  kept = state.env.statistics
  assert (np.asarray(kept['observations']['count']) == 80).all()
  key = state.keys.event
  batch = experiment.trainer.sample(key, state)
  plain = experiment_lib.build(
    cartpole(
      **{
        'environment.normalize_observations': False,
        'environment.scale_rewards': 0.0,
      }
    )
  )
  bare = state._replace(env=state.env._replace(statistics={}))
  raw = plain.trainer.sample(key, bare)
  of_seed = jax.tree.map(lambda x: x[1], kept)
  for name in ('s_tm1', 's_t'):
    np.testing.assert_allclose(
      getattr(batch, name)[1],
      device_statistics.normalize(of_seed, getattr(raw, name)[1]),
      rtol=1e-5,
      atol=1e-6,
    )
  np.testing.assert_allclose(
    batch.r_t[1], device_statistics.scale(of_seed, raw.r_t[1], 5.0), rtol=1e-5
  )
  assert not np.allclose(batch.s_tm1, raw.s_tm1)


def test_agents_see_normalised_observations(run, monkeypatch):
  """In training and in evaluations."""
  experiment, folder = run
  state = small.saved(experiment, folder, 80)
  sighted, _ = experiment.trainer.segment(jax.tree.map(jnp.copy, state))
  seen = []
  original = device_statistics.normalize

  def spy(statistics, x):
    seen.append(x.shape)
    return 0 * original(statistics, x)

  monkeypatch.setattr(device_statistics, 'normalize', spy)
  other = experiment_lib.build(cartpole())
  blind, _ = other.trainer.segment(jax.tree.map(jnp.copy, state))
  other.evaluate(state)
  # In acting and in an evaluation, besides batches.
  assert seen.count((2, 4)) == 2 and (4, 4) in seen
  assert not np.array_equal(blind.env.observation, sighted.env.observation)


def test_resumed_and_forked(run, tmp_path):
  experiment, folder = run
  small.check_resumed(experiment, folder, tmp_path / 'resumed')
  small.check_fork(experiment, folder, tmp_path / 'fork')


def test_pictures_are_not_normalised():
  config = settings_lib.default_config('dqn', 'catch')
  config.environment.normalize_observations = True
  with pytest.raises(UserError, match='for vectors, but observations have'):
    experiment_lib.build(settings_lib.resolve(config))
