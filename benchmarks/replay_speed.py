"""Memory of a transition, and time of a batch, of the replay on the host.

  python -m benchmarks.replay_speed [--peer-python=VENV/bin/python]

Random play of Atari games by envpool fills a plain and a compressed ring with
the same 84x84 frames, in stacks of four. Then batches of 32 are drawn in turn
from both and, if given a Python that has cpprb, from its buffer with
`stack_compress`, which runs in a process of its own. Writes
results/replay_speed.md.
"""

import argparse
import concurrent.futures
import contextlib
import functools
import json
import multiprocessing
import os
import pathlib
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import envpool
import jax
import numpy as np
import tqdm

from benchmarks import replay_peer
from benchmarks import studies
from plasticity_rl import revision
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.replay import host_spec
from plasticity_rl.replay import stacking
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.replay.host_ring import HostRing
from plasticity_rl.replay.host_spec import HostReplaySpec

# Few things move in Breakout. Everything does in Battle Zone, which of six
# games tried compressed worst.
GAMES = ('Breakout-v5', 'BattleZone-v5')
ENVS, STACK, BATCH = 8, 4, 32
ROUNDS = 10


def settings(capacity: int, compress: bool) -> HostReplaySpec:
  return HostReplaySpec(
    capacity=capacity,
    num_envs=ENVS,
    discount=0.99,
    stack=STACK,
    spaces=Spaces((84, 84, STACK), np.uint8, Discrete(18)),
    compress=compress,
  )


def play(game: str, rows: int) -> Iterator[Row]:
  """Random play, a row at a time."""
  env = envpool.make_gymnasium(
    game,
    num_envs=ENVS,
    seed=1,
    stack_num=STACK,
    episodic_life=False,
    reward_clip=True,
    noop_max=30,
  )
  rng = np.random.default_rng(0)

  def channels_last(observation):
    return np.moveaxis(observation, 1, -1).copy()

  s_tm1 = channels_last(env.reset()[0])
  for _ in tqdm.trange(rows, desc=game, leave=False, mininterval=10):
    actions = rng.integers(0, env.action_space.n, ENVS).astype(np.int32)
    observation, reward, terminated, truncated, _ = env.step(actions)
    s_t, last = channels_last(observation), terminated | truncated
    yield Row(
      s_tm1,
      actions,
      reward.astype(np.float32),
      1 - terminated.astype(np.float32),
      s_t,
      last,
    )
    s_tm1 = s_t.copy()
    if last.any():
      s_tm1[last] = channels_last(env.reset(np.flatnonzero(last))[0])


class Filled(NamedTuple):
  """The rings after a game, and what filling them showed."""

  rings: dict[str, HostRing]
  add_us: dict[str, float]
  episodes: int
  # Memory of the process, over what the rings say that they hold.
  resident: float


