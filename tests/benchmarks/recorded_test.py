"""Values of recorded runs: computed, written, read, and fitted in turn."""

import dataclasses
import json
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import recorded
from configs import recorded_values
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.training import datasets
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small

NAN = float('nan')


def test_monte_carlo_by_hand():
  # Two environments: one ends by itself, one is cut off.
  r = np.array([[1, 1], [2, 2], [4, 4], [8, 8]], float)
  discount = np.array([[1, 1], [0, 1], [1, 1], [0, 0]], float)
  last = np.array([[0, 0], [1, 1], [0, 0], [1, 1]], bool)
  found = recorded.monte_carlo(r, discount, last, 0.5)
  np.testing.assert_array_equal(
    found, [[1 + 0.5 * 2, NAN], [2, NAN], [4 + 0.5 * 8] * 2, [8, 8]]
  )


def test_an_episode_that_goes_on_is_not_known():
  found = recorded.monte_carlo(
    np.ones([3, 1]),
    np.array([[0.0], [1], [1]]),
    np.array([[True], [False], [False]]),
    0.9,
  )
  np.testing.assert_array_equal(found[:, 0], [1, NAN, NAN])


@pytest.fixture(name='recording', scope='module')
def fixture_recording(tmp_path_factory):
  """Of a run of Catch, whose episodes have three steps and one reward."""
  experiment = small.build(
    small.dqn(
      **{
        'checkpoint.keep': 2,
        'replay.clear_on_switch': False,
        'replay.capacity': 32,
      }
    )
  )
  folder = tmp_path_factory.mktemp('recorded')
  run_folder.prepare(folder / 'run', experiment.settings)
  runner.run(experiment, folder / 'run')
  path = folder / 'values.npz'
  recorded.record(folder / 'run', (40, 80), 12, path)
  return folder / 'run', path


def test_recorded_states_have_their_values(recording):
  found = datasets.load(str(recording[1]))
  assert found.inputs.shape == (2, 2, 12, 4, 3)
  assert found.values.shape == (2, 2, 12)
  # One reward of size one, some steps ahead; the ball's row tells how many.
  gamma = small.dqn().replay.discount
  sizes = {round(float(v), 5) for v in np.abs(found.values).ravel()}
  assert sizes <= {round(gamma**k, 5) for k in range(3)}
  assert len(sizes) > 1
  # No state twice (episodes may look alike, but not all of them).
  assert not np.array_equal(found.inputs[0, 0], found.inputs[0, 1])


def test_more_states_than_there_are_is_refused(recording, tmp_path):
  with pytest.raises(UserError, match='fewer than 1000'):
    recorded.record(recording[0], (40,), 1000, tmp_path / 'x.npz')
  assert not (tmp_path / 'x.npz').exists()


def write(path, **arrays):
  np.savez(path, **arrays)
  return str(path)


def test_what_is_no_recording_is_refused(tmp_path):
  (tmp_path / 'text.npz').write_text('no')
  (tmp_path / 'empty.npz').write_bytes(b'')
  inputs, values = np.zeros([1, 2, 3, 4]), np.zeros([1, 2, 3])
  np.save(tmp_path / 'lone.npy', values)
  whole = pathlib.Path(
    write(tmp_path / 'whole.npz', inputs=inputs, values=values)
  ).read_bytes()
  (tmp_path / 'cut.npz').write_bytes(whole[: len(whole) // 2])
  for path, message in (
    (str(tmp_path / 'none.npz'), 'is not a recording'),
    *(
      (str(tmp_path / name), 'is not a recording')
      for name in ('text.npz', 'empty.npz', 'lone.npy', 'cut.npz')
    ),
    (
      write(tmp_path / 'e.npz', inputs=inputs, values=values.astype(str)),
      'must hold finite values',
    ),
    (write(tmp_path / 'a.npz', inputs=inputs), 'is not a recording'),
    (
      write(tmp_path / 'b.npz', inputs=inputs, values=values[0]),
      'must hold finite values',
    ),
    (
      write(tmp_path / 'c.npz', inputs=inputs, values=values + NAN),
      'must hold finite values',
    ),
    (
      write(tmp_path / 'd.npz', inputs=inputs, values=np.array([None])),
      'is not a recording',
    ),
  ):
    config = settings_lib.default_config('supervised', 'recorded_values')
    config.environment.path = path
    with pytest.raises(UserError, match=message):
      experiment_lib.build(settings_lib.resolve(config))


class Mean:
  """Predicts the same for all."""

  def act_greedily(self, key, nets, inputs):
    del key, nets
    return jnp.full([len(inputs), 1], 0.5)


def test_tasks_follow_each_other_and_are_evaluated():
  rng = np.random.default_rng(0)
  recording = datasets.Recording(
    np.arange(12, dtype=np.float32).reshape(1, 3, 4, 1),
    rng.standard_normal([1, 3, 4]),
  )
  config = settings_lib.default_config('supervised', 'recorded_values')
  config.environment.switch_every_steps = 5
  config.environment.path = 'given'
  settings = settings_lib.resolve(config)
  source = datasets.RecordedValues(Mean(), settings, recording)
  key = jnp.array([0, 1], jnp.uint32)
  env, replay = source.init(key)
  counters = small.build(small.supervised()).init().counters
  standard = (recording.values - recording.values.mean()) / (
    recording.values.std()
  )
  seen = []
  for step in range(17):
    counters = counters._replace(step=jnp.array(step))
    env, replay, _ = source.collect(key, None, env, replay, counters)
    counters = source.advance(counters)
    batch = source.sample(key, env, replay, counters, 50)
    points = {int(x) // 4 for x in batch.s_tm1.ravel()}
    assert len(points) == 1
    point = points.pop()
    seen.append(point)
    wanted = dict(
      zip(recording.inputs[0, point].ravel(), standard[0, point], strict=True)
    )
    for x, y in zip(batch.s_tm1.ravel(), batch.a_tm1, strict=True):
      assert wanted[float(x)] == pytest.approx(float(y), abs=1e-6)
    metrics = source.evaluate(key, None, env)
    error = np.mean((0.5 - standard[0, point]) ** 2)
    assert -metrics['eval/return'] == pytest.approx(error, rel=1e-5)
    assert metrics['eval/unexplained'] == pytest.approx(
      error / standard[0, point].var(), rel=1e-5
    )
  assert seen == [0] * 5 + [1] * 5 + [2] * 7


@pytest.mark.slow
def test_the_illustration_small(recording, tmp_path):
  config = recorded_values.get_config('tiny')
  config.environment.path = str(recording[1])
  config.network.hidden = (8, 8)
  config.log.progress = False
  config.fork.horizon = 25  # One change of task.
  plan = diagnosis.plan(settings_lib.resolve(config))
  diagnosis.run(plan, tmp_path)
  for arm in ('injection', 'fresh'):
    lines = (tmp_path / 'arms' / arm / 'events.jsonl').read_text().splitlines()
    assert [json.loads(x)['step'] for x in lines] == [20]
  rows = small.metrics(tmp_path / 'arms' / 'control')
  assert all(float(r['eval/unexplained']) >= 0 for r in rows)
  assert dataclasses.asdict(plan.experiment.settings)['num_seeds'] == 2
