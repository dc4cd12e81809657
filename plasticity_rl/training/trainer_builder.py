"""Builds the agent and the trainer of an experiment from its settings."""

import functools

import jax.numpy as jnp

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import parallel
from plasticity_rl.environments import host_registry
from plasticity_rl.environments import registry as environments
from plasticity_rl.environments.base import Environment
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.learner import learner
from plasticity_rl.training import agent_builder
from plasticity_rl.training import datasets
from plasticity_rl.training import device_trainer
from plasticity_rl.training import hooks as hooks_lib
from plasticity_rl.training import host_data_source
from plasticity_rl.training import host_programs
from plasticity_rl.training import host_trainer
from plasticity_rl.training import rollout
from plasticity_rl.training import schedule as schedule_lib
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.training.data_source import DataSource


def build_agent_and_data(
  settings: settings_lib.Settings,
) -> tuple[Agent, DataSource]:
  """Builds an agent and its data source on the device.

  Raises:
    UserError: settings, environment and agent do not fit together.
  """
  task = settings.environment
  if task.name == 'recorded_values':
    recording = datasets.load(task.path)
    agent = agent_builder.make(settings, _spaces(recording.inputs.shape[3:], 1))
    return agent, datasets.RecordedValues(agent, settings, recording)
  if settings.agent.name == 'supervised':
    agent = agent_builder.make(
      settings, _spaces((task.input_size,), task.classes)
    )
    return agent, datasets.RandomLabels(agent, settings)
  environment = build_environment(settings)
  agent = agent_builder.make(settings, environment.spaces)
  return agent, rollout.EnvironmentSource(agent, environment, settings)


def build_environment(settings: settings_lib.Settings) -> Environment:
  """Builds the environment of a run that acts in one on the device.

  Raises:
    UserError: the settings do not fit the environment.
  """
  task = settings.environment
  return environments.make(
    task.name,
    permute=task.permute,
    permute_actions=task.permute_actions,
    vary=task.vary,
    vary_factor=task.vary_factor,
    gradual_steps=task.gradual * task.switch_every_steps // task.num_envs,
    max_episode_steps=task.max_episode_steps,
    **settings.environment_options,
  )


def _spaces(shape, count):
  return Spaces(tuple(shape), jnp.float32, Discrete(count))


def build(
  settings: settings_lib.Settings,
  schedule: schedule_lib.EventSchedule,
  layout: parallel.Layout,
) -> tuple[Agent, trainer_lib.Trainer, learner.Hooks]:
  """Builds the agent, its trainer, and the interventions inside the trainer.

  Raises:
    UserError: settings, environment, agent and devices do not fit together.
  """
  if isinstance(settings.environment, settings_lib.HostEnvironmentConfig):
    return _build_on_host(settings, schedule, layout)
  agent, source = build_agent_and_data(settings)
  hooks = hooks_lib.make(schedule, agent)
  trainer = device_trainer.DeviceTrainer(
    settings,
    agent,
    source,
    layout,
    *_schedules(settings, source.steps_per_row),
    hooks,
  )
  return agent, trainer, hooks


def _build_on_host(settings, schedule, layout):
  """`build` for environments on the host."""
  task = settings.environment
  options = dict(settings.environment_options)
  if 'switch_every_steps' in options:  # Of a seed: each environment has a part.
    options['switch_every_steps'] //= task.num_envs
  make = functools.partial(host_registry.make, task.name, **options)
  each = host_data_source.environments_per_host(settings, layout)
  training = make(each * settings.num_seeds, evaluation=False)
  agent = agent_builder.make(settings, training.spaces)
  hooks = hooks_lib.make(schedule, agent)
  data = host_data_source.HostDataSource(
    settings, training, schedule.save, layout
  )
  programs = host_programs.HostPrograms(
    settings,
    agent,
    agent_builder.make(settings, training.spaces, in_loop=False),
    layout,
    data.replay.stack,
    hooks,
  )
  trainer = host_trainer.HostTrainer(
    settings,
    agent,
    data,
    programs,
    make,
    layout,
    *_schedules(settings, task.num_envs),
  )
  return agent, trainer, hooks


def _schedules(settings, steps_per_row):
  """Schedules of updates: the first one, and the later one or None."""
  if settings.agent.name == 'supervised':
    return learner.update_schedule(1.0, steps_per_row), None
  replay, later = settings.replay, None
  if replay.later_updates_per_step:
    later = learner.update_schedule(
      replay.later_updates_per_step, steps_per_row
    )
  return learner.update_schedule(replay.updates_per_step, steps_per_row), later
