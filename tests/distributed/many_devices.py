"""Updates on forced host devices, in a process of its own; prints JSON.

  python -m tests.distributed.many_devices double|single|counts AGENT...

Prints, by case, how far an update on several devices ends from that of one on
the whole batch, and what the compiled program sends over the wire; in single
precision, also what becomes of seeds on devices of their own.
"""

import functools
import json
import os
import sys

from tests.compiler import QUICKLY

os.environ['XLA_FLAGS'] = '--xla_force_host_platform_device_count=8' + QUICKLY

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import collectives
from benchmarks import weak_scaling
from plasticity_rl import settings as settings_lib
from plasticity_rl.distributed import parallel
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from plasticity_rl.learner import learner
from plasticity_rl.shard import Shard
from plasticity_rl.training import agent_builder
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

UPDATES, BATCH = 10, 16
SPACES = {
  'dqn': Spaces((5,), np.float32, Discrete(3)),
  'sac': Spaces((5,), np.float32, Continuous(2)),
  'drq': Spaces((8, 8, 1), np.uint8, Continuous(2)),
}
KEY = jax.random.PRNGKey(3)


def settings_of(name, **changes):
  environment = 'dmc_walker_walk' if name in ('sac', 'drq') else 'catch'
  if name == 'drq':
    environment = 'dmc_pixels_walker_walk'
  config = settings_lib.default_config(name, environment)
  config.network.hidden = (8, 8)
  config.network.split = 1
  config.optimizer.max_gradient_norm = 1.0
  config.regularizer.l2_init = 1e-2
  if name == 'dqn':
    config.agent.target_period_updates = 4
  if name == 'drq':
    config.network.convolutions = ((4, 3, 2),)
    config.agent.latent, config.agent.shift = 4, 2
  config.replay.batch_size = BATCH
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


def batches_of(name, count=UPDATES):
  rng = np.random.default_rng(0)
  spaces = SPACES[name]

  def see():
    shape = (count, BATCH, *spaces.observation_shape)
    if name == 'drq':
      return rng.integers(0, 256, shape, np.uint8)
    return rng.normal(size=shape)

  action = rng.integers(0, 3, (count, BATCH)).astype(np.int32)
  if name != 'dqn':
    action = rng.uniform(-1, 1, (count, BATCH, 2))
  rows = (count, BATCH)
  return Transition(
    see(), action, rng.normal(size=rows), rng.uniform(size=rows), see()
  )


def floats(tree, dtype):
  """The tree with floating-point numbers of a type."""
  return jax.tree.map(
    lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x,
    tree,
  )


def layout(mode, count):
  return parallel.Layout(mode, tuple(jax.devices()[:count]))


@functools.cache
def start(name, injected, dtype):
  """Networks and settings."""
  settings = settings_of(name)
  agent = agent_builder.make(settings, SPACES[name])
  nets = agent.init(KEY)
  if injected:
    inject = registry.make(expression.parse('injection'), agent.spec)
    # Of networks that learned a little, as the frozen part matters then.
    state = TrainState(nets, (), (), (), (), {})
    state, _ = inject.apply(KEY, state, inject.init(state), None)
    nets = state.nets
  return settings, floats(nets, dtype)


def learn(agent, shard, key, nets, batches):
  nets, _, metrics = learner.learn(
    key,
    agent,
    nets,
    {},
    lambda _, i: jax.tree.map(lambda x: x[i], batches),
    jnp.array(0),
    UPDATES,
    shard=shard,
  )
  return nets, metrics


