"""Training on the host: resuming, forking, looking, and a naive loop."""

import csv
import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.learner import learner
from plasticity_rl.networks import convolution
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import host_data_source
from plasticity_rl.training import running_statistics
from plasticity_rl.training.host_data_source import generator
from plasticity_rl.types import Transition
from tests.training import small

COPIED = 'tests.training.walks:CopiedWalk'
BEGUN_ANEW = 'tests.training.walks:Walk'


def make(name=COPIED, agent='dqn', **changes):
  config = settings_lib.default_config(agent, name)
  small.shorten(config)
  if agent == 'dqn':
    config.agent.epsilon_decay_steps = 40
  config.replay.capacity = 64
  config.evaluation.max_steps = 1000
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def run(settings, folder, **options):
  experiment = small.build(settings)
  run_folder.prepare(folder, settings)
  runner.run(experiment, folder, **options)
  return experiment


def assert_equal(a, b):
  """Two states are the same, to the bit, and so are their replays."""
  small.assert_equal(a._replace(replay=()), b._replace(replay=()))
  for x, y in zip(a.replay.by_seed, b.replay.by_seed, strict=True):
    assert x.num_stored == y.num_stored
    batches = [ring.sample(np.random.default_rng(0), 256) for ring in (x, y)]
    small.assert_equal(*batches)


@pytest.fixture(name='whole', scope='module', params=(COPIED, BEGUN_ANEW))
def fixture_whole(request, tmp_path_factory):
  folder = tmp_path_factory.mktemp('host') / 'run'
  return run(make(request.param), folder), folder


def test_a_run_resumed_is_the_run_that_never_stopped(whole, tmp_path):
  _, folder = whole
  # Another process: environments that were never begun.
  fresh = experiment_lib.build(whole[0].settings)
  resumed = tmp_path / 'run'
  shutil.copytree(folder, resumed)
  shutil.rmtree(resumed / 'checkpoints' / f'{80:010d}')
  (resumed / 'ledger.json').unlink()
  runner.run(fresh, resumed)
  assert_equal(small.saved(fresh, resumed, 80), small.saved(fresh, folder, 80))
  assert small.metrics(resumed) == small.metrics(folder)


def test_an_update_with_a_second_batch_has_two(monkeypatch, tmp_path):
  counts, sample = [], host_data_source.HostDataSource.sample

  def counted(*args, num_batches=None, **options):
    counts.append(num_batches)
    batch = sample(*args, num_batches=num_batches, **options)
    assert num_batches is None or len(batch.frames[0]) == num_batches
    return batch

  monkeypatch.setattr(host_data_source.HostDataSource, 'sample', counted)
  settings = make(
    **{
      'regularizer.c_chain': 0.1,
      'replay.updates_per_step': 1.5,
      'replay.priming_updates': 2,
      'num_steps': 40,
    }
  )
  run(settings, tmp_path / 'run')
  # Of three updates and of two in advance; probes are one batch.
  assert set(counts) == {6, 4, None}
  churns = [row['train/churn'] for row in small.metrics(tmp_path / 'run')]
  assert any(churn and float(churn) > 0 for churn in churns)


@pytest.mark.slow
def test_looking_does_not_move_training(whole, tmp_path):
  experiment, folder = whole
  settings = dataclasses.replace(
    experiment.settings,
    evaluation=dataclasses.replace(
      experiment.settings.evaluation, every_steps=80
    ),
    diagnostics=dataclasses.replace(
      experiment.settings.diagnostics, every_steps=80
    ),
  )
  blind = experiment_lib.build(settings)
  run_folder.prepare(tmp_path / 'run', settings)
  runner.run(blind, tmp_path / 'run')
  assert_equal(
    small.saved(blind, tmp_path / 'run', 80)._replace(interventions={}),
    small.saved(experiment, folder, 80)._replace(interventions={}),
  )


@pytest.mark.slow
def test_the_control_arm_is_the_run_that_goes_on(tmp_path):
  settings = make(
    BEGUN_ANEW,
    **{
      'fork.step': 40,
      'fork.arms': ('control', 'injection'),
    },
  )
  plan = diagnosis.plan(settings)
  diagnosis.run(plan, tmp_path / 'd')
  whole = run(make(BEGUN_ANEW), tmp_path / 'whole')
  control = tmp_path / 'd' / 'arms' / 'control'
  mine, theirs = (
    small.saved(whole, folder, 80) for folder in (control, tmp_path / 'whole')
  )
  assert_equal(mine, theirs)
  facts = json.loads(
    (tmp_path / 'd' / 'arms' / 'injection' / 'fork.json').read_text()
  )
  assert facts['at_fork']['largest_output_change'] == [0.0, 0.0]
  assert facts['at_fork']['greedy_agreement'] == [1.0, 1.0]


