"""Import paths of users' environments, and where they run. Imports no jax.

`package.module:callable` names an environment. It runs on the device if its
package is one of `JAX_PACKAGES`, or if `jax:` stands before it; otherwise it
runs on the host.
"""

import re

PREFIX = 'jax:'

# Their environments are pure functions of JAX.
JAX_PACKAGES = (
  'brax',
  'craftax',
  'foragax',
  'gymnax',
  'jaxtari',
  'mujoco_playground',
  'octax',
)
# Shown in messages that list the names of environments.
FAMILY = '[jax:]PACKAGE.MODULE:CALLABLE (your own)'

_PATH = re.compile(r'[A-Za-z_][\w.]*:[A-Za-z_][\w.]*')


def is_on_device(name: object) -> bool:
  """Whether the name is the import path of an environment in JAX."""
  if not isinstance(name, str):
    return False
  path = without_prefix(name)
  return bool(_PATH.fullmatch(path)) and (path != name or is_known(path))


def is_on_host(name: object) -> bool:
  """Whether the name is the import path of an environment on the host."""
  return (
    isinstance(name, str)
    and bool(_PATH.fullmatch(name))
    and not name.startswith(PREFIX)
    and not is_known(name)
  )


def is_known(path: str) -> bool:
  """Whether the callable is of one of `JAX_PACKAGES`."""
  return re.split('[.:]', without_prefix(path))[0] in JAX_PACKAGES


def without_prefix(name: str) -> str:
  """The import path alone: `package.module:callable`."""
  return name.removeprefix(PREFIX)