def spread_program(name, settings, count):
  """`(program, prepare)`: an update on `count` devices."""
  where = layout('data', count)
  agent = agent_builder.make(settings, SPACES[name])
  program = where.jit(
    functools.partial(learn, agent, where.shard),
    data=parallel.Axes((None, None, 1), None),
  )

  def shared_out(batches):
    return jax.tree.map(
      lambda x: x.reshape(UPDATES, count, BATCH // count, *x.shape[2:]),
      batches,
    )

  return program, shared_out


def distance(a, b):
  """Of parameters: largest absolute, and relative in norm."""
  a, b = (
    np.concatenate(
      [np.asarray(x, np.float64).ravel() for x in jax.tree.leaves(t)]
    )
    for t in (a, b)
  )
  return float(np.abs(a - b).max()), float(
    np.linalg.norm(a - b) / np.linalg.norm(b)
  )


def compare(name, dtype, counts_before, counts_after, in_parts):
  found = {}
  batches = floats(batches_of(name), dtype)
  for injected, counts in ((False, counts_before), (True, counts_after)):
    if not counts:
      continue
    settings, nets = start(name, injected, dtype)
    agent = agent_builder.make(settings, SPACES[name])
    one = jax.jit(functools.partial(learn, agent, Shard()))
    whole, whole_metrics = jax.block_until_ready(one(KEY, nets, batches))
    for count, parts in [(count, 1) for count in counts] + (
      in_parts if injected else []
    ):
      program, shared_out = spread_program(
        name, settings_of(name, **{'optimizer.microbatches': parts}), count
      )
      args = KEY, nets, shared_out(batches)
      # What was compiled to be read is what is called.
      text = program.lower(*args).compile().as_text()
      many, metrics = program(*args)
      params = [
        {k: (v.params, v.target) for k, v in n.items()}
        for n in (many, whole, nets)
      ]
      apart = {
        float(
          np.abs(np.asarray(s.data) - np.asarray(x.addressable_data(0))).max()
        )
        for x in jax.tree.leaves(params[0])
        for s in x.addressable_shards
      }
      when = 'after' if injected else 'before'
      found[f'{name} {count} {when}' + ' in parts' * (parts > 1)] = {
        'distance': distance(*params[:2]),
        'moved': distance(*params[1:])[1],
        'metrics': distance(metrics, whole_metrics)[0],
        'between_devices': max(apart),
        'wire': collectives.bytes_of(text),
        'loops': text.count(' while('),
        **sizes(settings, nets, name, metrics),
      }
  return found


def sizes(settings, nets, name, metrics):
  """Bytes of what learns, of all that there is, and the number of metrics."""
  from plasticity_rl import injection

  def bytes_of(tree):
    return sum(x.nbytes for x in jax.tree.leaves(tree))

  learns, every = 0, 0
  for net in nets.values():
    mask = injection.trainable_mask(net.params)
    learns += bytes_of(
      jax.tree.map(lambda m, x: x if m else None, mask, net.params)
    )
    every += bytes_of(net.params)
  itemsize = jax.tree.leaves(nets)[0].dtype.itemsize
  return {'learns': learns, 'every': every, 'scalars': itemsize * len(metrics)}


def seeds():
  """Four seeds on four devices, on two, and each by itself."""
  settings = settings_of('dqn')
  agent = agent_builder.make(settings, SPACES['dqn'])
  batches = floats(batches_of('dqn'), jnp.float32)
  keys = jax.random.split(KEY, 4)
  nets = jax.vmap(agent.init)(keys)
  # Distinct data for each seed.
  many = jax.tree.map(
    lambda x: jnp.stack([jnp.roll(x, i, 0) for i in range(4)]), batches
  )

  def group(keys, nets, batches):
    return jax.vmap(functools.partial(learn, agent, Shard()))(
      keys, nets, batches
    )

  axes = parallel.Axes((0, 0, 0), 0)
  results, wire = {}, {}
  for count in (4, 2):
    program = layout('seeds', count).jit(group, seeds=axes)
    results[count] = program(keys, nets, many)
    text = program.lower(keys, nets, many).compile().as_text()
    wire[count] = collectives.bytes_of(text)
  each = jax.jit(group)
  alone = {}
  for size in (1, 2):
    parts = [
      each(
        *jax.tree.map(lambda x, i=i, n=size: x[i : i + n], (keys, nets, many))
      )
      for i in range(0, 4, size)
    ]
    alone[size] = jax.tree.map(lambda *x: jnp.concatenate(x), *parts)

  def same(a, b):
    return all(
      np.asarray(x).tobytes() == np.asarray(y).tobytes()
      for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )

  # Every seed on another device, beside another seed.
  moved = layout('seeds', 4).jit(group, seeds=axes)(
    *jax.tree.map(lambda x: jnp.roll(x, 1, 0), (keys, nets, many))
  )
  back = jax.tree.map(lambda x: jnp.roll(x, -1, 0), moved)
  return {
    'same_on_another_device': same(results[4], back),
    'distance': [
      distance(results[many][0], alone[few][0])
      for many, few in ((4, 1), (2, 2), (2, 1))
    ],
    'wire': wire,
  }


def counts():
  """Python calls and compilations of a step, by layout, on 2 devices and 8."""
  return {
    mode: [
      weak_scaling.counts_of(weak_scaling.Update(mode, layout(mode, n)))
      for n in (2, 8)
    ]
    for mode in ('data', 'seeds')
  }


def main(argv):
  mode, names = argv[1], argv[2:]
  if mode == 'counts':
    print(json.dumps(counts()))
    return
  double = mode == 'double'
  jax.config.update('jax_enable_x64', double)
  dtype = jnp.float64 if double else jnp.float32
  found = {}
  for name in names:
    # Compiling is what takes the time: each number of devices once, for most,
    # and the smaller network, which is a part of the other, in double alone.
    before, after = (4,) if double else (), (8,)
    if double and name == 'dqn':
      after = 2, 8
    # A share of eight examples, by two.
    in_parts = [(2, 4)] if double else []
    found.update(compare(name, dtype, before, after, in_parts))
  print(json.dumps(found if double else {'cases': found, 'seeds': seeds()}))


if __name__ == '__main__':
  main(sys.argv)
