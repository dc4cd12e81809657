"""States of users' environments in the checkpoints of a run."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from plasticity_rl import types
from plasticity_rl.environments import custom_adapters
from plasticity_rl.errors import RunError
from plasticity_rl.run import checkpoint_hosts
from plasticity_rl.run import runner
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import host_env_state
from tests.training import host_trainer_test as host
from tests.training import small

GROWING = 'tests.training.walks:GrowingWalk'


def resumed(settings, folder):
  """The state at step 80 of a run that was stopped at step 40."""
  shutil.rmtree(folder / 'checkpoints' / f'{80:010d}')
  (folder / 'ledger.json').unlink()
  experiment = experiment_lib.build(settings)
  runner.run(experiment, folder)
  return small.saved(experiment, folder, 80)


def test_a_state_that_grows_is_saved_and_goes_on(tmp_path):
  settings = host.make(GROWING)
  experiment = host.run(settings, tmp_path / 'run')
  whole = small.saved(experiment, tmp_path / 'run', 80)
  half = small.saved(experiment, tmp_path / 'run', 40)
  sizes = [
    one.env.simulators['lane__encoded'].shape[-1] for one in (half, whole)
  ]
  assert sizes[0] < sizes[1]
  host.assert_equal(resumed(settings, tmp_path / 'run'), whole)


def test_arrays_of_an_earlier_version_go_on(tmp_path, monkeypatch):
  settings = host.make()
  with monkeypatch.context() as patch:

    def get_state(self):
      return {k: np.array(v) for k, v in self._env.get_state().items()}

    patch.setattr(custom_adapters.SingleAdapter, 'get_state', get_state)
    experiment = host.run(settings, tmp_path / 'run')
    assert 'lane_numbers' in experiment.trainer.init().env.simulators
    whole = small.saved(experiment, tmp_path / 'run', 80)
  found = resumed(settings, tmp_path / 'run')
  assert 'lane_numbers' not in found.env.simulators
  host.assert_equal(
    *(
      one._replace(env=one.env._replace(simulators={}))
      for one in (found, whole)
    )
  )


def test_only_states_of_users_may_vary():

  def of(name, *shape):
    env = host_env_state.HostEnvState(
      {name: jax.ShapeDtypeStruct(shape, 'uint8')}, (), (), ()
    )
    return types.TrainState((), (), env, (), (), ())

  def as_saved(state, name, *shape):
    leaves = {f'env.simulators.{name}': [shape, 'uint8'], 'x': [(1,), 'int32']}
    return host_env_state.shapes_as_saved(state, leaves)

  fixed = of('steps', 1, 2)
  assert as_saved(fixed, 'steps', 1, 3) == fixed
  own = of('lane__encoded', 1, 2, 5)
  saved = as_saved(own, 'lane__encoded', 1, 2, 9)
  assert saved == of('lane__encoded', 1, 2, 9)
  # An environment that could not be copied had none: that is a difference.
  assert host_env_state.shapes_as_saved(own, {}) == own


def test_bytes_of_several_hosts_are_joined():
  parts = [np.ones((1, 1, 2), np.uint8), np.full((1, 2, 3), 2, np.uint8)]
  joined = checkpoint_hosts._joined(parts, 1)
  assert joined.tolist() == [[[1, 1, 0], [2, 2, 2], [2, 2, 2]]]
  parts = [np.ones((1, 2)), np.zeros((1, 3))]
  assert checkpoint_hosts._joined(parts, 1).shape == (1, 5)


def test_a_fault_in_the_middle_says_what_was_kept(tmp_path):
  settings = host.make(
    'tests.training.walks:FailingWalk',
    num_seeds=1,
    **{'environment.num_envs': 1, 'environment.arguments': (45,)},
  )
  settings = dataclasses.replace(
    settings,
    evaluation=dataclasses.replace(settings.evaluation, every_steps=1000),
  )
  with pytest.raises(RunError, match='reward None; expected .* step 40') as e:
    host.run(settings, tmp_path / 'run')
  assert '\n' not in str(e.value)
  assert str(e.value).endswith('last checkpoint: step 40')
