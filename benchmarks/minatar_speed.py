"""Steps per second of small networks, one update a step: DQN on MinAtar.

  taskset -c 0 python -m benchmarks.minatar_speed [--peer='COMMAND ...']

Convolution 16 3x3, dense 128, batch 32, one batch-32 update a step; 1 and 8
seeds in one program, in our convolution form and in `lax.conv`; and without
convolutions DQN on Catch and CartPole and SAC on Pendulum. In the same run: the
machine's matrix-product rate, from which the bound of an update follows, and a
peer, if its command is given (it prints `RESULT {json}` with `steps_per_s`).
Writes results/minatar_speed.md.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import time

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import studies
from configs import continual_catch
from configs import control
from configs import minatar
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.run import flops as flops_lib
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.training import trainer_builder

STEPS = 2000
REPEATS = 5
# Dense layers alone, by what the page calls them.
DENSE = {
  'Catch, DQN': (continual_catch, 'demo'),
  'CartPole, DQN': (control, 'cartpole'),
  'Pendulum, SAC': (control, 'pendulum'),
}


def matmul_gflops(size: int = 1024) -> float:
  """Best rate of a float32 matrix product in XLA, in GFLOP/s."""
  a = jnp.ones((size, size), jnp.float32)
  product = jax.jit(lambda x: x @ x)
  product(a).block_until_ready()
  best = np.inf
  for _ in range(20):
    begun = time.perf_counter()
    product(a).block_until_ready()
    best = min(best, time.perf_counter() - begun)
  return 2 * size**3 / best / 1e9


def build(
  seeds: int, form: str, optimizer: str = 'adam'
) -> experiment_lib.Experiment:
  config = minatar.get_config('breakout')
  config.optimizer.name = optimizer
  config.network.convolution = form
  return _built(config, seeds)


def _built(config, seeds):
  config.num_seeds = seeds
  config.segment_steps = STEPS
  config.num_steps = 10 * STEPS
  config.replay.min_size = 100
  config.replay.clear_on_switch = False  # Every step has its update.
  return experiment_lib.build(settings_lib.resolve(config))


def measure(experiment: experiment_lib.Experiment) -> dict:
  """Steps a second, summed over seeds, and where the time goes."""
  seeds = experiment.settings.num_seeds
  state, _ = experiment.trainer.segment(experiment.init())
  rates, updates = [], int(state.counters.updates)
  for _ in range(REPEATS):
    begun = time.perf_counter()
    state, metrics = experiment.trainer.segment(state)
    jax.block_until_ready((state, metrics))
    rates.append(seeds * STEPS / (time.perf_counter() - begun))
  updates = int(state.counters.updates) - updates
  if updates != REPEATS * STEPS:
    raise ValueError(f'{updates} updates in {REPEATS * STEPS} steps')
  costs = flops_lib.costs(experiment.agent, experiment.trainer.batch, state)
  return {
    'seeds': seeds,
    'rate': statistics.median(rates),
    'low': min(rates),
    'high': max(rates),
    'update_flops': costs.update,
    'collect_ms': _collect_ms(experiment, state),
  }


def _collect_ms(experiment, state):
  """Milliseconds of a step without its update, per seed."""
  rows = STEPS
  _, stream = trainer_builder.build_agent_and_data(experiment.settings)

  def run(state):
    def row(carry, _):
      env, replay, counters = carry

      def one(nets, env, replay, keys):
        key = jax.random.fold_in(keys.run, counters.step)
        env, replay, _ = stream.collect(key, nets, env, replay, counters)
        return env, replay

      env, replay = jax.vmap(one)(state.nets, env, replay, state.keys)
      return (env, replay, stream.advance(counters)), None

    carry = (state.env, state.replay, state.counters)
    return jax.lax.scan(row, carry, None, length=rows)[0]

  compiled = jax.jit(run)
  jax.block_until_ready(compiled(state))
  begun = time.perf_counter()
  jax.block_until_ready(compiled(state))
  spent = time.perf_counter() - begun
  return 1e3 * spent / rows / experiment.settings.num_seeds


def parts() -> list[dict]:
  """Where the time of one seed's update goes: each line adds to the last."""
  experiment = build(1, 'slices')
  state, _ = experiment.trainer.segment(experiment.init())
  nets, replay, env = jax.tree.map(
    lambda x: x[0], (state.nets, state.replay, state.env)
  )

  _, stream = trainer_builder.build_agent_and_data(experiment.settings)

  def sample(key):
    return stream.sample(key, env, replay, state.counters)

  def sampling(nets, key):
    return nets, sum(x.sum() for x in jax.tree.leaves(sample(key)))

  def forward(nets, key):
    batch, q = sample(key), nets['q']
    apply = experiment.agent.spec.nets['q'].network.apply
    return nets, sum(
      apply(params, x).outputs.sum()
      for params, x in (
        (q.params, batch.s_tm1),
        (q.params, batch.s_t),
        (q.target, batch.s_t),
      )
    )

  def update(agent):
    def one(nets, key):
      nets, metrics = agent.update(key, nets, sample(key), 1)
      return nets, metrics['loss']

    return one

  sgd = build(1, 'slices', 'sgd').agent
  variants = (
    ('sampling the batch', sampling, nets),
    ('three forward passes', forward, nets),
    (
      'gradient, SGD and the copy of the target',
      update(sgd),
      {
        'q': nets['q']._replace(
          opt_state=sgd.spec.nets['q'].optimizer.init(nets['q'].params)
        ),
      },
    ),
    ('Adam', update(experiment.agent), nets),
  )
  rows, before = [], 0.0
  for name, function, carry in variants:
    compiled = jax.jit(
      lambda nets, keys, f=function: jax.lax.scan(f, nets, keys)
    )
    keys = jax.random.split(jax.random.PRNGKey(0), STEPS)
    times = []
    for _ in range(REPEATS + 1):
      begun = time.perf_counter()
      jax.block_until_ready(compiled(carry, keys))
      times.append(1e3 * (time.perf_counter() - begun) / STEPS)
    spent = statistics.median(times[1:])  # The first one compiles.
    rows.append(
      {'part': name, 'ms': f'{spent - before:.3f}', 'in all': f'{spent:.3f}'}
    )
    before = spent
  return rows


