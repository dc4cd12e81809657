"""An experiment: the compiled functions that the runner calls."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

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
from plasticity_rl.training import hooks as hooks_lib
from plasticity_rl.training import host_partition
from plasticity_rl.training import initial_state
from plasticity_rl.training import schedule as schedule_lib
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
  """All functions that the runner calls, for the whole batch of seeds.

  States, metrics and masks hold the seeds of this host. `settings`, `shapes`
  and loaded checkpoints hold the seeds of all hosts.

  Attributes:
    settings: settings of the run.
    schedule: times of all events.
    agent: the agent.
    trainer: it runs segments, evaluates, and samples batches.
    partition: the part of the run that this host has.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    schedule: schedule_lib.EventSchedule,
    agent: Agent,
    trainer: trainer_lib.Trainer,
    hooks: learner.Hooks,
    triggered: learner.Hooks,
    partition: host_partition.HostPartition,
  ):
    """Prepares the functions; each is compiled on its first call.

    Args:
      settings: settings of the run.
      schedule: times of all events.
      agent: the agent.
      trainer: the trainer of the seeds of this host.
      hooks: interventions inside the trainer.
      triggered: interventions with a criterion.
      partition: the part of the run that this host has.

    Raises:
      UserError: a diagnostic is unknown or does not fit the agent.
    """
    self.settings = settings
    self.schedule = schedule
    self.agent = agent
    self.trainer = trainer
    self.partition = partition
    self._layout = layout = partition.layout
    enabled_diagnostics = _diagnostics(agent, settings.diagnostics)
    # These interventions have states from the start: the trainer needs them,
    # and an intervention may happen to one seed before another.
    self._attach = _compiled_attach(enabled_diagnostics, (*hooks, *triggered))
    self._adopt = functools.partial(initial_state.adopt, agent)
    self._keys = layout.jit(event_keys.fold)
    self._two_keys = layout.jit(event_keys.fold_and_split)
    self._measure = self._over_seeds(
      lambda key, state, batch: enabled_diagnostics.measure(
        key, state.nets, batch, state.interventions
      )
    )
    self._is_finite = layout.jit(_is_finite)
    self._predictions = self._over_seeds(
      lambda key, state, batch: comparison.predictions(agent, state, batch)
    )
    # Cached by label and text.
    self._compiled = functools.cache(self._compile)
    self._compiled_where = functools.cache(self._compile_where)

  def replace(self, **parts: Any) -> Self:
    """See `Replaceable`; with other settings, the schedule is theirs."""
    if 'settings' in parts:
      parts.setdefault('schedule', schedule_lib.schedule(parts['settings']))
    return super().replace(**parts)

  def _over_seeds(self, function, out_axes=0):
    """Compiles `function(key, state, batch)` of one seed for all seeds."""
    axes = parallel.Axes((0, trainer_lib.AXES, 0), out_axes)
    return self._layout.jit(
      jax.vmap(function, in_axes=axes.inputs, out_axes=axes.outputs),
      seeds=axes,
    )

  # --- States ---

  def init(self) -> TrainState:
    """Returns the state before the first step."""
    return self.attach(self.trainer.init())

  def shapes(self, history: History) -> TrainState:
    """Shapes and dtypes of the state of all hosts after a history.

    Args:
      history: the interventions that changed the structure of the state.

    Raises:
      UserError: an intervention of the history does not fit the agent.
    """
    return self.partition.global_shapes(self._host_shapes(history))

  def _host_shapes(self, history):
    """As `shapes`, with the seeds of this host only."""
    data = self.trainer.shapes()
    state = jax.eval_shape(self._attach, without_data(data))
    for change in history:
      expression = expressions.parse(change['expression'])
      function = self._compiled(expression.label, expression.text)
      state = self._shapes_of(function, state)
    return with_data(state, data)

  def _shapes_of(self, function, state):
    """Shapes of the result of a function `_over_seeds`, without data."""
    keys = state.keys.event
    batch = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((keys.shape[0], *x.shape), x.dtype),
      self.trainer.batch,
    )
    return jax.eval_shape(function, keys, state, batch)

  def attach(self, state: TrainState) -> TrainState:
    """Initialises missing states of interventions and diagnostics.

    The state of another experiment (before a fork) may lack them.
    """
    return with_data(self._attach(without_data(state)), state)

  def replicate(self, state: TrainState, count: int) -> TrainState:
    """Copies the state of one seed `count` times, with different keys."""
    return with_data(
      _replicate(without_data(state), count),
      self.trainer.replicate(state, count),
    )

  def adopt(self, state: TrainState) -> TrainState:
    """The state of an experiment of other settings, to go on with here.

    Raises:
      UserError: the state of an optimizer does not fit.
    """
    return with_data(self._adopt(without_data(state)), state)

  def can_adopt(self, other: 'Experiment') -> bool:
    """Whether states of the other experiment fit; computes nothing."""
    ours, theirs = (x.trainer.shapes() for x in (self, other))
    try:
      state = jax.eval_shape(self._adopt, without_data(theirs))
    except UserError:
      return False
    # Each has states of interventions of its own, which `attach` adds.
    ours, state = (x._replace(interventions={}) for x in (ours, state))
    return structure(with_data(state, theirs)) == structure(ours)

  # --- Evaluation and diagnostics ---

  def metrics(self) -> set[str]:
    """Names of the metrics of segments, evaluations and diagnostics."""
    state = without_data(self._host_shapes(()))
    measured, _ = self._shapes_of(self._measure, state)
    return {*self.trainer.metrics(), *measured}

  def evaluate(self, state: TrainState) -> Metrics:
    """Evaluates in separate episodes; returns metrics `[S]`."""
    keys = self._keys(*event_keys.fold_arguments(state, 'evaluate'))
    return self.trainer.evaluate(keys, state)

  def measure(self, state: TrainState) -> tuple[Metrics, dict[str, Any]]:
    """Computes all diagnostics.

    Returns:
      Metrics `[S]`, and states of diagnostics by name. Put the latter into
      `state.interventions`, for the next call.
    """
    keys, batch = self._probe(state, 'probe')
    return self._measure(keys, without_data(state), batch)

  def is_finite(self, state: TrainState) -> jax.Array:
    """Whether all weights are finite, bool `[]`."""
    return self._is_finite(state.nets)

  def compare(self, before: TrainState, after: TrainState) -> Metrics:
    """Compares predictions on a probe batch; returns metrics `[S]`.

    Both states must have the same data.
    """
    keys, batch = self._probe(before, 'probe')
    return comparison.differences(
      self._predictions(keys, without_data(before), batch),
      self._predictions(keys, without_data(after), batch),
    )

  def _probe(self, state, name):
    """Keys `[S, 2]` and a batch of data `[S, P, ...]` for an event."""
    batch_keys, keys = self._two_keys(*event_keys.fold_arguments(state, name))
    return keys, self.trainer.sample(batch_keys, state)

  # --- Interventions ---

  def intervene(
    self, expression: expressions.Expression
  ) -> Callable[[TrainState], TrainState]:
    """Returns a compiled intervention, `(state) -> state`.

    Raises:
      UserError: the expression does not fit the agent.
    """
    label = expression.label
    function = self._compiled(label, expression.text)
    return lambda state: self._apply(function, label, state)

  def intervene_where(
    self, expression: expressions.Expression
  ) -> Callable[[TrainState, jax.Array], TrainState]:
    """Returns a compiled intervention on some seeds.

    Returns:
      `(state, mask) -> state`, where the mask is a bool array `[S]`.

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
    """Compiles an intervention: `(keys, state, batch) -> state`, no data."""
    intervention = interventions.make(expressions.parse(text), self.agent.spec)
    return self._over_seeds(
      lambda key, state, batch: _intervene(
        key, state, batch, intervention, label
      ),
      out_axes=trainer_lib.AXES,
    )

  def _compile_where(self, label, text):
    """As `_compile`, for some seeds: `(keys, state, batch, mask) -> state`."""
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

      old = state._replace(counters=())  # All seeds share them.
      new = change(keys, state, batch)._replace(counters=())
      selected = jax.tree.map(select, new, old)
      return selected._replace(counters=state.counters)

    return jax.jit(where)


def build(settings: settings_lib.Settings) -> Experiment:
  """Builds and checks an experiment, without running anything on a device.

  Raises:
    UserError: the settings do not fit together, or do not fit the environment
      or the devices.
  """
  layout = parallel.choose(settings)
  schedule = schedule_lib.schedule(settings)
  agent, trainer, hooks = trainer_builder.build(
    layout.own_settings(settings), schedule, layout
  )
  partition = host_partition.make(trainer, layout)
  trainer = trainer.replace(
    load=host_partition.load_local_seeds(trainer.load, partition)
  )
  hooks_lib.check(agent, hooks, trainer.batch)
  triggered = hooks_lib.triggered(schedule, agent)
  return Experiment(
    settings, schedule, agent, trainer, hooks, triggered, partition
  )


def check_metric(experiment: Experiment, metric: str, what: str) -> None:
  """Checks that a segment, evaluation or diagnostic writes a metric.

  Args:
    experiment: the experiment.
    metric: name of a column of metrics.csv.
    what: the setting that names it, for the message.

  Raises:
    UserError: none writes it. The message names the most similar metric.
  """
  known = {name for name in experiment.metrics() if '/' in name}
  if metric not in known:
    raise UserError(errors.nearest(what, metric, known))


def _diagnostics(agent, config):
  """The diagnostics of the config, with their options."""
  tau, examples = {'tau': config.tau}, {'examples': config.covariance_examples}
  return diagnostics.make(
    agent.spec,
    agent.update,
    config.names,
    {
      'dormant_units': tau,
      'dormant_overlap': tau,
      'srank': {'delta': config.delta},
      'gradient_covariance': examples,
      'ntk_rank': examples,
      'ntk_condition': examples,
      'hessian': {'iterations': config.hessian_iterations},
      'target_fitting': {'steps': config.fit_steps, 'draws': config.fit_draws},
    },
    target=config.target,
  )


def _compiled_attach(enabled_diagnostics, stateful):
  """`(state) -> state`, without data, that adds missing states."""

  @jax.jit
  def attach_each(state):
    empty = jax.vmap(enabled_diagnostics.init)(state.nets)
    state = state._replace(interventions={**empty, **state.interventions})
    return jax.vmap(
      lambda one: initial_state.attach(one, stateful),
      in_axes=(trainer_lib.AXES,),
      out_axes=trainer_lib.AXES,
    )(state)

  return attach_each


def _is_finite(nets):
  weights = jax.tree.leaves([net.params for net in nets.values()])
  return jnp.all(jnp.stack([jnp.isfinite(w).all() for w in weights]))


def _intervene(key, state, batch, intervention, label):
  """Applies an intervention to one seed, and updates its state."""
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
  """Copies one seed, without its data, `count` times, with different keys."""
  nets, keys, intervention_states = jax.tree.map(
    lambda x: jnp.repeat(x, count, axis=0),
    (state.nets, state.keys, state.interventions),
  )
  copies = jnp.arange(count)
  keys = jax.tree.map(lambda k: jax.vmap(jax.random.fold_in)(k, copies), keys)
  return state._replace(nets=nets, keys=keys, interventions=intervention_states)
