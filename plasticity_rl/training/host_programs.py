"""The compiled functions of training with environments on the host."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import parallel
from plasticity_rl.interventions import acting
from plasticity_rl.learner import learner
from plasticity_rl.replay import stacking
from plasticity_rl.training import rollout


class HostPrograms:
  """Compiled functions over all seeds.

  Attributes:
    act: `(keys [S, 2], step, nets, intervention states, observations) ->
      actions [S, E, ...]`.
    act_greedily: `(keys [S, 2], t, nets, observations) -> actions`.
    stacked: `(frames [S, B, ...]) -> transitions [S, B, ...]`.
  """

  def __init__(
    self,
    settings: settings_lib.Settings,
    agent: Agent,
    agent_outside_loop: Agent,
    layout: parallel.Layout,
    stack: int,
    hooks: learner.Hooks,
  ):
    """Prepares the functions; each is compiled on its first call.

    Args:
      settings: settings of the run.
      agent: the agent.
      agent_outside_loop: the same agent with other convolutions, which are
        faster in programs of one seed without a loop.
      layout: the layout of seeds and batches over devices.
      stack: number of frames in an observation.
      hooks: interventions inside the loop.
    """
    self._layout = layout
    self.batches_per_update = 2 if agent.spec.has_reference else 1
    num_groups = len(layout.local) if layout.mode == 'seeds' else 1
    num_seeds = settings.num_seeds // num_groups
    over_seeds = functools.partial(_over_seeds, num_seeds)
    if num_seeds > 1:
      agent_outside_loop = agent
    has_loop = settings.optimizer.microbatches > 1

    def compiled(function, *axes):
      return layout.jit(
        over_seeds(function, axes), seeds=parallel.Axes(axes, 0)
      )

    self.act = compiled(
      functools.partial(_act, agent_outside_loop, layout), 0, None, 0, 0, 0
    )
    self.act_greedily = compiled(
      functools.partial(_act_greedily, agent_outside_loop), 0, None, 0, 0
    )
    axes = (0, 0, 0, 0, None, 0)

    def learn(count, *args):
      function = functools.partial(
        _learn,
        agent if count > 1 or has_loop else agent_outside_loop,
        hooks,
        layout.shard,
        stack,
        count,
      )
      return over_seeds(function, axes)(*args)

    self._learn = layout.jit(
      learn,
      static=(0,),
      donate=(1, 2, 3),
      seeds=parallel.Axes(axes, 0),
      # The axes of batches are seeds, updates, devices: `_split_over_devices`.
      data=parallel.Axes((*[None] * 5, 2), None),
    )
    self.stacked = layout.jit(
      jax.vmap(lambda batch: stacking.stacked(batch, stack)),
      seeds=parallel.Axes((0,), 0),
    )

  def learn(
    self,
    count: int,
    nets: Any,
    intervention_states: Any,
    sums: dict[str, jax.Array],
    keys: Any,
    numbers: tuple[int, int],
    batches: Any,
  ) -> tuple[Any, Any, dict[str, jax.Array]]:
    """Makes U updates.

    Args:
      count: U.
      nets: the networks, donated, as the next two arguments are.
      intervention_states: states of interventions by label.
      sums: sums of metrics, `[S]`, to which the new metrics are added.
      keys: the keys of the state.
      numbers: the step, and the number of earlier updates.
      batches: batches of frames, `[S, U, B, ...]`; where an update has two,
        2 U of them.

    Returns:
      Networks, intervention states and sums.
    """
    return self._learn(
      count,
      nets,
      intervention_states,
      sums,
      keys,
      np.array(numbers, np.int32),  # Put on devices once.
      self._split_over_devices(batches),
    )

  def _split_over_devices(self, batches):
    """Reshapes `[S, U, B, ...]` to `[S, U, D, B / D, ...]`, for D devices."""
    if self._layout.mode != 'data':
      return batches
    count = len(self._layout.local)
    return jax.tree.map(
      lambda x: x.reshape(
        *x.shape[:2], count, x.shape[2] // count, *x.shape[3:]
      ),
      batches,
    )


def _act(agent, layout, key, step, nets, intervention_states, observation):
  key, _ = jax.random.split(jax.random.fold_in(key, step))
  if layout.sharers > 1:
    key = jax.random.fold_in(key, layout.host)
  return rollout.act(
    agent,
    key,
    acting.acting(nets, intervention_states, step),
    observation,
    step,
  )


def _act_greedily(agent, key, t, nets, observation):
  return agent.act_greedily(jax.random.fold_in(key, t), nets, observation)


def _learn(
  agent,
  hooks,
  shard,
  stack,
  count,
  nets,
  intervention_states,
  sums,
  keys,
  numbers,
  batches,
):
  """See `HostPrograms.learn`, for one seed."""
  step, updates = numbers
  _, key = jax.random.split(jax.random.fold_in(keys.run, step))

  def sample(key, i):
    del key  # The host has sampled the batches.
    batch = jax.tree.map(lambda x: x[i], batches)
    return stacking.stacked(batch, stack)

  nets, intervention_states, metrics = learner.learn(
    key,
    agent,
    nets,
    intervention_states,
    sample,
    updates,
    count,
    hooks,
    keys.event,
    shard,
  )
  bad = ~jnp.isfinite(metrics['loss']) & (sums['bad_step'] < 0)
  return (
    nets,
    intervention_states,
    {
      **{name: sums[name] + value for name, value in metrics.items()},
      'bad_step': jnp.where(bad, step, sums['bad_step']),
    },
  )


def _over_seeds(
  num_seeds: int, function: Callable[..., Any], in_axes: tuple[Any, ...]
) -> Callable[..., Any]:
  """`vmap` over seeds; a single seed is faster without it."""
  if num_seeds > 1:
    return jax.vmap(function, in_axes)

  def one(*args):
    args = [
      x if axis is None else jax.tree.map(lambda leaf: leaf[0], x)
      for x, axis in zip(args, in_axes, strict=True)
    ]
    return jax.tree.map(lambda leaf: leaf[None], function(*args))

  return one
