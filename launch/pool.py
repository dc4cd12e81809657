"""The process pool of a machine: a worker in each slot, a job at a time."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError

from . import commands
from . import folder as folder_lib
from . import job
from . import launcher
from . import slots as slots_lib

_POLL = 0.2


class Pool:
  """Workers in slots: what is ready is begun where there is room."""

  def __init__(self, launch: launcher.Launch, slots: Sequence[slots_lib.Slot]):
    """For the jobs of `launch.todo`."""
    self._launch = launch
    self._waiting = list(launch.todo)
    self._free = list(slots)
    self._running: dict[str, tuple[subprocess.Popen, slots_lib.Slot]] = {}
    self._over: dict[str, str] = {}  # Job -> what it came to.
    self._stop = False

  def stop(self, *_) -> None:
    """Lets every run save and end. A signal handler."""
    self._stop = True

  def run(self) -> Mapping[str, str]:
    """Runs until all is done or failed; the state of each job."""
    told = False
    while self._running or (self._waiting and not self._stop):
      if self._stop and not told:
        told = True
        print(
          f'stopping: {len(self._running)} runs save what they have',
          file=sys.stderr,
        )
        for process, _ in self._running.values():
          process.terminate()
      if not self._stop:
        self._begin()
      self._collect()
      time.sleep(_POLL)
    return self._over

  def _begin(self):
    for name in list(self._waiting):
      if not self._free:
        return
      prefix = self._launch.jobs[name]['past']
      if prefix in self._waiting or prefix in self._running:
        continue
      state = folder_lib.read_state(self._launch.folder, name)['state']
      if state == folder_lib.RUNNING:  # Another launcher's: see again later.
        continue
      self._waiting.remove(name)
      if state == folder_lib.DONE:
        self._end(name, state)
        continue
      slot = self._free.pop(0)
      arguments = commands.worker(
        str(self._launch.folder),
        name,
        f'--cores={",".join(map(str, slot.cores))}',
      )
      # A session of its own: Ctrl-C reaches the pool alone, which asks once.
      process = subprocess.Popen(
        [sys.executable, *arguments],
        start_new_session=True,
        env={**os.environ, **slot.environment},
      )
      self._running[name] = (process, slot)

  def _collect(self):
    for name, (process, slot) in list(self._running.items()):
      code = process.poll()
      if code is None:
        continue
      del self._running[name]
      self._free.append(slot)
      if code == job.BUSY:
        self._waiting.append(name)
        continue
      state = folder_lib.recorded(self._launch.folder, name)
      self._end(name, state.get('state', folder_lib.FAILED))

  def _end(self, name, state):
    self._over[name] = state
    facts = folder_lib.recorded(self._launch.folder, name)
    total = len(self._over) + len(self._waiting) + len(self._running)
    said = f'[{len(self._over)}/{total}] {state}: {name}'
    if state == folder_lib.FAILED:
      said += f': {facts.get("error", "?")} (log: {facts.get("log", "?")})'
    elif 'seconds' in facts:
      said += f' ({facts["seconds"]:.0f} s)'
    print(said, flush=True)


def check_memory(launch: launcher.Launch, count: int) -> None:
  """Refuses a launch whose largest runs would not fit side by side."""
  from . import memory  # Imports JAX.

  available = memory.available()
  programs, sizes = {}, {}
  for name in launch.todo:
    config = launch.jobs[name]['config']
    # All else that a run is told makes no odds.
    alike = repr(
      [
        config[key]
        for key in (
          'num_seeds',
          'agent',
          'network',
          'optimizer',
          'environment',
          'replay',
        )
      ]
    )
    if alike not in programs:
      programs[alike] = memory.of_run(settings_lib.resolve(config))
    sizes[name] = programs[alike]
  largest = sorted(sizes, key=sizes.__getitem__, reverse=True)[:count]
  needed = sum(sizes[name] for name in largest)
  if available is not None and needed > available:
    fits = sum(
      sum(sizes[n] for n in largest[: i + 1]) <= available
      for i in range(len(largest))
    )
    advice = (
      f'take --max_parallel={fits}'
      if fits
      else 'take a smaller replay.capacity or fewer seeds'
    )
    raise UserError(
      f'{len(largest)} runs at a time need about {needed / 2**30:.1f} GiB '
      f'({largest[0]}: {sizes[largest[0]] / 2**30:.1f}), but '
      f'{available / 2**30:.1f} GiB are free: {advice}'
    )
