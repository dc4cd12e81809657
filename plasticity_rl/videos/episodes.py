"""Episodes of the greedy agent of one seed, as what is seen at each step."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments import host_registry
from plasticity_rl.environments.base import Environment
from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.environments.task_sequence import TaskSequence
from plasticity_rl.training import device_statistics
from plasticity_rl.training import running_statistics
from plasticity_rl.types import Key
from plasticity_rl.types import TrainState
from plasticity_rl.types import name_tag


class Seen(NamedTuple):
  """A step of an episode.

  Attributes:
    state: of the environment, in numpy; () on the host.
    observation: in numpy.
    episode_return: the undiscounted return so far.
  """

  state: Any
  observation: np.ndarray
  episode_return: float


Episode = list[Seen]


def on_device(
  environment: Environment,
  agent: Agent,
  state: TrainState,
  *,
  episodes: int,
  max_steps: int,
) -> Iterator[Episode]:
  """Plays the task that a seed is at, with observations as in training.

  Arms of a fork have the same keys, so that their episodes begin alike.

  Args:
    environment: that the agent was trained in.
    agent: which acts greedily.
    state: of one seed, whose environments are `[E, ...]`.
    episodes: how many.
    max_steps: after which an episode is left.
  """
  task = jax.tree.map(lambda x: x[0], state.env.state)

  @jax.jit
  def play(key: Key, nets: Any, task: Any) -> Any:
    reset_key, play_key = jax.random.split(key)
    first = environment.reset(reset_key, task)

    def one(carry: Any, t: jax.Array) -> Any:
      inner, observation = carry
      act_key, step_key = jax.random.split(jax.random.fold_in(play_key, t))
      seen = device_statistics.normalize(
        state.env.statistics, observation[None]
      )
      action = agent.act_greedily(act_key, nets, seen)[0]
      inner, timestep = environment.step(step_key, inner, action)
      carry = inner, timestep.observation
      return carry, (*carry, timestep.reward, timestep.last())

    begin = first[0], first[1].observation
    return begin, jax.lax.scan(one, begin, jnp.arange(max_steps))[1]

  for key in _keys(state, episodes):
    begin, rest = jax.device_get(play(key, state.nets, task))
    states, observations, rewards, last = rest
    steps = int(np.argmax(last)) + 1 if last.any() else max_steps
    returns = np.cumsum(rewards)
    yield [
      Seen(*begin, 0.0),
      *(
        Seen(
          jax.tree.map(lambda x, i=i: x[i], states),
          observations[i],
          float(returns[i]),
        )
        for i in range(steps)
      ),
    ]


def on_host(
  settings: settings_lib.Settings,
  agent: Agent,
  state: TrainState,
  *,
  episodes: int,
  max_steps: int,
) -> Iterator[Episode]:
  """As `on_device`; observations are normalised as in training."""
  task = settings.environment
  environments = host_registry.make(
    task.name, 1, evaluation=True, **settings.environment_options
  )
  act = jax.jit(
    lambda key, t, nets, seen: agent.act_greedily(
      jax.random.fold_in(key, t), nets, seen
    )
  )
  statistics = jax.tree.map(lambda x: x[None], state.env.statistics)
  try:
    for key in _keys(state, episodes):
      yield _one_on_host(
        environments,
        _seed(key),
        int(state.counters.step) // task.num_envs,
        lambda t, seen, key=key: act(
          key,
          t,
          state.nets,
          running_statistics.normalize(statistics, seen[None])[0],
        ),
        max_steps,
      )
  finally:
    environments.close()


def _one_on_host(
  environments: HostEnvironments,
  seed: np.ndarray,
  steps: int,
  act: Any,
  max_steps: int,
) -> Episode:
  begin = environments.begin
  if isinstance(environments, TaskSequence):
    begin = functools.partial(begin, steps=steps)
  observation, total = begin(seed), 0.0
  episode = [Seen((), observation[0].copy(), total)]
  for t in range(max_steps):
    result = environments.step(np.asarray(act(np.int32(t), observation)))
    total += float(result.score[0])
    episode.append(Seen((), result.observation[0].copy(), total))
    if result.last[0]:
      break
    observation = result.next_observation
  return episode


def _keys(state: TrainState, episodes: int) -> Iterator[Key]:
  key = jax.random.fold_in(state.keys.event, name_tag('watch'))
  for i in range(episodes):
    yield jax.random.fold_in(key, i)


def _seed(key: Key) -> np.ndarray:
  """A seed for one environment on the host."""
  return np.asarray(key)[-1:].astype(np.uint32)
