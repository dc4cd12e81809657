"""Tasks that change gradually, and physics that changes, inside a run."""

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import spaces as spaces_lib
from plasticity_rl.environments import task_sequence
from plasticity_rl.environments import vector
from plasticity_rl.training import experiment as experiment_lib
from tests.environments import task_sequence_test
from tests.training import small


def segments(settings, count):
  """The states of environments after each of the first segments."""
  experiment = small.build(settings)
  state, states = experiment.init(), []
  for _ in range(count):
    state = experiment.trainer.segment(state)[0]
    states.append(jax.device_get(state.env.state))
  return states


def test_a_gradual_change_takes_as_long_as_a_task():
  """48 steps, of which each of the two environments takes half."""
  settings = small.dqn(**{'environment.gradual': True})
  states = segments(settings, 6)
  changes = [state.change for state in states]
  # Seeds, environments. The switch before step 48 comes with that step.
  steps = [change.steps[0].tolist() for change in changes]
  assert steps == [[n, n] for n in (10, 20, 6, 16, 2, 12)]
  # An episode takes three steps: at step 20 of 24, the last one began when
  # three quarters of the change were done, which is nine of twelve inputs.
  np.testing.assert_array_equal(
    states[1].inputs[..., :9], changes[1].after.inputs[..., :9]
  )
  assert (states[1].inputs != changes[1].after.inputs).any()
  second, third = changes[1], changes[2]
  np.testing.assert_array_equal(third.before.inputs, second.after.inputs)
  assert (third.after.inputs != second.after.inputs).any()
  for change in changes:  # All environments of a seed have one task.
    np.testing.assert_array_equal(
      change.after.inputs[:, 0], change.after.inputs[:, 1]
    )


def test_physics_changes_at_the_switch_and_is_the_same_in_all_environments():
  config = settings_lib.default_config('sac', 'pendulum')
  small.shorten(config)
  config.network.hidden = (8, 8)
  config.environment.vary = ('gravity', 'length')
  config.environment.max_episode_steps = 7
  config.environment.switch_every_steps = 40
  states = segments(settings_lib.resolve(config), 4)
  factors = np.array([state.inner.factors for state in states])
  assert factors.shape == (4, 2, 2, 2)
  np.testing.assert_array_equal(factors[:, :, 0], factors[:, :, 1])
  np.testing.assert_array_equal(factors[0], factors[1])
  np.testing.assert_array_equal(factors[2], factors[3])
  assert (factors[1] != factors[2]).all()
  # Seeds have tasks of their own.
  assert (factors[:, 0] != factors[:, 1]).all()


def stand_ins(name, num_envs, *, evaluation, switch_every_steps, **_):
  """Two tasks on the host, of which nothing is drawn and nothing ends."""
  assert name == 'dmc_sequence'
  spaces = spaces_lib.Spaces((1,), np.float32, spaces_lib.Continuous(1))
  tasks = [
    vector.SyncVectorEnv(
      [task_sequence_test.Endless(task) for _ in range(num_envs)],
      spaces,
      return_range=(0, 1),
      range_frames=0,
    )
    for task in range(2)
  ]
  return task_sequence.TaskSequence(
    ('a', 'b'), tasks, switch_every_steps, evaluation=evaluation
  )


@pytest.mark.parametrize('clear', (True, False))
def test_a_replay_on_the_host_is_emptied_at_the_switch(monkeypatch, clear):
  """As on the device: before the first row of the new task, or not at all."""
  monkeypatch.setattr(host_registry, 'make', stand_ins)
  config = settings_lib.default_config('sac', 'dmc_sequence')
  small.shorten(config)
  config.num_seeds = 1
  config.agent.random_steps = 80
  config.environment.switch_every_steps = 40
  config.environment.overlap = False
  config.replay.update({'capacity': 80, 'clear_on_switch': clear})
  experiment = experiment_lib.build(settings_lib.resolve(config))
  state, seen = experiment.init(), []
  for _ in range(4):
    state = experiment.trainer.segment(state)[0]
    (ring,) = state.replay.by_seed
    tasks = ring.batch(np.array(ring.ids)).r_t  # The reward is the task.
    counts = [int((tasks == task).sum()) for task in range(2)]
    seen.append((*counts, int(state.counters.updates)))
  # Updates, one a row, begin with four rows; at step 40 the task changes.
  if clear:
    assert seen == [(20, 0, 7), (40, 0, 17), (0, 20, 24), (0, 40, 34)]
  else:
    assert seen == [(20, 0, 7), (40, 0, 17), (40, 20, 27), (40, 40, 37)]
  # What a copy of the state has, it has too.
  replays = experiment.trainer.snapshots(state)
  assert [len(r.ids) for r in replays.values()] == [40 if clear else 80]


@pytest.mark.slow
def test_a_sequence_of_games_goes_on_at_the_switch():
  pytest.importorskip('pgx', reason='pgx is not installed')
  config = settings_lib.default_config('dqn', 'minatar_sequence')
  small.shorten(config)
  config.environment.games = ('breakout', 'asterix')
  config.environment.switch_every_steps = 40
  states = segments(settings_lib.resolve(config), 5)
  # A switch before step 40 or 80 comes with that step.
  playing = [np.unique(state.playing).tolist() for state in states]
  assert playing == [[0], [0], [1], [1], [0]]
