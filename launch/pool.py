"""The process pool of a machine: each slot runs one job at a time."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

from plasticity_rl import process as process_lib
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError

from . import commands
from . import folder as folder_lib
from . import job
from . import launcher
from . import slots as slots_lib

_POLL = 0.2


class Pool:
  """Starts a job as soon as it is ready and a slot is free."""

  def __init__(
    self,
    launches: Sequence[launcher.Launch],
    slots: Sequence[slots_lib.Slot],
  ):
    """For the jobs of `todo` of every launch, which go by their labels."""
    self._jobs = {
      one.label(name): (one, name) for one in launches for name in one.todo
    }
    self._waiting = list(self._jobs)
    self._free = list(slots)
    self._running: dict[str, tuple[subprocess.Popen, slots_lib.Slot]] = {}
    self._over: dict[str, str] = {}  # Job -> its final state.
    self._stop = False

  def stop(self, *_) -> None:
    """Makes every run save and end. A signal handler."""
    self._stop = True

  def run(self) -> Mapping[str, str]:
    """Runs until every job is done or failed; returns their states by label."""
    announced = False
    while self._running or (self._waiting and not self._stop):
      if self._stop and not announced:
        announced = True
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
    for label in list(self._waiting):
      if not self._free:
        return
      launch, name = self._jobs[label]
      prefix = launch.label(launch.jobs[name]['past'])
      if prefix in self._waiting or prefix in self._running:
        continue
      state = folder_lib.read_state(launch.folder, name)['state']
      if state == folder_lib.RUNNING:  # By another launcher; check again later.
        continue
      self._waiting.remove(label)
      if state == folder_lib.DONE:
        self._end(label, state)
        continue
      slot = self._free.pop(0)
      arguments = commands.worker(
        str(launch.folder),
        name,
        f'--cores={",".join(map(str, slot.cores))}',
      )
      # In a new session, Ctrl-C reaches only the pool, which stops the workers.
      process = subprocess.Popen(
        [sys.executable, *arguments],
        start_new_session=True,
        env={**os.environ, **slot.environment},
      )
      self._running[label] = (process, slot)

  def _collect(self):
    for label, (process, slot) in list(self._running.items()):
      code = process.poll()
      if code is None:
        continue
      del self._running[label]
      self._free.append(slot)
      if code == job.BUSY:
        self._waiting.append(label)
        continue
      launch, name = self._jobs[label]
      state = folder_lib.recorded(launch.folder, name)
      self._end(label, state.get('state', folder_lib.FAILED))

  def _end(self, label, state):
    self._over[label] = state
    launch, name = self._jobs[label]
    facts = folder_lib.recorded(launch.folder, name)
    total = len(self._over) + len(self._waiting) + len(self._running)
    line = f'[{len(self._over)}/{total}] {state}: {label}'
    if state == folder_lib.FAILED:
      line += f': {facts.get("error", "?")} (log: {facts.get("log", "?")})'
    elif 'seconds' in facts:
      line += f' ({facts["seconds"]:.0f} s)'
    print(line, flush=True)


@process_lib.settled()
def check_memory(launches: Sequence[launcher.Launch], count: int) -> None:
  """Checks that the largest runs fit into memory together.

  Args:
    launches: whose jobs are run together.
    count: runs at a time.

  Raises:
    UserError: the runs need more memory than there is.
  """
  from . import memory  # Imports JAX.

  available = memory.available()
  programs, sizes = {}, {}
  jobs = [(one, name) for one in launches for name in one.todo]
  for launch, name in jobs:
    config = launch.jobs[name]['config']
    # No other section of a config changes the memory.
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
    sizes[launch.label(name)] = programs[alike]
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
