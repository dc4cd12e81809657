"""Parts about time: updates, environments, the host loop, an injection."""

import time
from typing import Any

import jax
import numpy as np

from benchmarks.accelerator import programs
from benchmarks.accelerator.sizes import Sizes
from configs import sac_dmc
from plasticity_rl import settings as settings_lib
from plasticity_rl.interventions import expression
from plasticity_rl.run import flops as flops_lib
from plasticity_rl.training import experiment as experiment_lib

Rows = list[dict[str, Any]]


def update_time(sizes: Sizes) -> Rows:
  """Updates beside the roofline of the device, measured too."""
  peaks, rows = programs.peaks(sizes), []
  for name in programs.AGENTS:
    config, spaces = programs.config_of(name, sizes)
    agent = programs.make_agent(config, spaces)
    batch = jax.device_put(programs.batch_of(spaces, config.replay.batch_size))
    nets = agent.init(jax.random.PRNGKey(0))
    run = programs.updates(agent, sizes.updates)
    seconds = (
      programs.best_seconds(
        lambda r=run, n=nets, b=batch: r(n, b), sizes.repeats
      )
      / sizes.updates
    )
    lowered = jax.jit(agent.update).lower(
      jax.random.PRNGKey(0), nets, batch, np.int32(1)
    )
    compiled = lowered.compile()
    flops = float(lowered.cost_analysis()['flops'])
    accessed = float(compiled.cost_analysis()['bytes accessed'])
    bound = max(flops / peaks.flops, accessed / peaks.bandwidth)
    rows.append(
      {
        'agent': name,
        'ms an update': 1e3 * seconds,
        'MFLOP': flops / 1e6,
        'MB accessed': accessed / 1e6,
        'launches': programs.launches(compiled.as_text()),
        'bound, ms': 1e3 * bound,
        'x bound': seconds / bound,
        'TFLOP/s of the device': peaks.flops / 1e12,
        'GB/s of the device': peaks.bandwidth / 1e9,
      }
    )
  return rows


def convolutions(sizes: Sizes) -> Rows:
  """Updates with each form of the convolution."""
  rows = []
  for name in ('DQN, Nature network', 'DrQ'):
    for form in ('lax', 'slices'):
      config, spaces = programs.config_of(name, sizes)
      config.network.convolution = form
      agent = programs.make_agent(config, spaces)
      batch = jax.device_put(
        programs.batch_of(spaces, config.replay.batch_size)
      )
      nets = agent.init(jax.random.PRNGKey(0))
      run = programs.updates(agent, sizes.updates)
      seconds = programs.best_seconds(
        lambda r=run, n=nets, b=batch: r(n, b), sizes.repeats
      )
      rows.append(
        {
          'agent': name,
          'convolution': form,
          'ms an update': 1e3 * seconds / sizes.updates,
        }
      )
  return rows


def over_seeds(name: str, sizes: Sizes) -> Rows:
  """Steps a second, all seeds together, an update a step."""
  return _steps(name, sizes, [(seeds, 1) for seeds in sizes.seeds])


def over_environments(name: str, sizes: Sizes) -> Rows:
  """Steps a second of one seed, an update for each step of all of them."""
  return _steps(name, sizes, [(1, envs) for envs in sizes.envs])


def _steps(name, sizes, points):
  rows = []
  for seeds, envs in points:
    row: dict[str, Any] = {'seeds': seeds, 'environments': envs}
    rows.append(row)
    try:
      experiment = programs.game(name, sizes, seeds, envs)
      seconds, state = programs.segment_seconds(experiment, sizes.repeats)
    except jax.errors.JaxRuntimeError as error:
      if 'RESOURCE_EXHAUSTED' not in str(error):
        raise
      row['steps/s'] = None  # It does not fit, and no larger one will.
      break
    costs = flops_lib.costs(experiment.agent, experiment.trainer.batch, state)
    row['steps/s'] = seeds * envs * sizes.rows / seconds
    row['updates/s'] = seeds * sizes.rows / seconds
    row['GFLOP/s of updates'] = row['updates/s'] * costs.update / 1e9
  return rows


def host_loop(sizes: Sizes) -> Rows:
  """SAC on the host, with environments and updates at the same time or not."""
  rows = []
  for overlap in (False, True):
    for ratio in (1, 32):
      config = sac_dmc.get_config('cheetah_run' + f',rr{ratio}' * (ratio > 1))
      if sizes.small:
        shrink_to = 8
        programs.shrink(config)
      else:
        shrink_to = 1000
      config.environment.overlap = overlap
      config.replay.capacity = 10_000
      config.replay.min_size = config.agent.random_steps = shrink_to
      config.segment_steps = max(8, shrink_to // ratio)
      experiment = experiment_lib.build(settings_lib.resolve(config))
      state = experiment.init()
      while not int(state.counters.updates):  # Fills the replay, and compiles.
        state, _ = experiment.trainer.segment(state)
      best = float('inf')
      for _ in range(sizes.repeats):
        begun = time.perf_counter()
        state, metrics = experiment.trainer.segment(state)
        jax.block_until_ready((state.nets, metrics))
        best = min(best, time.perf_counter() - begun)
      rows.append(
        {
          'updates a step': ratio,
          'overlap': overlap,
          'steps/s': config.segment_steps / best,
        }
      )
  return rows


def injection(sizes: Sizes) -> Rows:
  """What an injection stops: itself, and the segment compiled after it."""
  experiment = programs.game('minatar', sizes, sizes.seeds[1], 1)
  segment, state = programs.segment_seconds(experiment, sizes.repeats)
  inject = experiment.intervene(expression.parse('injection(at_steps=0)'))
  begun = time.perf_counter()
  grown = jax.block_until_ready(inject(state))
  first = time.perf_counter() - begun
  again = programs.best_seconds(lambda: inject(state), sizes.repeats)
  times = []
  for _ in range(2):
    begun = time.perf_counter()
    grown, _ = experiment.trainer.segment(grown)
    jax.block_until_ready(grown)
    times.append(time.perf_counter() - begun)
  return [
    {
      'segment before, s': segment,
      'injection, compiled, s': first,
      'injection, again, s': again,
      'segment after, compiled, s': times[0],
      'segment after, again, s': times[1],
    }
  ]
