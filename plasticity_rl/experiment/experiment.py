"""An experiment built of its settings: pure functions, compiled once."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from plasticity_rl import errors
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.environments import registry as environments
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.experiment import agents
from plasticity_rl.experiment import datasets
from plasticity_rl.experiment import device_loop
from plasticity_rl.experiment import events
from plasticity_rl.experiment import streams
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner import learner
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag
from plasticity_rl.types import structure

Metrics = dict[str, jax.Array]


class Experiment(NamedTuple):
  """Everything that the timeline calls, over the whole batch of seeds.

  Attributes:
    settings: what it was built of.
    agent: the agent.
    stream: where its data come from.
    init: `() -> state`.
    segment: `(state) -> (state, metrics)`; the state is donated.
    segment_later: the same at the replay ratio of later, or None.
    prime: `(state) -> state`, a chunk of updates; the state is donated.
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
      loop, and for diagnostics, that have none yet, as after another
      experiment's past.
  """

  settings: settings_lib.Settings
  agent: Agent
  stream: streams.Stream
  init: Callable[[], TrainState]
  segment: Callable[[TrainState], tuple[TrainState, Metrics]]
  segment_later: Callable[
      [TrainState], tuple[TrainState, Metrics]
  ] | None
  prime: Callable[[TrainState], TrainState]
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


def build_agent(settings: settings_lib.Settings) -> tuple[
    Agent, streams.Stream
]:
  """The agent and its stream; refuses what does not fit together."""
  is_supervised = settings.agent.name == 'supervised'
  task = settings.environment
  recording = None
  if task.name == 'recorded_values':
    recording = datasets.load(task.path)
    shape, outputs = recording.inputs.shape[3:], 1
  elif is_supervised:
    shape, outputs = (task.input_size,), task.classes
  else:
    environment = environments.make(
        task.name, permute=task.permute,
        permute_actions=task.permute_actions,
        max_episode_steps=task.max_episode_steps,
        **settings.environment_options,
    )
    shape, outputs = environment.observation_shape, environment.num_actions
  agent = agents.make(
      settings, Spaces(shape, jnp.float32, Discrete(outputs))
  )
  if recording is not None:
    return agent, datasets.recorded_values(agent, settings, recording)
  if is_supervised:
    return agent, datasets.random_labels(agent, settings)
  return agent, streams.reinforcement(agent, environment, settings)


def event_keys(state: TrainState, name: str) -> jax.Array:
  """A key for each seed and this event, `[S, 2]`.

  Folded from the root of events, the event's name and the step: an event
  never moves the training stream, nor that of another event.
  """
  tag = name_tag(name)
  return jax.vmap(
      lambda key: jax.random.fold_in(
          jax.random.fold_in(key, tag), state.counters.step
      )
  )(state.keys.event)


def build(settings: settings_lib.Settings) -> Experiment:
  """Builds and checks an experiment; computes nothing."""
  agent, stream = build_agent(settings)
  supervised_agent = settings.agent.name == 'supervised'
  schedule = learner.schedule(
      1.0 if supervised_agent else settings.replay.updates_per_step,
      stream.steps_per_row,
  )
  later = None
  if not supervised_agent and settings.replay.later_updates_per_step:
    later = learner.schedule(
        settings.replay.later_updates_per_step, stream.steps_per_row
    )
  looks = _diagnostics(agent, settings.diagnostics)
  probe_size = settings.diagnostics.probe_size
  hooks = _hooks(settings, agent, stream)
  # Have their own states from the start: in the loop, and where one seed may
  # be changed before another.
  owners = (*hooks, *_waiting(settings, agent))

  def init():
    seeds = settings.seed + jnp.arange(settings.num_seeds, dtype=jnp.int32)
    return remembering(device_loop.init(seeds, agent, stream, owners))

  def remembering(state):
    """With empty memories of diagnostics, where there are none yet."""
    empty = jax.vmap(looks.init)(state.nets)
    return state._replace(interventions={**empty, **state.interventions})

  def segment_at(schedule):
    def segment(state):
      return device_loop.segment(
          state, settings.segment_steps // stream.steps_per_row, agent, stream,
          schedule, hooks,
      )
    return jax.jit(segment, donate_argnums=0)

  def prime(state):
    updates = min(settings.replay.priming_updates, settings_lib.PRIMING_CHUNK)
    return device_loop.prime(state, updates, agent, stream, hooks)

  def evaluate(state):
    return jax.vmap(stream.evaluate)(
        event_keys(state, 'evaluate'), state.nets, state.env
    )

  def probe(key, state):
    return stream.sample(
        key, state.env, state.replay, state.counters, probe_size
    )

  def with_probe(function, name):
    """`function(state of one seed, probe batch)`, over all seeds."""
    def all_seeds(state):
      def one(key, state):
        probe_key, key = jax.random.split(key)
        return function(key, state, probe(probe_key, state))
      return jax.vmap(one, in_axes=(0, device_loop.AXES))(
          event_keys(state, name), state
      )
    return all_seeds

  def measure(state):
    return with_probe(
        lambda key, one, batch: looks.measure(
            key, one.nets, batch, one.interventions
        ), 'probe'
    )(state)

  def is_finite(state):
    weights = jax.tree.leaves([net.params for net in state.nets.values()])
    return jnp.all(jnp.stack([jnp.isfinite(w).all() for w in weights]))

  def compare(before, after):
    def look(key, one, batch):
      del key
      params = {name: net.params for name, net in one.nets.items()}
      inputs = agent.spec.inputs(params, batch)
      outputs = {
          name: agent.spec.nets[name].network.apply(
              params[name], inputs[name]
          ).outputs
          for name in agent.spec.default_nets
      }
      return outputs, agent.spec.policy(params, batch)

    look = with_probe(look, 'probe')
    # The probe batch is drawn by key and replay, which interventions leave.
    (old, old_policy), (new, new_policy) = look(before), look(
        after._replace(keys=before.keys)
    )
    num_seeds = old_policy.shape[0]

    def flat(x):
      return x.reshape(num_seeds, -1)

    change = [
        jnp.abs(flat(a) - flat(b)).max(-1)
        for a, b in zip(
            jax.tree.leaves(old), jax.tree.leaves(new), strict=True
        )
    ]
    agree = flat(old_policy) == flat(new_policy)
    return {
        'largest_output_change': jnp.stack(change).max(0),
        'greedy_agreement': agree.mean(-1),
    }

  @functools.cache
  def compiled(label, text):
    intervention = interventions.make(expressions.parse(text), agent.spec)
    return jax.jit(lambda state: _intervene(state, intervention, label, probe))

  def intervene(expression):
    return compiled(expression.label, expression.text)

  @functools.cache
  def compiled_where(label, text):
    change = compiled(label, text)
    before = jax.eval_shape(init)
    if structure(jax.eval_shape(change, before)) != structure(before):
      raise UserError(
          f'{text!r} changes the network\'s structure, so that it cannot '
          'happen to one seed and not to another: allocate network.slots, or '
          'take one seed a run'
      )

    def where(state, mask):
      def select(new, old):
        each = mask.reshape(-1, *[1] * (new.ndim - 1))
        return jnp.where(each, new, old)

      old = state._replace(counters=())  # They are all seeds'.
      new = change(state)._replace(counters=())
      selected = jax.tree.map(select, new, old)
      return selected._replace(counters=state.counters)

    return jax.jit(where)

  def intervene_where(expression):
    return compiled_where(expression.label, expression.text)

  def attach(state):
    return remembering(jax.vmap(
        lambda one: device_loop.attach(one, owners),
        in_axes=(device_loop.AXES,), out_axes=device_loop.AXES,
    )(state))

  return Experiment(
      settings=settings,
      agent=agent,
      stream=stream,
      init=jax.jit(init),
      segment=segment_at(schedule),
      segment_later=segment_at(later) if later else None,
      prime=jax.jit(prime, donate_argnums=0),
      evaluate=jax.jit(evaluate),
      measure=jax.jit(measure),
      is_finite=jax.jit(is_finite),
      compare=jax.jit(compare),
      intervene=intervene,
      intervene_where=intervene_where,
      attach=jax.jit(attach),
  )


def _diagnostics(agent, config):
  """The diagnostics of the config, with their options."""
  tau = {'tau': config.tau}
  return diagnostics.make(
      agent.spec, agent.update, config.names, {
          'dormant_units': tau,
          'dormant_overlap': tau,
          'srank': {'delta': config.delta},
          'gradient_covariance': {'examples': config.covariance_examples},
          'hessian': {'iterations': config.hessian_iterations},
          'target_fitting': {
              'steps': config.fit_steps, 'draws': config.fit_draws
          },
      }, target=config.target,
  )


def _hooks(settings, agent, stream):
  """The interventions that happen inside the loop; refuses what cannot."""
  hooks = []
  for one in events.schedule(settings).interventions:
    if not one.every_updates:
      continue
    intervention = interventions.make(one.expression, agent.spec)
    text = one.expression.text
    if not intervention.nets_only:
      raise UserError(
          f'config.interventions: {text!r} changes more than networks, so that '
          'it cannot happen every_updates; take at_steps, every_steps or when'
      )
    hook = learner.Hook(
        one.expression.label, one.every_updates, intervention
    )
    key = jax.eval_shape(lambda: jax.random.PRNGKey(0))
    jax.eval_shape(  # Refuses what changes the structure.
        lambda key, hook=hook: _run_hook(hook, agent, stream, key), key
    )
    hooks.append(hook)
  return tuple(hooks)


def _waiting(settings, agent):
  """Interventions that wait for something, for their own states."""
  return tuple(
      learner.Hook(
          one.expression.label, 0,
          interventions.make(one.expression, agent.spec),
      )
      for one in events.schedule(settings).interventions if one.when
  )


def _run_hook(hook, agent, stream, key):
  state = device_loop.init_seed(key, agent, stream, (hook,))
  batch = stream.sample(key, state.env, state.replay, state.counters)
  return learner.run_hook(
      hook, key, state.nets, state.interventions, batch, 1
  )


def metric_names(experiment: Experiment) -> set[str]:
  """Columns that segments, evaluations and diagnostics write."""
  state = jax.eval_shape(experiment.init)
  names = {
      *jax.eval_shape(experiment.segment, state)[1],
      *jax.eval_shape(experiment.evaluate, state),
      *jax.eval_shape(experiment.measure, state)[0],
  }
  return {name for name in names if '/' in name}


def check_metric(experiment: Experiment, metric: str, what: str) -> None:
  """Refuses a column that no evaluation, segment or diagnostic writes."""
  known = metric_names(experiment)
  if metric not in known:
    raise UserError(errors.nearest(what, metric, known))


def _intervene(state, intervention, label, probe):
  """Applies an intervention to every seed, its own state included."""
  def one(key, state):
    batch_key, apply_key = jax.random.split(key)
    own = state.interventions.get(label)
    if own is None:
      own = intervention.init(state)
    state, own = intervention.apply(
        apply_key, state, own, probe(batch_key, state)
    )
    if jax.tree.leaves(own):
      state = state._replace(
          interventions={**state.interventions, label: own}
      )
    return state

  return jax.vmap(
      one, in_axes=(0, device_loop.AXES), out_axes=device_loop.AXES
  )(event_keys(state, f'intervene {label}'), state)
