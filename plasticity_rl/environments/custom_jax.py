"""A user's own environment in JAX, by import path.

See docs/environments.md for the rules, and `import_paths` for the names. What
an environment returns is looked at by its shapes and dtypes, before anything is
computed: inside the compiled loop nothing can be refused.
"""

import contextlib
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import dm_env
import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl.environments import base
from plasticity_rl.environments import custom
from plasticity_rl.environments import custom_jax_interfaces as interfaces
from plasticity_rl.environments import custom_jax_spaces as spaces
from plasticity_rl.environments import custom_trial
from plasticity_rl.environments import import_paths
from plasticity_rl.errors import UserError
from plasticity_rl.types import Key

# What constructors of known packages raise for a name that they do not know.
_REFUSALS = (ValueError, KeyError, ImportError, NotImplementedError)


def make(
  name: str,
  *,
  arguments: tuple = (),
  parameters: tuple[tuple[str, Any], ...] = (),
  return_range: tuple[float, float] = (0.0, 1.0),
) -> base.Environment:
  """Builds an environment of the user.

  Args:
    name: `package.module:callable`, or with `jax:` before it.
    arguments: positional arguments of the callable.
    parameters: pairs (name, value), which change fields of the parameters of an
      environment of the kind of gymnax.
    return_range: lowest and highest return to expect of an episode as it is
      evaluated.

  Returns:
    The environment. Its state is a tuple of the arrays of the user's state.

  Raises:
    MissingDependencyError: there is no such module.
    UserError: the callable or what it makes is not fit; see
      docs/boundaries.md.
  """
  custom.check_return_range(name, return_range)
  path = import_paths.without_prefix(name)
  factory = custom.load(path)
  custom.check_arguments(path, factory, arguments, takes_seed=False)
  label = custom.label(name, arguments)
  try:
    made = factory(*custom.with_new_containers(arguments))
  except _REFUSALS as error:
    if not import_paths.is_known(name):
      raise  # The user's own code: with its traceback.
    raise UserError(
      f'environment {label}: {type(error).__name__}: {errors.one_line(error)}'
    ) from error
  _refuse_host(name, made)
  with _traced(name):
    interface = interfaces.adapt(name, made, parameters)
    env = environment(name, interface, return_range)
  if interface.note:
    custom_trial.say(f'note: environment {label}: {interface.note}')
  return env


def _refuse_host(name: str, made: Any) -> None:
  for library in ('gymnasium', 'dm_env'):
    if any(
      kind.__module__.split('.')[0] == library for kind in type(made).__mro__
    ):
      raise UserError(
        f'environment {name!r} makes a {type(made).__name__} of {library}, '
        'which runs on the host: name it without '
        f'{import_paths.PREFIX!r}'
      )


@contextlib.contextmanager
def _traced(name: str) -> Iterator[None]:
  """Says what is at fault where an environment cannot be traced."""
  try:
    yield
  except jax.errors.JAXTypeError as error:
    raise UserError(
      f'environment {name!r} is not made of pure functions of JAX: '
      f'{errors.one_line(error)[:200]}'
    ) from error
  except NotImplementedError as error:
    last = traceback.extract_tb(error.__traceback__)[-1]
    raise UserError(
      f'environment {name!r} lacks the method {last.name}(), which its own '
      f'code calls or its interface needs ({errors.one_line(error)})'
    ) from error


class _Layout(NamedTuple):
  """How a state of the user becomes a tuple of arrays, and back.

  Arrays without elements are left out.

  Attributes:
    tree: the structure of the state.
    leaves: shapes and dtypes of its arrays.
  """

  tree: Any
  leaves: tuple[jax.ShapeDtypeStruct, ...]

  def pack(self, state: Any) -> tuple[jax.Array, ...]:
    """The arrays of a state that has this structure."""
    leaves = jax.tree.leaves(state)
    return tuple(
      jnp.asarray(x, leaf.dtype)
      for x, leaf in zip(leaves, self.leaves, strict=True)
      if leaf.size
    )

  def unpack(self, arrays: tuple[jax.Array, ...]) -> Any:
    """The state of these arrays."""
    rest = iter(arrays)
    return jax.tree.unflatten(
      self.tree,
      [
        next(rest) if leaf.size else jnp.zeros(leaf.shape, leaf.dtype)
        for leaf in self.leaves
      ],
    )

  def placeholders(self) -> tuple[jax.Array, ...]:
    """Zeros for the arrays."""
    return tuple(
      jnp.zeros(leaf.shape, leaf.dtype) for leaf in self.leaves if leaf.size
    )