def fill(game: str, capacity: int, folder: pathlib.Path) -> Filled:
  """Plays until the rings are full; one environment's frames into a file."""
  rings = {
    name: HostRing(settings(capacity, name == 'compressed'))
    for name in ('plain', 'compressed')
  }
  spent = dict.fromkeys(rings, 0.0)
  frames, lasts, episodes = [], [], 0
  before = None
  for row in play(game, capacity // ENVS):
    before = before or replay_peer.resident()
    for name, ring in rings.items():
      begun = time.perf_counter()
      ring.add(row)
      spent[name] += time.perf_counter() - begun
    frames.append(row.s_tm1[0, ..., -1].copy())
    lasts.append(row.last[0])
    episodes += int(row.last.sum())
  grown = replay_peer.resident() - before
  grown -= len(frames) * frames[0].nbytes
  np.savez(folder / 'frames.npz', frames=frames, last=lasts)
  return Filled(
    rings,
    {k: 1e6 * v / capacity for k, v in spent.items()},
    episodes,
    grown / sum(ring.nbytes for ring in rings.values()),
  )


@contextlib.contextmanager
def peer(python: str, frames: pathlib.Path) -> Iterator[Callable | None]:
  """A process that times cpprb; what is yielded asks it for results."""
  if not python:
    yield None
    return
  script = pathlib.Path(replay_peer.__file__)
  with subprocess.Popen(
    [python, script, frames],
    text=True,
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
  ) as process:

    def ask():
      print(file=process.stdin, flush=True)
      return json.loads(process.stdout.readline())

    yield ask
    process.stdin.close()


def measure(
  rings: dict[str, HostRing], process: Callable | None
) -> dict[str, list[float]]:
  """Milliseconds of calls, in windows that take turns."""
  rng = np.random.default_rng(0)
  stacked = jax.jit(stacking.stacked, static_argnums=1)
  calls = {}
  for name, ring in rings.items():
    calls |= {
      f'{name}: frames': functools.partial(ring.sample_frames, rng, BATCH),
      f'{name}: stacked in jit': lambda ring=ring: jax.block_until_ready(
        stacked(ring.sample_frames(rng, BATCH), STACK)
      ),
      f'{name}: stacked by numpy': functools.partial(ring.sample, rng, BATCH),
    }
  times = {name: [] for name in calls}
  for _ in range(ROUNDS):
    for name, call in calls.items():
      call()
      times[name] += replay_peer.window(call)
    if process:
      for name, window in process().items():
        times.setdefault(f'cpprb: {name}', []).extend(window)
  return times


def report(game: str, capacity: int, python: str) -> list[str]:
  """Lines about one game."""
  with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    filled = fill(game, capacity, folder)
    with peer(python, folder / 'frames.npz') as process:
      other = process() if process else None
      times = measure(filled.rings, process)
  memory = [
    {
      'buffer': name,
      'bytes a transition': f'{ring.nbytes / capacity:.0f}',
      'estimated before': f'{host_spec.bytes_needed(ring.settings) / capacity:.0f}',
      'us to add one': f'{filled.add_us[name]:.0f}',
    }
    for name, ring in filled.rings.items()
  ]
  if other:
    memory.append(
      {
        'buffer': f'cpprb {other["version"]}, stack_compress, '
        f'{other["transitions"]} transitions',
        'bytes a transition': f'{other["bytes"]:.0f}',
        'us to add one': f'{other["add_us"]:.0f}',
      }
    )
  # Beside the peer in the same form: frames as they lie, or contiguous stacks.
  rows = []
  for name, window in times.items():
    form = 'frames' if name.endswith('frames') else 'contiguous'
    theirs = times.get(f'cpprb: {form}')
    rows.append(
      {
        'batch of 32': name,
        'median ms': f'{statistics.median(window):.3f}',
        'best ms': f'{min(window):.3f}',
        # Of the best, which other work on the machine disturbs least.
        'x as fast as cpprb (best)': '-'
        if theirs is None
        else (f'{min(theirs) / min(window):.2f}'),
      }
    )
  return [
    f'## {game}',
    '',
    f'{capacity} transitions of {ENVS} environments in {filled.episodes} '
    'episodes. The process grew by '
    f'{filled.resident:.2f} of what the two rings say that they hold.',
    '',
    studies.table(memory),
    '',
    studies.table(rows),
    '',
  ]


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--peer-python', default='')
  parser.add_argument('--capacity', type=int, default=100_000)
  arguments = parser.parse_args()
  lines = [
    '# Memory and speed of the replay on the host',
    '',
    f'84x84 frames of random play, stacks of {STACK}, uniform batches of '
    f'{BATCH}; {ROUNDS} windows of {replay_peer.WINDOW} batches of each kind '
    'in turn. '
    "'frames' copies each frame of the batch and leaves stacking to whom it "
    'gives them: to the jitted learner here, to a strided view in cpprb. '
    "'contiguous' and 'stacked' give arrays `[32, 84, 84, 4]` in row-major "
    'order; in jit is on the CPU backend, with the copy to it. The '
    "rings' memory is counted; cpprb's is the growth of its process, and it "
    "holds one environment's frames only, which favours its caches.",
    '',
  ]
  # A process each, whose memory was nobody's before.
  spawn = multiprocessing.get_context('spawn')
  for game in GAMES:
    with concurrent.futures.ProcessPoolExecutor(1, spawn) as pool:
      lines += pool.submit(
        report, game, arguments.capacity, arguments.peer_python
      ).result()
  if not arguments.peer_python:
    lines += ['cpprb was skipped: no --peer-python was given.', '']
  lines += [
    f'Machine: {studies.machine()}; load average at the end '
    f'{os.getloadavg()[1]:.1f}. Commit: {revision.of_code()}.',
    '',
    '    python -m benchmarks.replay_speed'
    + (' --peer-python=PYTHON' if arguments.peer_python else ''),
    '',
  ]
  text = '\n'.join(lines)
  (studies.RESULTS / 'replay_speed.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