def naive(settings, overlap):
  """One seed and one environment, a row at a time, with a list for a replay."""
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  env = host_registry.make(COPIED, 1, evaluation=False)
  run_key = np.asarray(state.keys.run)[0]
  seeds = generator(run_key, 'environments', 0).integers(
    2**32, size=1, dtype=np.uint32
  )
  observation = env.begin(seeds)
  stored, updates = [], 0
  nets = jax.tree.map(lambda x: x[0], state.nets)
  agent, replay = experiment.agent, settings.replay

  def learn(key, step):
    nonlocal nets, updates
    ids = generator(run_key, 'sample', step).integers(
      0, len(stored), (1, replay.batch_size)
    )[0]
    batch = Transition(
      *map(np.stack, zip(*(stored[i] for i in ids), strict=True))
    )
    nets, _, _ = learner.learn(
      key, agent, nets, {}, lambda key, i: batch, updates, 1
    )
    updates += 1

  for step in range(settings.num_steps):
    act_key, learn_key = jax.random.split(
      jax.random.fold_in(state.keys.run[0], step)
    )
    action = np.asarray(agent.act(act_key, nets, observation, step))
    if overlap and len(stored) >= replay.min_size:
      learn(learn_key, step)
    result = env.step(action)
    stored.append(
      (
        observation[0],
        action[0],
        result.reward[0],
        np.float32(replay.discount) * result.discount[0],
        result.observation[0],
      )
    )
    observation = result.next_observation
    if not overlap and len(stored) >= replay.min_size:
      learn(learn_key, step)
  return nets, updates


@pytest.mark.slow
@pytest.mark.parametrize('overlap', (False, True))
def test_it_is_the_naive_loop(overlap):
  settings = make(
    **{
      'num_seeds': 1,
      'environment.num_envs': 1,
      'num_steps': 40,
      'replay.updates_per_step': 1.0,
      'environment.overlap': overlap,
    }
  )
  nets, updates = naive(settings, overlap)
  experiment = experiment_lib.build(settings)
  state = experiment.init()
  for _ in range(2):
    state, metrics = experiment.trainer.segment(state)
  assert int(state.counters.updates) == updates == (32 if overlap else 33)
  assert metrics['updates'].tolist() == [updates]
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a[0], b, rtol=2e-4, atol=1e-6),
    state.nets['q'].params,
    nets['q'].params,
  )


@pytest.mark.slow
def test_two_seeds_are_two_runs():
  both = experiment_lib.build(make())
  state = both.init()
  for _ in range(2):
    state, _ = both.trainer.segment(state)
  for i, seed in enumerate((1, 2)):
    one = experiment_lib.build(make(num_seeds=1, seed=seed))
    mine = one.init()
    for _ in range(2):
      mine, _ = one.trainer.segment(mine)
    np.testing.assert_array_equal(
      mine.env.observation[0], state.env.observation[i]
    )
    jax.tree.map(
      lambda a, b, i=i: np.testing.assert_allclose(
        a[0], b[i], rtol=1e-4, atol=1e-6
      ),
      mine.nets['q'].params,
      state.nets['q'].params,
    )


def test_returns_are_of_whole_episodes(whole):
  _, folder = whole
  with (folder / 'metrics.csv').open(newline='') as file:
    rows = list(csv.DictReader(file))
  for row in rows:
    assert float(row['train/episodes']) >= 1
    assert 0 <= float(row['train/return']) <= 8
    assert 0 <= float(row['eval/return']) <= 8
  assert [row['updates'] for row in rows if row['seed'] == '1'] == [
    '6',
    '16',
    '26',
    '36',  # Of what was stored before each row.
  ]


def test_priming_updates_on_what_is_stored():
  settings = make(
    **{
      'replay.priming_updates': 120,
      'replay.min_size': 20,
      'replay.updates_per_step': 1.0,
    }
  )
  experiment = experiment_lib.build(settings)
  state, _ = experiment.trainer.segment(experiment.init())
  before = int(state.counters.updates)
  old = np.array(state.nets['q'].params['encoder']['dense_0']['w'])
  state = experiment.trainer.prime(state)
  assert int(state.counters.updates) == before + 120
  assert int(state.counters.step) == 20
  assert not np.array_equal(
    old, state.nets['q'].params['encoder']['dense_0']['w']
  )


@pytest.mark.slow
def test_a_seed_is_continued_with_keys_of_its_own():
  experiment = experiment_lib.build(make(num_seeds=1))
  state, _ = experiment.trainer.segment(experiment.init())
  copies = experiment.replicate(state, 2)
  two = experiment_lib.build(make())
  after, _ = two.trainer.segment(copies)
  assert not np.array_equal(*after.env.episode_return) or not np.array_equal(
    *after.env.observation
  )
  # The originals' replay has not moved.
  assert state.replay.by_seed[0].num_stored == 20
  assert after.replay.by_seed[0].num_stored == 40


@pytest.mark.slow
def test_an_injection_on_the_way_and_its_resumption(tmp_path):
  settings = make(interventions=('injection(at_steps=40)',))
  whole = run(settings, tmp_path / 'run')
  end = small.saved(whole, tmp_path / 'run', 80)
  assert end.nets['q'].params['head'].frozen['dense_1']['w'].shape == (
    2,
    2,
    8,
    3,
  )
  shutil.rmtree(tmp_path / 'run' / 'checkpoints' / f'{80:010d}')
  (tmp_path / 'run' / 'ledger.json').unlink()
  runner.run(experiment_lib.build(settings), tmp_path / 'run')
  assert_equal(small.saved(whole, tmp_path / 'run', 80), end)


