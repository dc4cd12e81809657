"""Memory of the replay on the device, and the time of a batch, for MinAtar.

  taskset -c 0 python -m benchmarks.device_replay

A replay of 100k transitions of Breakout's boolean planes, in three layouts:
both observations of each transition in bytes, as earlier versions held them;
each observation once, in bytes; and once, in bits, as it is. A batch of 32 is
drawn, and made the float32 that a network takes, in a scan. Then the state of
10 such seeds is saved. Writes results/device_replay.md.
"""

import pathlib
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import studies
from configs import minatar
from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.replay.device_ring import DeviceRing
from plasticity_rl.run import checkpoint
from plasticity_rl.training import experiment as experiment_lib
from plasticity_rl.types import Counters

ROWS, BATCH, SHAPE, SHORTEST = 100_000, 32, (10, 10, 4), 6
SEEDS, SAMPLES, REPEATS = (1, 10), 2000, 9
OUT = studies.RESULTS / 'device_replay.md'
# The same by the code of commit c05a4e7, on the same machine.
EARLIER = {'state': 839.4, 'peak': 3.99}

Sample = Callable[[jax.Array, Any], Any]


def twice() -> tuple[Any, Sample]:
  """The layout of earlier versions: a replay, and how it is sampled."""
  observations, scalars = ((ROWS, 1, *SHAPE), bool), ((ROWS, 1), jnp.float32)
  replay = [jnp.zeros(*x) for x in [observations] * 2 + [scalars] * 3]
  replay.append(jnp.zeros((ROWS, 1), bool))

  def sample(key, replay):
    row_key, env_key = jax.random.split(key)
    row = jax.random.randint(row_key, (BATCH,), 0, ROWS)
    env = jax.random.randint(env_key, (BATCH,), 0, 1)
    return [x[row % ROWS, env] for x in replay]

  return replay, sample


def once(dtype: str) -> tuple[Any, Sample]:
  """Today's layout of these observations: bool is held in bits."""
  ring = DeviceRing(
    ROWS, BATCH, 1, 0.99, jax.ShapeDtypeStruct(SHAPE, dtype), SHORTEST
  )
  full = Counters(*(jnp.array(x) for x in (0, 0, ROWS, 0)))
  return (
    ring.init(jax.ShapeDtypeStruct((1,), 'int32')),
    lambda key, replay: ring.sample(key, replay, full),
  )


LAYOUTS = {
  'both observations, bytes (earlier)': twice,
  'once, bytes': lambda: once('uint8'),
  'once, bits': lambda: once('bool'),
}


def timed(replay: Any, sample: Sample, seeds: int) -> Callable[[], float]:
  """Measures the microseconds of a batch of one seed."""
  replays = jax.tree.map(lambda x: jnp.stack([x] * seeds), replay)

  @jax.jit
  def run(replays):
    def one(total, key):
      batches = jax.vmap(lambda replay: sample(key, replay))(replays)
      return total + sum(
        x.astype(jnp.float32).sum() for x in jax.tree.leaves(batches)
      ), None

    keys = jax.random.split(jax.random.PRNGKey(0), SAMPLES)
    return jax.lax.scan(one, 0.0, keys)[0]

  run(replays).block_until_ready()

  def measure():
    begun = time.perf_counter()
    run(replays).block_until_ready()
    return 1e6 * (time.perf_counter() - begun) / SAMPLES / seeds

  return measure


def rows() -> list[dict[str, str]]:
  """A line a layout; the layouts are timed in turn."""
  made = {name: make() for name, make in LAYOUTS.items()}
  times: dict[tuple[str, int], list[float]] = {}
  for seeds in SEEDS:
    runs = {name: timed(*one, seeds) for name, one in made.items()}
    for _ in range(REPEATS):
      for name, run in runs.items():
        times.setdefault((name, seeds), []).append(run())

  def shown(values):
    return f'{min(values):.1f} ({statistics.median(values):.1f})'

  return [
    {
      'layout': name,
      'bytes a transition': f'{size / ROWS:.1f}',
      '10 seeds, MB': f'{10 * size / 1e6:.0f}',
      **{f'us a batch, {n} seed(s)': shown(times[name, n]) for n in SEEDS},
    }
    for name, (replay, _) in made.items()
    for size in [sum(x.nbytes for x in jax.tree.leaves(replay))]
  ]


def saved() -> tuple[float, float]:
  """MB of the state of 10 seeds; GB of the process at most, with a save."""
  config = minatar.get_config()
  config.update_from_flattened_dict(
    {'num_seeds': 10, 'segment_steps': 100, 'num_steps': 1000}
  )
  experiment = experiment_lib.build(settings_lib.resolve(config))
  state, _ = experiment.trainer.segment(experiment.init())
  with tempfile.TemporaryDirectory() as folder:
    checkpoints = checkpoint.Checkpoints(pathlib.Path(folder))
    checkpoints.save(1, experiment.trainer.to_checkpoint(state), {})
    checkpoints.wait()
  size = sum(x.nbytes for x in jax.tree.leaves(state))
  most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  return size / 1e6, most * 1024 / 1e9


def main() -> None:
  state, peak = saved()
  OUT.write_text(
    '\n'.join(
      [
        '# Memory and time of the replay on the device',
        '',
        "MinAtar's Breakout: observations of 10 x 10 x 4 booleans, a replay of "
        f'{ROWS} transitions a seed, batches of {BATCH}. Best (median) of '
        f'{REPEATS} scans of {SAMPLES} batches, the layouts in turn; other '
        'processes ran meanwhile. A batch holds both observations in float32.',
        '',
        studies.table(rows()),
        '',
        'A whole run of 10 seeds: '
        f'the state takes {state:.0f} MB ({EARLIER["state"]:.0f} MB earlier), '
        f'and the process {peak:.3g} GB at most, while a checkpoint is '
        f'written ({EARLIER["peak"]:.3g} GB earlier).',
        '',
        f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
        '',
        '    python -m benchmarks.device_replay',
        '',
      ]
    )
  )
  print(OUT.read_text())


if __name__ == '__main__':
  main()