def environment(
  name: str,
  interface: interfaces.Interface,
  return_range: tuple[float, float],
) -> base.Environment:
  """An environment of this package from an interface.

  Raises:
    UserError: what `reset` or `step` return does not fit.
  """
  key = jax.random.PRNGKey(0)
  first, state = jax.eval_shape(interface.reset, key)
  seen = spaces.observations(name, first, interface.count)
  layout = _layout(name, state)
  step = _step(interface, layout)
  agents = interface.actions.space
  action = jnp.zeros(agents.shape, agents.dtype)
  _check_step(
    name,
    first,
    state,
    jax.eval_shape(step, key, layout.placeholders(), action),
  )

  def init(key: Key) -> base.State:
    del key  # There is a single task, and `reset` draws the rest.
    return layout.placeholders()

  def reset(key: Key, state: base.State) -> tuple[base.State, dm_env.TimeStep]:
    del state  # Episodes have nothing in common.
    observation, state = interface.reset(key)
    return layout.pack(state), base.restart(
      seen.convert(jnp.asarray(observation))
    )

  def take(
    key: Key, state: base.State, action: jax.Array
  ) -> tuple[base.State, dm_env.TimeStep]:
    outcome = step(key, state, action)
    timestep = base.transition(
      _scalar(outcome.reward),
      _scalar(outcome.terminated),
      seen.convert(jnp.asarray(outcome.observation)),
    )
    ended = _scalar(outcome.truncated) | timestep.last()
    return layout.pack(outcome.state), timestep._replace(
      step_type=jnp.where(ended, base.LAST, base.MID).astype(jnp.int32)
    )

  return base.Environment(
    name=name,
    observation_shape=seen.shape,
    observation_dtype=seen.dtype,
    actions=agents,
    return_range=(float(return_range[0]), float(return_range[1])),
    init=init,
    reset=reset,
    step=take,
  )


def _step(
  interface: interfaces.Interface, layout: _Layout
) -> Callable[..., interfaces.Outcome]:
  """The step of a user's environment, from a packed state."""

  def step(key: Key, state: Any, action: jax.Array) -> interfaces.Outcome:
    return interface.step(
      key, layout.unpack(state), interface.actions.convert(action)
    )

  return step


def _scalar(x: Any) -> jax.Array:
  return jnp.asarray(x).reshape(())


def _layout(name: str, state: Any) -> _Layout:
  leaves, tree = jax.tree.flatten(state)
  for path, leaf in jax.tree_util.tree_leaves_with_path(state):
    if jnp.issubdtype(leaf.dtype, jax.dtypes.extended):
      raise UserError(
        f'environment {name!r}: the state holds {leaf.dtype} at '
        f'{_place(path)}, which cannot be saved: hold jax.random.key_data(key)'
      )
  return _Layout(tree, tuple(leaves))


def _check_step(
  name: str, first: Any, state: Any, outcome: interfaces.Outcome
) -> None:
  """Compares what `step` returns with what `reset` returned."""
  if _form(outcome.observation) != _form(first):
    raise UserError(
      f'environment {name!r}: step() returns the observation '
      f'{_described(outcome.observation)}, but reset() {_described(first)}: '
      'its shape and dtype must not change'
    )
  for what in ('reward', 'terminated', 'truncated'):
    leaf = getattr(outcome, what)
    if not isinstance(leaf, jax.ShapeDtypeStruct) or leaf.size != 1:
      raise UserError(
        f'environment {name!r}: step() returns the {what} {_described(leaf)}; '
        'expected one number'
      )
  if jax.tree.structure(outcome.state) != jax.tree.structure(state):
    raise UserError(
      f'environment {name!r}: step() returns a state of another structure than '
      f'reset(): {_difference(state, outcome.state)}'
    )
  for (path, before), after in zip(
    jax.tree_util.tree_leaves_with_path(state),
    jax.tree.leaves(outcome.state),
    strict=True,
  ):
    if _form(before) != _form(after):
      raise UserError(
        f'environment {name!r}: step() returns {_described(after)} at '
        f'{_place(path)} of the state, where reset() has {_described(before)}: '
        'shapes and dtypes must not change'
      )


def _form(leaf: Any) -> Any:
  """Structure, shapes and dtypes."""
  return jax.tree.structure(leaf), [
    (x.shape, x.dtype) for x in jax.tree.leaves(leaf)
  ]


def _place(path: Any) -> str:
  return jax.tree_util.keystr(path) or 'its root'


def _described(leaf: Any) -> str:
  if isinstance(leaf, jax.ShapeDtypeStruct):
    return f'{leaf.dtype.name}{list(leaf.shape)}'
  return f'a {type(leaf).__name__} of {len(jax.tree.leaves(leaf))} arrays'


def _difference(state: Any, after: Any) -> str:
  """Paths that only one of two states has."""
  before_paths, after_paths = (
    {_place(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)}
    for tree in (state, after)
  )
  missing, added = before_paths - after_paths, after_paths - before_paths
  parts = [f'it lacks {x}' for x in sorted(missing)[:2]]
  parts += [f'it adds {x}' for x in sorted(added)[:2]]
  return '; '.join(parts) or f'a {type(after).__name__} that differs inside'
