"""An experiment built of its settings: pure functions, compiled once."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.distributed import parallel
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import registry as environments
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner import learner
from plasticity_rl.shard import UNSHARDED
from plasticity_rl.shard import Shard
from plasticity_rl.training import agent_builder
from plasticity_rl.training import datasets
from plasticity_rl.training import device_trainer
from plasticity_rl.training import host_data_source
from plasticity_rl.training import host_partition
from plasticity_rl.training import host_trainer
from plasticity_rl.training import rollout
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.trainer import with_data
from plasticity_rl.training.trainer import without_data
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag
from plasticity_rl.types import structure

Metrics = dict[str, jax.Array]
History = Sequence[Mapping[str, Any]]


class Experiment(NamedTuple):
  """Everything that the timeline calls, over the whole batch of seeds.

  Attributes:
    settings: what it was built of.
    agent: the agent.
    trainer: how it goes through its data.
    init: `() -> state`.
    shapes: `(history) -> state`, shapes and dtypes after the structural
      changes of a history.
    metrics: `() -> names` of what segments, evaluations and diagnostics report.
    evaluate: `(state) -> metrics [S]`.
    measure: `(state) -> (metrics [S], own)`, all diagnostics, and what they
      have to remember until the next time, to be put among the own states of
      interventions.
    is_finite: `(state) -> bool []`, whether every weight is a number.
    compare: `(before, after) -> metrics [S]`, how predictions on a probe batch
      differ between two states that share their data.
    intervene: `(expression) -> (state -> state)`, compiled; refuses what does
      not fit the agent.
    intervene_where: the same, `(expression) -> ((state, bool [S]) -> state)`,
      for some seeds; refuses what changes the state's structure.
    attach: `(state) -> state`, with own states for interventions inside the
      trainer, and for diagnostics, that have none yet, as after another
      experiment's past.
    replicate: `(state, count) -> state`, one seed's state so many times, each
      with keys of its own.
    parts: what this host has of the run. States, metrics and masks above are
      of its own seeds; `settings`, `shapes` and what is loaded are of all.
  """

  settings: settings_lib.Settings
  agent: Agent
  trainer: trainer_lib.Trainer
  init: Callable[[], TrainState]
  shapes: Callable[[History], TrainState]
  metrics: Callable[[], set[str]]
  evaluate: Callable[[TrainState], Metrics]
  measure: Callable[[TrainState], tuple[Metrics, dict[str, Any]]]
  is_finite: Callable[[TrainState], jax.Array]
  compare: Callable[[TrainState, TrainState], Metrics]
  intervene: Callable[
    [expressions.Expression], Callable[[TrainState], TrainState]
  ]
  intervene_where: Callable[
    [expressions.Expression],
    Callable[[TrainState, jax.Array], TrainState],
  ]
  attach: Callable[[TrainState], TrainState]
  replicate: Callable[[TrainState, int], TrainState]
  parts: host_partition.HostPartition = host_partition.HostPartition()


def build_agent_and_data(
  settings: settings_lib.Settings, shard: Shard = UNSHARDED
) -> tuple[Agent, rollout.DataSource]:
  """The agent and its stream on the device; refuses what does not fit.

  Updates, and what is drawn for them, are of `shard` of a batch.
  """
  task = settings.environment
  if task.name == 'recorded_values':
    recording = datasets.load(task.path)
    agent = agent_builder.make(
      settings, _spaces(recording.inputs.shape[3:], 1), shard
    )
    return agent, datasets.recorded_values(agent, settings, recording, shard)
  if settings.agent.name == 'supervised':
    agent = agent_builder.make(
      settings, _spaces((task.input_size,), task.classes), shard
    )
    return agent, datasets.random_labels(agent, settings, shard)
  environment = environments.make(
    task.name,
    permute=task.permute,
    permute_actions=task.permute_actions,
    max_episode_steps=task.max_episode_steps,
    **settings.environment_options,
  )
  agent = agent_builder.make(
    settings,
    _spaces(environment.observation_shape, environment.num_actions),
    shard,
  )
  return agent, rollout.environment_source(agent, environment, settings, shard)


def _spaces(shape, count):
  return Spaces(tuple(shape), jnp.float32, Discrete(count))


def _build_trainer(settings, layout):
  """The agent, its trainer, and the interventions inside it."""
  if not isinstance(settings.environment, settings_lib.HostEnvironmentConfig):
    agent, stream = whole = build_agent_and_data(settings)
    hooks = _hooks(settings, agent)
    shared = whole
    if layout.shard.axis is not None:
      shared = build_agent_and_data(settings, layout.shard)
    return (
      agent,
      device_trainer.make(
        settings,
        device_trainer.Learners(whole, shared, layout),
        *_schedules(settings, stream.steps_per_row),
        hooks,
      ),
      hooks,
    )
  task = settings.environment
  make = functools.partial(
    host_registry.make, task.name, **settings.environment_options
  )
  each = host_data_source.own_environments(settings, layout)
  training = make(each * settings.num_seeds, evaluation=False)
  agent = agent_builder.make(settings, training.spaces)
  hooks = _hooks(settings, agent)
  shared = agent
  if layout.shard.axis is not None:
    shared = agent_builder.make(settings, training.spaces, layout.shard)
  return (
    agent,
    host_trainer.make(
      settings,
      host_trainer.Learners(agent, shared, layout),
      make,
      training,
      *_schedules(settings, task.num_envs),
      hooks,
    ),
    hooks,
  )


def event_keys(state: TrainState, name: str) -> jax.Array:
  """A key for each seed and this event, `[S, 2]`.

  Folded from the root of events, the event's name and the step: an event
  never moves the training stream, nor that of another event.
  """
  return _folded(*_root(state, name))


def _root(state, name):
  """What `_folded` is called with: the same types whatever the networks."""
  return state.keys.event, state.counters.step, name_tag(name)


def _folded(keys, step, tag):
  return jax.vmap(
    lambda key: jax.random.fold_in(jax.random.fold_in(key, tag), step)
  )(keys)


def _two_folded(keys, step, tag):
  keys = jax.vmap(jax.random.split)(_folded(keys, step, tag))
  return keys[:, 0], keys[:, 1]


def build(settings: settings_lib.Settings) -> Experiment:
  """Builds and checks an experiment; computes nothing."""
  layout = parallel.choose(settings)
  agent, trainer, hooks = _build_trainer(layout.own_settings(settings), layout)
  parts = host_partition.of_trainer(trainer, layout)
  trainer = trainer._replace(
    load=host_partition.loading_own(trainer.load, parts)
  )
  _check_hooks(agent, hooks, trainer.batch)
  # Have their own states from the start: in the trainer, and where one seed may
  # be changed before another.
  owners = (*hooks, *_waiting(settings, agent))
  looks = _diagnostics(agent, settings.diagnostics)
  keys_of, two_keys = layout.jit(_folded), layout.jit(_two_folded)

  def probe(state, name):
    """Keys of an event `[S, 2]`, and a batch of data for it `[S, P, ...]`."""
    batch_keys, keys = two_keys(*_root(state, name))
    return keys, trainer.sample(batch_keys, state)

  def over_seeds(function, out_axes=0):
    """`function(key, state, batch)` of one seed, over all seeds."""
    axes = parallel.Axes((0, trainer_lib.AXES, 0), out_axes)
    return layout.jit(
      jax.vmap(function, in_axes=axes.inputs, out_axes=axes.outputs),
      seeds=axes,
    )

  def evaluate(state):
    return trainer.evaluate(keys_of(*_root(state, 'evaluate')), state)

  measure_each = over_seeds(
    lambda key, state, batch: looks.measure(
      key, state.nets, batch, state.interventions
    )
  )

  def measure(state):
    keys, batch = probe(state, 'probe')
    return measure_each(keys, without_data(state), batch)

  def metrics():
    measured, _ = shapes_of(measure_each, without_data(own_shapes(())))
    return {*trainer.metrics(), *measured}

  @layout.jit
  def is_finite(nets):
    weights = jax.tree.leaves([net.params for net in nets.values()])
    return jnp.all(jnp.stack([jnp.isfinite(w).all() for w in weights]))

  look = over_seeds(lambda key, state, batch: _look(agent, state, batch))

  def compare(before, after):
    keys, batch = probe(before, 'probe')
    return _differences(
      look(keys, without_data(before), batch),
      look(keys, without_data(after), batch),
    )

  @functools.cache
  def compiled(label, text):
    """The intervention, without data: `(keys, state, batch) -> state`."""
    intervention = interventions.make(expressions.parse(text), agent.spec)
    return over_seeds(
      lambda key, state, batch: _intervene(
        key, state, batch, intervention, label
      ),
      out_axes=trainer_lib.AXES,
    )

  def apply(function, label, state, *more):
    keys, batch = probe(state, f'intervene {label}')
    return with_data(function(keys, without_data(state), batch, *more), state)

  def intervene(expression):
    function = compiled(expression.label, expression.text)
    return lambda state: apply(function, expression.label, state)

  @functools.cache
  def compiled_where(label, text):
    change = compiled(label, text)
    before = without_data(own_shapes(()))
    if structure(shapes_of(change, before)) != structure(before):
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

  def intervene_where(expression):
    function = compiled_where(expression.label, expression.text)
    return lambda state, mask: apply(function, expression.label, state, mask)

  def shapes_of(function, state):
    """Shapes of what a function `over_seeds` makes of a state without data."""
    keys = state.keys.event
    batch = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((keys.shape[0], *x.shape), x.dtype),
      trainer.batch,
    )
    return jax.eval_shape(function, keys, state, batch)

  def own_shapes(history):
    data = trainer.shapes()
    state = jax.eval_shape(attach_each, without_data(data))
    for change in history:
      expression = expressions.parse(change['expression'])
      state = shapes_of(compiled(expression.label, expression.text), state)
    return with_data(state, data)

  @jax.jit
  def attach_each(state):
    empty = jax.vmap(looks.init)(state.nets)
    state = state._replace(interventions={**empty, **state.interventions})
    return jax.vmap(
      lambda one: device_trainer.attach(one, owners),
      in_axes=(trainer_lib.AXES,),
      out_axes=trainer_lib.AXES,
    )(state)

  def attach(state):
    return with_data(attach_each(without_data(state)), state)

  def replicate(state, count):
    return with_data(
      _replicate(without_data(state), count), trainer.replicate(state, count)
    )

  return Experiment(
    settings=settings,
    agent=agent,
    trainer=trainer,
    init=lambda: attach(trainer.init()),
    shapes=lambda history: parts.whole(own_shapes(history)),
    metrics=metrics,
    evaluate=evaluate,
    measure=measure,
    is_finite=lambda state: is_finite(state.nets),
    compare=compare,
    intervene=intervene,
    intervene_where=intervene_where,
    attach=attach,
    replicate=replicate,
    parts=parts,
  )


def _schedules(settings, steps_per_row):
  """When updates happen, and when from the rise of the replay ratio on."""
  if settings.agent.name == 'supervised':
    return learner.update_schedule(1.0, steps_per_row), None
  replay, later = settings.replay, None
  if replay.later_updates_per_step:
    later = learner.update_schedule(
      replay.later_updates_per_step, steps_per_row
    )
  return learner.update_schedule(replay.updates_per_step, steps_per_row), later


def _look(agent, state, batch):
  """Outputs of the networks that interventions act on, and decisions."""
  params = {name: net.params for name, net in state.nets.items()}
  inputs = agent.spec.inputs(params, batch)
  outputs = {
    name: agent.spec.nets[name]
    .network.apply(params[name], inputs[name])
    .outputs
    for name in agent.spec.default_nets
  }
  return outputs, agent.spec.policy(params, batch)


@jax.jit
def _differences(before, after):
  """How far outputs are from one another, and how decisions agree, `[S]`."""
  (old, old_policy), (new, new_policy) = before, after
  num_seeds = old_policy.shape[0]

  def flat(x):
    return x.reshape(num_seeds, -1)

  change = [
    jnp.abs(flat(a) - flat(b)).max(-1)
    for a, b in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
  ]
  found = {'largest_output_change': jnp.stack(change).max(0)}
  if jnp.issubdtype(old_policy.dtype, jnp.floating):
    moved = jnp.abs(flat(old_policy) - flat(new_policy)).mean(-1)
    return {**found, 'mean_action_change': moved}
  agree = flat(old_policy) == flat(new_policy)
  return {**found, 'greedy_agreement': agree.mean(-1)}


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


def _hooks(settings, agent):
  """The interventions that happen inside the loop; refuses what cannot."""
  hooks = []
  for one in schedule_lib.schedule(settings).interventions:
    if not one.every_updates:
      continue
    intervention = interventions.make(one.expression, agent.spec)
    text = one.expression.text
    if not intervention.nets_only:
      raise UserError(
        f'config.interventions: {text!r} changes more than networks, so that '
        'it cannot happen every_updates; take at_steps, every_steps or when'
      )
    hooks.append(
      learner.Hook(one.expression.label, one.every_updates, intervention)
    )
  return tuple(hooks)


def _check_hooks(agent, hooks, batch):
  """Refuses hooks that change the structure of the network."""
  key = jax.ShapeDtypeStruct((2,), 'uint32')

  def run(key, batch, hook):
    state = device_trainer.init_seed(key, agent, lambda key: ((), ()), (hook,))
    return learner.run_hook(
      hook, key, state.nets, state.interventions, batch, 1
    )

  for hook in hooks:
    jax.eval_shape(functools.partial(run, hook=hook), key, batch)


def _waiting(settings, agent):
  """Interventions that wait for something, for their own states."""
  return tuple(
    learner.Hook(
      one.expression.label,
      0,
      interventions.make(one.expression, agent.spec),
    )
    for one in schedule_lib.schedule(settings).interventions
    if one.when
  )


def check_metric(experiment: Experiment, metric: str, what: str) -> None:
  """Refuses a column that no evaluation, segment or diagnostic writes."""
  known = {name for name in experiment.metrics() if '/' in name}
  if metric not in known:
    raise UserError(errors.nearest(what, metric, known))


def _intervene(key, state, batch, intervention, label):
  """Applies an intervention to one seed, its own state included."""
  own = state.interventions.get(label)
  if own is None:
    own = intervention.init(state)
  state, own = intervention.apply(key, state, own, batch)
  if jax.tree.leaves(own):
    state = state._replace(interventions={**state.interventions, label: own})
  return state


def _replicate(state, count):
  """One seed, without its data, so many times, each with keys of its own."""
  nets, keys, own = jax.tree.map(
    lambda x: jnp.repeat(x, count, axis=0),
    (state.nets, state.keys, state.interventions),
  )
  salts = jnp.arange(count)
  keys = jax.tree.map(lambda k: jax.vmap(jax.random.fold_in)(k, salts), keys)
  return state._replace(nets=nets, keys=keys, interventions=own)
