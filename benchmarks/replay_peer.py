"""Times cpprb's replay of stacked frames; started by `replay_speed`.

Runs under a Python of its own, which has cpprb and numpy. Reads the frames and
ends of one environment's episodes and fills a buffer. Answers every line that
it is sent by a line of JSON: first what the buffer is, then always the times
of a window of samples.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

import numpy as np

STACK, BATCH, WINDOW = 4, 32, 100


def resident() -> int:
  """Bytes of this process in memory."""
  pages = int(pathlib.Path('/proc/self/statm').read_text().split()[1])
  return pages * os.sysconf('SC_PAGE_SIZE')


def fill(make_buffer, frames, last):
  buffer = make_buffer(
    len(frames) - 1,
    {
      'obs': {'shape': (*frames.shape[1:], STACK), 'dtype': np.uint8},
      'act': {'dtype': np.int32},
      'rew': {},
      'done': {},
    },
    next_of='obs',
    stack_compress='obs',
  )
  s_tm1 = np.stack([frames[0]] * STACK, -1)
  for t in range(len(frames) - 1):
    s_t = np.concatenate([s_tm1[..., 1:], frames[t + 1][..., None]], -1)
    done = bool(last[t])
    buffer.add(obs=s_tm1, act=0, rew=0.0, next_obs=s_t, done=float(done))
    if done:
      buffer.on_episode_end()
    s_tm1 = np.stack([frames[t + 1]] * STACK, -1) if done else s_t
  return buffer


def window(call) -> list[float]:
  """Milliseconds of each of some calls."""
  times = []
  for _ in range(WINDOW):
    begun = time.perf_counter()
    call()
    times.append(1e3 * (time.perf_counter() - begun))
  return times


def main() -> None:
  import cpprb  # Here, for `replay_speed` uses this file without it.

  with np.load(sys.argv[1]) as file:
    frames, last = file['frames'], file['last']
  before, begun = resident(), time.perf_counter()
  buffer = fill(cpprb.ReplayBuffer, frames, last)
  grown, spent = resident() - before, time.perf_counter() - begun
  transitions = len(frames) - 1
  sys.stdin.readline()
  print(
    json.dumps(
      {
        'version': importlib.metadata.version('cpprb'),
        'transitions': transitions,
        'bytes': grown / transitions,
        'add_us': 1e6 * spent / transitions,
      }
    ),
    flush=True,
  )

  def contiguous():
    batch = buffer.sample(BATCH)
    for name in ('obs', 'next_obs'):
      np.ascontiguousarray(batch[name])

  for _ in sys.stdin:
    print(
      json.dumps(
        {
          'frames': window(lambda: buffer.sample(BATCH)),
          'contiguous': window(contiguous),
        }
      ),
      flush=True,
    )


if __name__ == '__main__':
  main()
