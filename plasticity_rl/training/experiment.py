"""An experiment built of its settings: pure functions, compiled once."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.distributed import parallel
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner import learner
from plasticity_rl.training import comparison
from plasticity_rl.training import event_keys
from plasticity_rl.training import host_partition
from plasticity_rl.training import in_loop
from plasticity_rl.training import initial_state
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training import trainer_builder
from plasticity_rl.training.replaceable import Replaceable
from plasticity_rl.training.trainer import with_data
from plasticity_rl.training.trainer import without_data
from plasticity_rl.types import TrainState
from plasticity_rl.types import structure

Metrics = dict[str, jax.Array]
History = Sequence[Mapping[str, Any]]


class Experiment(Replaceable):
  """Everything that the runner calls, over the whole batch of seeds.

  States, metrics and masks are of this host's own seeds; `settings`, `shapes`
  and what is loaded are of all.

  Attributes:
    settings: what it was built of.
    agent: the agent.
    trainer: how it goes through its data.
    parts: what this host has of the run.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    agent: Agent,
    trainer: trainer_lib.Trainer,
    hooks: learner.Hooks,
    waiting: learner.Hooks,
    parts: host_partition.HostPartition,
  ):
    """Compiles nothing yet.

    Args:
      settings: of the run.
      agent: the agent.
      trainer: of this host's seeds.
      hooks: interventions inside the trainer.
      waiting: interventions that wait for something.
      parts: what this host has of the run.
    """
    self.settings = settings
    self.agent = agent
    self.trainer = trainer
    self.parts = parts
    self._layout = layout = parts.layout
    looks = _diagnostics(agent, settings.diagnostics)
    # They have states from the start: in the trainer, and where one seed may be
    # changed before another.
    self._attach = _compiled_attach(looks, (*hooks, *waiting))
    self._keys = layout.jit(event_keys.folded)
    self._two_keys = layout.jit(event_keys.two_folded)
    self._measure = self._over_seeds(
      lambda key, state, batch: looks.measure(
        key, state.nets, batch, state.interventions
      )
    )
    self._is_finite = layout.jit(_is_finite)
    self._predictions = self._over_seeds(
      lambda key, state, batch: comparison.predictions(agent, state, batch)
    )
    # By label and text.
    self._compiled = functools.cache(self._compile)
    self._compiled_where = functools.cache(self._compile_where)

  def _over_seeds(self, function, out_axes=0):
    """`function(key, state, batch)` of one seed, over all seeds."""
    axes = parallel.Axes((0, trainer_lib.AXES, 0), out_axes)
    return self._layout.jit(
      jax.vmap(function, in_axes=axes.inputs, out_axes=axes.outputs),
      seeds=axes,
    )

  # --- States ---

  def init(self) -> TrainState:
    """The state before the first step."""
    return self.attach(self.trainer.init())

  def shapes(self, history: History) -> TrainState:
    """Shapes and dtypes after the structural changes of a history."""
    return self.parts.whole(self._host_shapes(history))

  def _host_shapes(self, history):
    """The same, of this host's seeds."""
    data = self.trainer.shapes()
    state = jax.eval_shape(self._attach, without_data(data))
    for change in history:
      expression = expressions.parse(change['expression'])
      function = self._compiled(expression.label, expression.text)
      state = self._shapes_of(function, state)
    return with_data(state, data)

  def _shapes_of(self, function, state):
    """Shapes of what a function `_over_seeds` makes of a state without data."""
    keys = state.keys.event
    batch = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((keys.shape[0], *x.shape), x.dtype),
      self.trainer.batch,
    )
    return jax.eval_shape(function, keys, state, batch)

  def attach(self, state: TrainState) -> TrainState:
    """Initialises intervention states that are missing.

    In a state of another experiment, those of interventions inside the trainer
    and of diagnostics may be.
    """
    return with_data(self._attach(without_data(state)), state)

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """One seed's state so many times, each with keys of its own."""
    return with_data(
      _replicate(without_data(state), count),
      self.trainer.replicate(state, count),
    )

  # --- Looking ---

  def metrics(self) -> set[str]:
    """Names of what segments, evaluations and diagnostics report."""
    state = without_data(self._host_shapes(()))
    measured, _ = self._shapes_of(self._measure, state)
    return {*self.trainer.metrics(), *measured}

  def evaluate(self, state: TrainState) -> Metrics:
    """Metrics `[S]` of separate episodes."""
    keys = self._keys(*event_keys.root(state, 'evaluate'))
    return self.trainer.evaluate(keys, state)

  def measure(self, state: TrainState) -> tuple[Metrics, dict[str, Any]]:
    """All diagnostics: metrics `[S]`, and what they have to remember.

    The latter is to be put among the intervention states, until the next
    time.
    """
    keys, batch = self._probe(state, 'probe')
    return self._measure(keys, without_data(state), batch)

  def is_finite(self, state: TrainState) -> jax.Array:
    """Whether every weight is a number, bool `[]`."""
    return self._is_finite(state.nets)

  def compare(self, before: TrainState, after: TrainState) -> Metrics:
    """How predictions on a probe batch differ, `[S]`.

    The states share their data.
    """
    keys, batch = self._probe(before, 'probe')
    return comparison.differences(
      self._predictions(keys, without_data(before), batch),
      self._predictions(keys, without_data(after), batch),
    )

  def _probe(self, state, name):
    """Keys of an event `[S, 2]`, and a batch of data for it `[S, P, ...]`."""
    batch_keys, keys = self._two_keys(*event_keys.root(state, name))
    return keys, self.trainer.sample(batch_keys, state)

  # --- Interventions ---

  def intervene(
    self, expression: expressions.Expression
  ) -> Callable[[TrainState], TrainState]:
    """`(state) -> state`, compiled.

    Raises:
      UserError: the expression does not fit the agent.
    """
    label = expression.label
    function = self._compiled(label, expression.text)
    return lambda state: self._apply(function, label, state)

  def intervene_where(
    self, expression: expressions.Expression
  ) -> Callable[[TrainState, jax.Array], TrainState]:
    """The same for some seeds, `(state, bool [S]) -> state`.

    Raises:
      UserError: the expression does not fit the agent, or changes the state's
        structure.
    """
    label = expression.label
    function = self._compiled_where(label, expression.text)
    return lambda state, mask: self._apply(function, label, state, mask)

  def _apply(self, function, label, state, *more):
    keys, batch = self._probe(state, f'intervene {label}')
    return with_data(function(keys, without_data(state), batch, *more), state)

  def _compile(self, label, text):
    """The intervention, without data: `(keys, state, batch) -> state`."""
    intervention = interventions.make(expressions.parse(text), self.agent.spec)
    return self._over_seeds(
      lambda key, state, batch: _intervene(
        key, state, batch, intervention, label
      ),
      out_axes=trainer_lib.AXES,
    )

  def _compile_where(self, label, text):
    """The same for some seeds: `(keys, state, batch, mask) -> state`."""
    change = self._compiled(label, text)
    before = without_data(self._host_shapes(()))
    if structure(self._shapes_of(change, before)) != structure(before):
      raise UserError(
        f"{text!r} changes the network's structure, so that it cannot "
        'happen to one seed and not to another: allocate network.slots, or '
        'take one seed a run'
      )

    def where(keys, state, batch, mask):
      def select(new, old):
        each = mask.reshape(-1, *[1] * (new.ndim - 1))
        return jnp.where(each, new, old)

      old = state._replace(counters=())  # They are all seeds'.
      new = change(keys, state, batch)._replace(counters=())
      selected = jax.tree.map(select, new, old)
      return selected._replace(counters=state.counters)

    return jax.jit(where)