@pytest.mark.slow
def test_normalised_observations_are_stored_with_the_run(tmp_path):
  settings = make(**{'environment.normalize_observations': True})
  experiment = run(settings, tmp_path / 'run')
  state = small.saved(experiment, tmp_path / 'run', 80)
  statistics = state.env.statistics
  assert statistics['count'].tolist() == [80.0, 80.0]
  batch = experiment.trainer.sample(state.keys.event, state)
  plain = state._replace(env=state.env._replace(statistics={}))
  raw = experiment_lib.build(make()).trainer.sample(state.keys.event, plain)
  np.testing.assert_allclose(
    batch.s_tm1, running_statistics.normalize(statistics, raw.s_tm1), rtol=1e-6
  )
  shutil.rmtree(tmp_path / 'run' / 'checkpoints' / f'{80:010d}')
  (tmp_path / 'run' / 'ledger.json').unlink()
  runner.run(experiment_lib.build(settings), tmp_path / 'run')
  assert_equal(small.saved(experiment, tmp_path / 'run', 80), state)


def test_the_normaliser_is_the_mean_and_variance_of_all():
  rng = np.random.default_rng(0)
  x = rng.normal(3, 5, (2, 90, 4))
  statistics = running_statistics.init(2, (4,))
  assert np.array_equal(
    running_statistics.normalize(statistics, x), x.astype(np.float32)
  )
  for begin in range(0, 90, 30):
    statistics = running_statistics.update(statistics, x[:, begin : begin + 30])
  np.testing.assert_allclose(statistics['mean'], x.mean(1), rtol=1e-12)
  np.testing.assert_allclose(
    statistics['squares'] / 89, x.var(1, ddof=1), rtol=1e-12
  )
  expected = (x - x.mean(1, keepdims=True)) / x.std(1, ddof=1, keepdims=True)
  np.testing.assert_allclose(
    running_statistics.normalize(statistics, x), expected, rtol=1e-5, atol=1e-6
  )


def test_a_replay_larger_than_memory_is_refused_with_what_fits(monkeypatch):
  monkeypatch.setattr(host_data_source.memory, 'of_host', lambda: 10**9)
  settings = make(**{'replay.capacity': 10**9})
  with pytest.raises(UserError, match=r'transitions would fit, or compress'):
    experiment_lib.build(settings)


def test_what_does_not_fit_is_refused():
  with pytest.raises(UserError, match='pickles'):
    make('pickles')
  with pytest.raises(UserError, match='clear_on_switch is True, but .* single'):
    make(**{'replay.clear_on_switch': True})


@pytest.mark.slow
def test_hooks_and_waiting_interventions_run(tmp_path):
  settings = make(
    interventions=(
      'weight_clipping(every_updates=1)',
      'optimizer_reset(when="train/loss > -1", max_times=1)',
    )
  )
  runner.check(small.build(settings))
  run(settings, tmp_path / 'run')
  happened = [
    json.loads(line)['label']
    for line in (tmp_path / 'run' / 'events.jsonl').read_text().splitlines()
  ]
  assert happened == ['optimizer_reset']


def test_the_data_of_a_state_are_what_a_segment_starts_from(tmp_path):
  """Environments that have gone on elsewhere are put back."""
  experiment = run(make(), tmp_path / 'run')
  begins = [small.saved(experiment, tmp_path / 'run', 40) for _ in range(2)]
  ends = [experiment.trainer.segment(state)[0] for state in begins]
  assert_equal(*ends)


@pytest.mark.slow
@pytest.mark.parametrize(
  'changes, acting, learning',
  [
    ({}, 'lax', 'lax'),
    ({'replay.updates_per_step': 2.0}, 'lax', 'slices'),
    ({'optimizer.microbatches': 2}, 'lax', 'slices'),
    ({'num_seeds': 2}, 'slices', 'slices'),
    ({'network.convolution': 'slices'}, 'slices', 'slices'),
  ],
)
def test_convolutions_are_xlas_outside_loops(
  changes, acting, learning, monkeypatch
):
  experiment = small.build(
    make(
      'atari_pong',
      **{
        'network.convolutions': ((4, 8, 8),),
        'num_seeds': 1,
        'environment.num_envs': 1,
        'replay.updates_per_step': 1.0,
        'replay.min_size': 40,
        **changes,
      },
    )
  )
  experiment.trainer.metrics()  # Looks at an update's shapes, in whatever form.
  state = experiment.init()
  taken = set()

  def spy(name, form):
    function = getattr(convolution, name)
    monkeypatch.setattr(
      convolution, name, lambda *args: taken.add(form) or function(*args)
    )

  spy('lax_convolution', 'lax')
  spy('sliced_convolution', 'slices')
  state, _ = experiment.trainer.segment(state)  # It only acts.
  assert taken == {acting}
  taken.clear()
  while not int(state.counters.updates):
    state, _ = experiment.trainer.segment(state)
  assert taken == {learning}
