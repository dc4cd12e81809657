"""Which import paths are of environments in JAX."""

import pytest

from plasticity_rl.environments import host_registry
from plasticity_rl.environments import import_paths
from plasticity_rl.environments import registry
from plasticity_rl.errors import UserError


@pytest.mark.parametrize(
  'name',
  [
    'gymnax:make',
    'octax.environments:create_environment',
    'mujoco_playground:registry.load',
    'brax.envs:get_environment',
    'jax:my_envs:make',
    'jax:a.b:C.make',
    'jax:gymnax:make',
  ],
)
def test_on_the_device(name):
  assert import_paths.is_on_device(name)
  assert not import_paths.is_on_host(name)
  assert not host_registry.is_host(name)
  assert registry.options(name) == registry.OWN_OPTIONS


@pytest.mark.parametrize(
  'name', ['mine:make', 'gymnasium:make', 'gymnaxx:make']
)
def test_on_the_host(name):
  assert import_paths.is_on_host(name)
  assert not import_paths.is_on_device(name)
  assert registry.options(name) == host_registry.OWN_OPTIONS


@pytest.mark.parametrize(
  'name', ['gymnax', 'jax:mine', 'jax:make', 'jax::make', 'a:b:c', '', 3, None]
)
def test_no_import_path(name):
  assert not import_paths.is_on_device(name)
  assert not import_paths.is_on_host(name)
  with pytest.raises(UserError, match=r'\[jax:\]PACKAGE.MODULE:CALL'):
    registry.options(name)


def test_paths_without_the_prefix():
  for name in ('jax:a.b:make', 'a.b:make'):
    assert import_paths.without_prefix(name) == 'a.b:make'
  assert import_paths.is_known('jax:gymnax:make')
  assert import_paths.is_known('brax.envs:create')
  assert not import_paths.is_known('jax:my_gymnax:make')