def build(settings: settings_lib.Settings) -> Experiment:
  """Builds and checks an experiment; computes nothing.

  Raises:
    UserError: settings do not fit together.
  """
  layout = parallel.choose(settings)
  agent, trainer, hooks = trainer_builder.build(
    layout.own_settings(settings), layout
  )
  parts = host_partition.of_trainer(trainer, layout)
  trainer = trainer.replace(
    load=host_partition.load_own_seeds(trainer.load, parts)
  )
  in_loop.check_hooks(agent, hooks, trainer.batch)
  waiting = in_loop.waiting(settings, agent)
  return Experiment(settings, agent, trainer, hooks, waiting, parts)


def check_metric(experiment: Experiment, metric: str, what: str) -> None:
  """Refuses a column that no evaluation, segment or diagnostic writes.

  Raises:
    UserError: nothing does; it names the nearest.
  """
  known = {name for name in experiment.metrics() if '/' in name}
  if metric not in known:
    raise UserError(errors.nearest(what, metric, known))


def _diagnostics(agent, config):
  """The diagnostics of the config, with their options."""
  tau = {'tau': config.tau}
  return diagnostics.make(
    agent.spec,
    agent.update,
    config.names,
    {
      'dormant_units': tau,
      'dormant_overlap': tau,
      'srank': {'delta': config.delta},
      'gradient_covariance': {'examples': config.covariance_examples},
      'hessian': {'iterations': config.hessian_iterations},
      'target_fitting': {'steps': config.fit_steps, 'draws': config.fit_draws},
    },
    target=config.target,
  )


def _compiled_attach(looks, owners):
  """`(state) -> state`, without data, with states for all of `owners`."""

  @jax.jit
  def attach_each(state):
    empty = jax.vmap(looks.init)(state.nets)
    state = state._replace(interventions={**empty, **state.interventions})
    return jax.vmap(
      lambda one: initial_state.attach(one, owners),
      in_axes=(trainer_lib.AXES,),
      out_axes=trainer_lib.AXES,
    )(state)

  return attach_each


def _is_finite(nets):
  weights = jax.tree.leaves([net.params for net in nets.values()])
  return jnp.all(jnp.stack([jnp.isfinite(w).all() for w in weights]))


def _intervene(key, state, batch, intervention, label):
  """Applies an intervention to one seed, its state included."""
  intervention_state = state.interventions.get(label)
  if intervention_state is None:
    intervention_state = intervention.init(state)
  state, intervention_state = intervention.apply(
    key, state, intervention_state, batch
  )
  if jax.tree.leaves(intervention_state):
    state = state._replace(
      interventions={**state.interventions, label: intervention_state}
    )
  return state


def _replicate(state, count):
  """One seed, without its data, so many times, each with keys of its own."""
  nets, keys, intervention_states = jax.tree.map(
    lambda x: jnp.repeat(x, count, axis=0),
    (state.nets, state.keys, state.interventions),
  )
  salts = jnp.arange(count)
  keys = jax.tree.map(lambda k: jax.vmap(jax.random.fold_in)(k, salts), keys)
  return state._replace(nets=nets, keys=keys, interventions=intervention_states)
