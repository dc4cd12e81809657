"""Milliseconds of a SAC update beside the bound of its matrix products.

  taskset -c 0 python -m benchmarks.sac_update

Batch 256, two hidden layers of 256, two critics, the sizes of cheetah-run (17
observations, 6 actions). One update a call, and 32 in a scan, as at a replay
ratio of 32; then where the time of one in the scan goes, each line with those
above it. The bound is the products' floating-point operations over the rate of
a large product, measured in the same run. Best of several: other work only
ever adds. Writes results/sac_update.md.
"""

import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import studies
from benchmarks.minatar_speed import matmul_gflops
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.agents import base
from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.training import agent_builder
from plasticity_rl.types import Transition

BATCH, OBSERVATIONS, ACTIONS, WIDTH, CRITICS = 256, 17, 6, 256, 2
UPDATES, REPEATS = 32, 15


def make(optimizer: str = 'adam') -> base.Agent:
  return agent_builder.make(
    settings_lib.Settings(
      agent=settings_lib.SACConfig(critics=CRITICS),
      network=settings_lib.NetworkConfig(
        hidden=(WIDTH, WIDTH), split=1, initializer='orthogonal'
      ),
      optimizer=settings_lib.OptimizerConfig(
        name=optimizer, learning_rate=3e-4
      ),
    ),
    Spaces((OBSERVATIONS,), jnp.float32, Continuous(ACTIONS)),
  )


def batch_of(key: jax.Array) -> Transition:
  s_tm1, s_t, a_tm1, r_t = (
    jax.random.normal(k, shape)
    for k, shape in zip(
      jax.random.split(key, 4),
      [(BATCH, OBSERVATIONS)] * 2 + [(BATCH, ACTIONS), (BATCH,)],
      strict=True,
    )
  )
  return Transition(s_tm1, jnp.tanh(a_tm1), r_t, jnp.full(BATCH, 0.99), s_t)


def product_flops() -> float:
  """Of one update: what is needed, with no product made twice."""

  def forward(inputs, outputs):
    return [
      2 * BATCH * inputs * WIDTH,
      2 * BATCH * WIDTH**2,
      2 * BATCH * WIDTH * outputs,
    ]

  # Forward, gradients by weights, by the inputs of all layers but the first.
  def trained(net):
    return 3 * sum(net) - net[0]

  critic = [CRITICS * x for x in forward(OBSERVATIONS + ACTIONS, 1)]
  actor = forward(OBSERVATIONS, 2 * ACTIONS)
  return (
    sum(actor)
    + sum(critic)
    + trained(critic)  # The critic's update.
    + trained(actor)
    + 2 * sum(critic)  # The actor's, through the critic.
  )


def milliseconds(function: Callable, count: int, *args: Any) -> float:
  compiled = jax.jit(function)
  jax.block_until_ready(compiled(*args))
  best = float('inf')
  for _ in range(REPEATS):
    begun = time.perf_counter()
    jax.block_until_ready(compiled(*args))
    best = min(best, time.perf_counter() - begun)
  return 1e3 * best / count


def in_scan(one: Callable, carry: Any, batches: Transition) -> float:
  keys = jax.random.split(jax.random.PRNGKey(2), UPDATES)
  return milliseconds(
    lambda carry: jax.lax.scan(one, carry, (keys, batches)), UPDATES, carry
  )


def parts(batches: Transition) -> list[tuple[str, float]]:
  """Where the time of an update in the scan goes."""
  agent, plain = make(), make('sgd')
  nets = agent.init(jax.random.PRNGKey(0))

  def noise(carry, inputs):
    key, batch = inputs
    keys = base.example_keys(key, BATCH)
    draws = jax.vmap(
      lambda k: jax.random.normal(jax.random.fold_in(k, 0), (2, ACTIONS))
    )(keys)
    return carry, draws.sum() + batch.r_t.sum()

  def forwards(carry, inputs):
    losses = agent.spec.losses(inputs[0], carry, inputs[1])
    values = [
      losses[name](carry[name].params)[0].mean()
      for name in ('critic', 'actor', 'temperature')
    ]
    return carry, sum(values)

  def gradients(carry, inputs):
    losses = agent.spec.losses(inputs[0], carry, inputs[1])
    found = [
      jax.grad(lambda p, name=name: losses[name](p)[0].mean())(
        carry[name].params
      )
      for name in ('critic', 'actor', 'temperature')
    ]
    # All of it is needed, and little is made of it.
    return carry, sum(jnp.abs(g).max() for g in jax.tree.leaves(found))

  def update(agent):
    def one(carry, inputs):
      carry, metrics = agent.update(inputs[0], carry, inputs[1], 0)
      return carry, metrics['loss']

    return one

  sgd = {
    name: net._replace(
      opt_state=plain.spec.nets[name].optimizer.init(net.params)
    )
    for name, net in nets.items()
  }
  return [
    ('noise by example', in_scan(noise, nets, batches)),
    ('losses', in_scan(forwards, nets, batches)),
    ('gradients', in_scan(gradients, nets, batches)),
    (
      'descent and the move of the target',
      in_scan(update(plain), sgd, batches),
    ),
    ('Adam', in_scan(update(agent), nets, batches)),
  ]


def main() -> None:
  cores = len(os.sched_getaffinity(0))
  gflops = matmul_gflops()
  agent = make()
  nets = agent.init(jax.random.PRNGKey(0))
  batches = jax.vmap(batch_of)(jax.random.split(jax.random.PRNGKey(1), UPDATES))
  one = jax.tree.map(lambda x: x[0], batches)
  single = milliseconds(
    lambda nets: agent.update(jax.random.PRNGKey(2), nets, one, 0), 1, nets
  )
  where = parts(batches)
  scanned = where[-1][1]
  gflops = max(gflops, matmul_gflops())
  bound = product_flops() / gflops / 1e6
  rows, before = [], 0.0
  for name, spent in where:
    rows.append(
      {'part': name, 'ms': f'{spent - before:.2f}', 'in all': f'{spent:.2f}'}
    )
    before = spent
  text = '\n'.join(
    [
      '# What a SAC update costs',
      '',
      'Batch 256, 256 x 256, two critics, 17 observations, 6 actions; '
      f'{cores} core(s), best of {REPEATS}. Processes that wanted to run '
      f'meanwhile, on average: {os.getloadavg()[0]:.1f} (1 is this one alone).',
      '',
      studies.table(
        [
          {
            '': 'bound: matrix products alone',
            'ms an update': f'{bound:.2f}',
            'x bound': '1',
          },
          {
            '': f'{UPDATES} updates in a scan',
            'ms an update': f'{scanned:.2f}',
            'x bound': f'{scanned / bound:.2f}',
          },
          {
            '': 'one update a call',
            'ms an update': f'{single:.2f}',
            'x bound': f'{single / bound:.2f}',
          },
        ]
      ),
      '',
      f'{product_flops() / 1e6:.0f} MFLOP in products at {gflops:.0f} GFLOP/s,'
      ' the rate of a 1024 x 1024 product in the same run.',
      '',
      'Where it goes, in the scan:',
      '',
      studies.table(rows),
      '',
      f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
      '',
      '    python -m benchmarks.sac_update',
      '',
    ]
  )
  studies.RESULTS.mkdir(exist_ok=True)
  (studies.RESULTS / 'sac_update.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