def peer(command: str) -> dict:
  output = subprocess.run(
    shlex.split(command), capture_output=True, text=True, check=True
  ).stdout
  line = next(x for x in output.splitlines() if x.startswith('RESULT '))
  return json.loads(line.removeprefix('RESULT '))


def _beside_bound(measured, gflops):
  """Columns of a row: the rate, and a step's time over its update's bound."""
  step_ms = 1e3 / measured['rate']
  bound_ms = measured['update_flops'] / gflops / 1e6
  rate, low, high = (f'{measured[key]:.0f}' for key in ('rate', 'low', 'high'))
  return {
    'steps/s (all seeds)': f'{rate} [{low}, {high}]',
    'ms a step and seed': f'{step_ms:.4f}',
    'of it, acting and environment': f'{measured["collect_ms"]:.4f}',
    'bound of an update, ms': f'{bound_ms:.4f}',
    'x bound': f'{step_ms / bound_ms:.2f}',
  }


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--peer', default='')
  arguments = parser.parse_args()
  cores = len(os.sched_getaffinity(0))
  gflops = matmul_gflops()
  measured = [
    {'form': form, **measure(build(seeds, form))}
    for seeds in (1, 8)
    for form in ('slices', 'lax')
  ]
  dense = [
    {'form': name, **measure(_built(module.get_config(variant), seeds))}
    for name, (module, variant) in DENSE.items()
    for seeds in (1, 10)
  ]
  where = parts()
  other = peer(arguments.peer) if arguments.peer else None
  rows = []
  for m in measured:
    plain = next(
      o for o in measured if o['seeds'] == m['seeds'] and o['form'] == 'lax'
    )
    rows.append(
      {
        'seeds': m['seeds'],
        'convolution': m['form'],
        'x plain form': f'{m["rate"] / plain["rate"]:.2f}',
        'x peer': (f'{m["rate"] / other["steps_per_s"]:.2f}' if other else '-'),
        **_beside_bound(m, gflops),
      }
    )
  lines = [
    '# Speed of DQN on MinAtar Breakout',
    '',
    f'Convolution 16 3x3, dense 128, batch 32, one update a step, on {cores} '
    f'core(s). Median of {REPEATS} segments of {STEPS} steps, lowest and '
    'highest in brackets. The bound is the FLOPs of an update (XLA, lowered '
    f'program: {measured[0]["update_flops"] / 1e6:.1f} MFLOP) at the rate of '
    f'a 1024^3 matrix product in the same run ({gflops:.0f} GFLOP/s).',
    '',
    studies.table(rows),
    '',
    'The same of layers of 64 x 64, as their configs have them:',
    '',
    studies.table(
      [
        {'': m['form'], 'seeds': m['seeds'], **_beside_bound(m, gflops)}
        for m in dense
      ]
    ),
    '',
    'Where the time of an update goes (1 seed, slices), each line timed '
    'with those above it in a scan:',
    '',
    studies.table(where),
    '',
  ]
  if other:
    lines += [
      f'Peer: {other["peer"]}, {other["net"]}, {other["env"]}: '
      f'{other["steps_per_s"]} steps/s, windows {other["windows"]}, '
      f'{other["versions"]}.',
      '',
    ]
  lines += [
    f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
    '',
    "    python -m benchmarks.minatar_speed --peer='...'",
    '',
  ]
  studies.RESULTS.mkdir(exist_ok=True)
  text = '\n'.join(lines)
  (studies.RESULTS / 'minatar_speed.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
