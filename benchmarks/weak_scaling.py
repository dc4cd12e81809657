"""What can be measured of scale on one machine: no speed, but what grows.

  python -m benchmarks.weak_scaling DEVICES data|seeds

In a process of its own, with as many forced host devices, which share the cores
that there are; prints JSON. A tiny DQN with as much work for every device:
EXAMPLES of a batch ('data') or one seed ('seeds').
"""

import json
import os
import sys

if __name__ == '__main__':
  os.environ['XLA_FLAGS'] = (
      f'--xla_force_host_platform_device_count={sys.argv[1]}'
  )

import functools
import time
from typing import Any

import jax
import jax.monitoring
import numpy as np

from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.experiment import agents
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.learner import collectives
from plasticity_rl.learner import learner
from plasticity_rl.learner import parallel
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

EXAMPLES = 4
STEPS, REPEATS = 20, 5
SPACES = Spaces((8,), np.float32, Discrete(3))
_COMPILED = '/jax/core/compile/backend_compile_duration'
# The update's own programs, of one device, of `seeds` and of `data`.
_UPDATE = ('jit(learn)', 'jit(<lambda>)', 'jit(_fun)')


def settings_of() -> settings_lib.Settings:
  config = settings_lib.default_config('dqn', 'catch')
  config.network.hidden = (16, 16)
  config.network.split = 1
  return settings_lib.resolve(config)


def batch_of(*leading: int) -> Transition:
  rng = np.random.default_rng(0)

  def see():
    return rng.normal(size=(*leading, 8)).astype(np.float32)

  ones = np.ones(leading, np.float32)
  return Transition(
      see(), rng.integers(0, 3, leading).astype(np.int32), ones, ones, see()
  )


def learn(agent, shard, key, nets, batch, updates):
  nets, _, metrics = learner.learn(
      key, agent, nets, {}, lambda _, i: batch, updates, 1, shard=shard
  )
  return nets, metrics


def program_of(
    mode: str, agent: Agent, where: parallel.Layout
) -> tuple[Any, Any, Transition]:
  """The update, its key and its batch."""
  count = len(where.devices)
  one = functools.partial(learn, agent, where.shard)
  key = jax.random.PRNGKey(0)
  if mode == 'data':
    batch = batch_of(count, EXAMPLES)
    return where.jit(
        one, data=parallel.Axes((None, None, 0, None), None), donate=(1,)
    ), key, batch
  batch = batch_of(count, EXAMPLES)
  return where.jit(
      jax.vmap(one, (0, 0, 0, None)), donate=(1,),
      seeds=parallel.Axes((0, 0, 0, None), 0),
  ), jax.random.split(key, count), batch


def calls_of(function) -> int:
  """How many Python functions are called, those inside included."""
  count = 0

  def profile(frame, event, arg):
    nonlocal count
    count += event == 'call'

  sys.setprofile(profile)
  try:
    function()
  finally:
    sys.setprofile(None)
  return count


def measure(count: int, mode: str) -> dict[str, Any]:
  """Of so many devices."""
  compiled = []

  def listen(event, seconds, fun_name='', **kwargs):
    del seconds, kwargs
    if event == _COMPILED and fun_name in _UPDATE:
      compiled.append(fun_name)

  jax.monitoring.register_event_duration_secs_listener(listen)
  where = parallel.Layout(
      mode if count > 1 else 'none', tuple(jax.devices()[:count])
  )
  agent = agents.make(settings_of(), SPACES, where.shard)
  program, key, batch = program_of(mode, agent, where)
  if count == 1 and mode == 'data':
    batch = jax.tree.map(lambda x: x[0], batch)
  nets = agent.init(key) if mode == 'data' else jax.vmap(agent.init)(key)
  updates = np.int32(0)

  def step():
    nonlocal nets
    nets, metrics = program(key, nets, batch, updates)
    jax.block_until_ready(metrics)

  def compilations(steps):
    before = len(compiled)
    for _ in range(steps):
      step()
    return len(compiled) - before

  def seconds():
    """Of this thread alone, which does not count what it waits for."""
    begun = time.thread_time()
    for _ in range(STEPS):
      step()
    return (time.thread_time() - begun) / STEPS

  # Two steps: what the second is given comes from the devices.
  found = {'compiled_first': compilations(2)}
  found['compiled_later'] = compilations(STEPS)
  found['host_microseconds'] = 1e6 * min(seconds() for _ in range(REPEATS))
  found['python_calls'] = calls_of(step)
  lower = getattr(program, 'lower', None) or jax.jit(program).lower
  text = lower(key, nets, batch, updates).compile().as_text()
  # It grows the network; the next update is another program.
  inject = registry.make(expression.parse('injection'), agent.spec)
  nets = jax.device_get(where.on_one(nets))

  def grow(nets):
    state = TrainState(nets, (), (), (), (), {})
    return inject.apply(
        jax.random.PRNGKey(1), state, inject.init(state), None
    )[0].nets

  nets = grow(nets) if mode == 'data' else jax.vmap(grow)(nets)
  jax.block_until_ready(nets)
  found['compiled_at_injection'] = compilations(2)
  found['compiled_later'] += compilations(STEPS)
  return {
      'devices': count, 'mode': mode,
      'collectives': collectives.count(text),
      'bytes': sum(collectives.bytes_of(text).values()), **found,
  }


if __name__ == '__main__':
  print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
