"""What can be measured of scale on one machine: no speed, but what grows.

  python -m benchmarks.weak_scaling DEVICES data|seeds
  python -m benchmarks.weak_scaling HOSTS data COORDINATOR INDEX

In a process of its own, with as many forced host devices, which share the cores
that there are; or in one of several processes of a device each. Prints JSON. A
tiny DQN with as much work for every device: EXAMPLES of a batch ('data') or one
seed ('seeds').
"""

import json
import os
import sys

if __name__ == '__main__':
  os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=' + (
    sys.argv[1] if len(sys.argv) == 3 else '1'
  )

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.monitoring
import numpy as np

from benchmarks import collectives
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents.base import Agent
from plasticity_rl.distributed import address
from plasticity_rl.distributed import hosts
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.learner import learner
from plasticity_rl.training import agent_builder
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

EXAMPLES = 4
STEPS, REPEATS = 20, 3
SPACES = Spaces((8,), np.float32, Discrete(3))
_COMPILED = '/jax/core/compile/backend_compile_duration'
# The update's own programs: of one device, of `seeds`, of `data` on one host
# and on several.
_UPDATE = ('jit(learn)', 'jit(by_group)', 'jit(by_share)', 'jit(_fun)')


class Dispatching(parallel.Layout):
  """As on accelerators, where a call does not wait for its results."""

  must_block = False


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
  """The update, its key and this process's batch, which are not placed yet."""
  count = len(where.local)
  one = functools.partial(learn, agent, where.shard)
  key = jax.random.PRNGKey(0)
  if mode == 'data':
    batch = batch_of(count, EXAMPLES)
    if where.mode == 'none':
      batch = batch_of(EXAMPLES)
    return (
      where.jit(
        one, data=parallel.Axes((None, None, 0, None), None), donate=(1,)
      ),
      where.replicate(key),
      batch,
    )
  batch = batch_of(count, EXAMPLES)
  keys = where.place_state(jax.random.split(key, count), 0)
  return (
    where.jit(
      jax.vmap(one, (0, 0, 0, None)),
      donate=(1,),
      seeds=parallel.Axes((0, 0, 0, None), 0),
    ),
    keys,
    batch,
  )


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


class Update:
  """The update on so many devices, a step after another.

  Attributes:
    where: the devices.
    agent: whose update.
    program: the update, compiled.
    nets: its networks.
  """

  def __init__(self, mode: str, where: parallel.Layout):
    self.where = where
    self.agent = agent_builder.make(settings_of(), SPACES)
    self._mode = mode
    self.program, self._key, self._batch = program_of(mode, self.agent, where)
    # Not yet on the devices, as what an event made.
    self.nets = jax.device_get(
      jax.jit(self._all(self.agent.init))(
        jax.random.PRNGKey(0)
        if mode == 'data'
        else jax.random.split(jax.random.PRNGKey(0), len(where.local))
      )
    )
    self._there = self._batch
    if where.mode != 'none':
      self._there = where.place(0, self._batch)

  def _all(self, function):
    return function if self._mode == 'data' else jax.vmap(function)

  @property
  def arguments(self):
    return self._key, self.nets, self._batch, np.int32(0)

  def call(self, batch: Any = None) -> Any:
    """One step; the caller waits for what it returns."""
    self.nets, metrics = self.program(
      self._key,
      self.nets,
      self._batch if batch is None else batch,
      np.int32(0),
    )
    return self.nets, metrics

  def step(self) -> None:
    jax.block_until_ready(self.call())

  def seconds(self, is_placed: bool) -> float:
    """Of this thread, to make the calls: not what they compute or wait for."""
    batch = self._there if is_placed else self._batch
    spent = 0.0
    for _ in range(STEPS):
      begun = time.thread_time()
      result = self.call(batch)
      spent += time.thread_time() - begun
      jax.block_until_ready(result)
    return spent / STEPS

  def inject(self) -> None:
    """Grows the networks; the next update is another program."""
    inject = registry.make(expression.parse('injection'), self.agent.spec)

    def grow(nets):
      state = TrainState(nets, (), (), (), (), {})
      return inject.apply(
        jax.random.PRNGKey(1), state, inject.init(state), None
      )[0].nets

    nets = jax.device_get(self.where.to_first_device(self.nets))
    self.nets = jax.device_get(jax.jit(self._all(grow))(nets))


@contextlib.contextmanager
def listening() -> Iterator[Callable[[Update, int], int]]:
  """A function that makes steps, and counts how often an update is compiled."""
  compiled = []

  def listen(event, seconds, fun_name='', **kwargs):
    del seconds, kwargs
    if event == _COMPILED and fun_name in _UPDATE:
      compiled.append(fun_name)

  def compilations(update, steps):
    before = len(compiled)
    for _ in range(steps):
      update.step()
    return len(compiled) - before

  jax.monitoring.register_event_duration_secs_listener(listen)
  try:
    yield compilations
  finally:
    jax.monitoring.unregister_event_duration_listener(listen)


def counts_of(update: Update) -> dict[str, int]:
  """Compilations of an update, and Python calls, and so at an injection."""
  with listening() as compilations:
    # Two steps: what the second is given comes from the devices.
    found = {
      'compiled_first': compilations(update, 2),
      'compiled_later': compilations(update, 3),
      'python_calls': calls_of(update.step),
    }
    update.inject()
    found['compiled_at_injection'] = compilations(update, 2)
    found['compiled_later'] += compilations(update, 3)
  return found


def costs_of(update: Update) -> dict[str, Any]:
  """What it sends, and the host's time."""
  update.step()
  text = update.program.lower(*update.arguments).compile().as_text()
  whole, placed = (
    1e6 * min(update.seconds(is_placed) for _ in range(REPEATS))
    for is_placed in (False, True)
  )
  return {
    'python_calls': calls_of(update.step),
    'collectives': collectives.count(text),
    'bytes': sum(collectives.bytes_of(text).values()),
    'host_microseconds': whole,
    'launch_microseconds': placed,
  }


def main(argv: list[str]) -> None:
  count, mode = int(argv[1]), argv[2]
  found = {'devices': count, 'mode': mode}
  if len(argv) == 3:
    where = Dispatching(
      mode if count > 1 else 'none', tuple(jax.devices()[:count])
    )
    found.update(costs_of(Update(mode, where)))
    print(json.dumps({**found, **counts_of(Update(mode, where))}))
    return
  with hosts.joined(address.Address(argv[3], count, int(argv[4]))):
    found.update(
      costs_of(Update(mode, Dispatching(mode, tuple(jax.devices()))))
    )
    print(json.dumps(found))


if __name__ == '__main__':
  main(sys.argv)
