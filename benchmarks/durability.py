"""Runs that are killed again and again: what is lost?

  make durability

50 times `kill -9` at random moments, spread over runs of the three loops: on
the device (MinAtar), MuJoCo on the host (SAC), Atari on the host (DQN). Each is
started again by the same command until it is done, and then compared with a
run that nothing disturbed; when it is done before its kills are used up,
another run begins. Then a disk that is full, and the pause that a save is to
training. Goes on where it was stopped. Writes results/durability.md.
"""

import collections
import dataclasses
import json
import os
import pathlib
import random
import shutil
import subprocess
import time

from benchmarks import killing
from benchmarks import saving
from benchmarks import studies
from plasticity_rl import revision
from plasticity_rl.run import run_folder

SEED = 0
FOLDER = studies.RUNS / 'durability'
_LOOK = {
  'evaluation.episodes': 1,
  'evaluation.max_steps': 100,
  'diagnostics.every_steps': 500,
  'diagnostics.names': "('weight_norm',)",
  'replay.min_size': 100,
}
DEVICE = killing.Loop(
  'device',
  'configs/minatar.py:breakout',
  6000,
  {
    **_LOOK,
    'num_seeds': 2,
    'segment_steps': 50,
    'replay.capacity': 2000,
    'replay.batch_size': 16,
    'evaluation.every_steps': 500,
    'checkpoint.every_steps': 100,
    'interventions': "('injection(at_steps=2000)', 'redo(every_updates=300)')",
  },
)
MUJOCO = killing.Loop(
  'MuJoCo',
  'configs/sac_dmc.py:cartpole_swingup',
  6000,
  {
    **_LOOK,
    'segment_steps': 50,
    'network.hidden': '(64, 64)',
    'replay.capacity': 2000,
    'replay.batch_size': 32,
    'evaluation.every_steps': 1000,
    'checkpoint.every_steps': 200,
    'interventions': "('injection(at_steps=2000)',)",
  },
)
ATARI = killing.Loop(
  'Atari',
  'configs/dqn_atari.py:breakout',
  2000,
  {
    **_LOOK,
    'segment_steps': 25,
    'network.convolutions': '((16, 8, 4), (32, 4, 2))',
    'network.hidden': '(64,)',
    'agent.target_period_updates': 50,
    'replay.capacity': 1000,
    'replay.batch_size': 16,
    'evaluation.every_steps': 1000,
    'checkpoint.every_steps': 50,
    'interventions': "('injection(at_steps=1000)',)",
  },
)
KILLS = ((DEVICE, 17), (MUJOCO, 17), (ATARI, 16))


class Record:
  """What happened so far, kept in a file."""

  def __init__(self, path: pathlib.Path, **empty):
    """Reads the file; `empty` is what a new one holds."""
    self._path = path
    self.facts = json.loads(path.read_text()) if path.exists() else empty

  def save(self) -> None:
    """Writes the file."""
    self._path.parent.mkdir(parents=True, exist_ok=True)
    run_folder.write_atomically(self._path, json.dumps(self.facts, indent=2))


def kill_again_and_again(
  loop: killing.Loop, num_kills: int, folder: pathlib.Path, seed: int = SEED
) -> dict:
  """Kills runs of a loop `num_kills` times and compares each at its end.

  Args:
    loop: what to run.
    num_kills: how often.
    folder: of the runs and of the record, where it goes on from.
    seed: of when it kills.

  Returns:
    `times` (of `killing.Times`), `kills` (a dict of `killing.Kill` each),
    `ends` (what differs at the end of each run) and `seconds`.
  """
  record = Record(
    folder / 'record.json', times=None, kills=[], ends=[], seconds=0.0
  )
  facts, begun = record.facts, time.monotonic()
  cache, whole = folder / 'cache', folder / 'undisturbed'
  spent = facts['seconds']

  def note():
    facts['seconds'] = spent + time.monotonic() - begun
    record.save()

  if not facts['times']:
    # Twice: the first one compiles what all others find in the cache.
    for path in (folder / 'first', whole):
      shutil.rmtree(path, ignore_errors=True)
      times = killing.undisturbed(loop, path, cache)
      print(f'{loop.name}: undisturbed, {times}', flush=True)
    facts['times'] = dataclasses.asdict(times)
    facts['ends'].append(killing.differences(folder / 'first', whole))
    note()
  times = killing.Times(**facts['times'])

  def run():
    """The folder of the run that is going on."""
    return folder / f'killed_{len(facts["ends"])}'

  def end():
    facts['ends'].append(killing.differences(run(), whole))
    note()
    print(
      f'{loop.name}: a run is done; differs in: '
      f'{", ".join(facts["ends"][-1]) or "nothing"}',
      flush=True,
    )

  attempts = len(facts['kills']) + len(facts['ends'])
  while len(facts['kills']) < num_kills:
    rng = random.Random(f'{seed} {loop.name} {attempts}')
    attempts += 1
    hit = killing.kill(loop, run(), cache, times, rng)
    if hit is None:
      end()
      continue
    facts['kills'].append(
      {**dataclasses.asdict(hit), 'run': len(facts['ends'])}
    )
    note()
    print(f'{loop.name} {len(facts["kills"])}/{num_kills}: {hit}', flush=True)
  if any(kill['run'] == len(facts['ends']) for kill in facts['kills']):
    killing.finish(killing.start(loop, run(), cache))
    end()
  return facts


def full_disk(
  loop: killing.Loop,
  folder: pathlib.Path,
  whole: pathlib.Path,
  cache: pathlib.Path,
) -> list[str]:
  """Runs on a file system with too little space, then with enough.

  Args:
    loop: what to run.
    folder: where to mount it, which takes root.
    whole: an undisturbed run.
    cache: of compiled programs.

  Returns:
    Sentences on what happened.
  """
  if os.geteuid():
    return ['Not tried: mounting a small file system takes root.']
  folder.mkdir(parents=True, exist_ok=True)
  one = max(_size(path) for path in (whole / 'checkpoints').iterdir())
  # Two checkpoints fit, and not the third, which is written beside them.
  size = int(2.5 * one)

  def mount(size, *options):
    subprocess.run(
      [
        'mount',
        '-t',
        'tmpfs',
        '-o',
        ','.join([f'size={size}', *options]),
        'tmpfs',
        str(folder),
      ],
      check=True,
    )

  mount(size)
  try:
    run = folder / 'run'
    process = killing.start(loop, run, cache)
    _, err = process.communicate()
    err = err.replace(f'{folder.absolute()}/', '')
    kept = killing.newest(run)
    left = [p.name for p in (run / 'checkpoints').glob('.*')]
    mount(20 * one, 'remount')
    killing.finish(killing.start(loop, run, cache))
    differs = killing.differences(run, whole)
  finally:
    subprocess.run(['umount', str(folder)], check=True)
  return [
    f'A file system of {size / 2**20:.1f} MiB, checkpoints of '
    f'{one / 2**20:.1f} MiB ({loop.name}): exit code {process.returncode}, '
    f'{len(err.splitlines())} line(s) on stderr:',
    '',
    *(f'    {line}' for line in err.splitlines()[-5:]),
    '',
    f'The checkpoint of step {kept} is whole; half-written ones left: '
    f'{len(left)}. With more space the same command went on to the end, '
    f'where it differs from the undisturbed run in: '
    f'{", ".join(differs) or "nothing"}.',
  ]


def _size(folder):
  return sum(p.stat().st_size for p in folder.rglob('*') if p.is_file())


def row(loop: killing.Loop, facts: dict) -> dict[str, str]:
  """The row of a loop in the table."""
  kills = facts['kills']
  hits = collections.Counter(kill['hit'] for kill in kills)
  ends = facts['ends'][1:]
  differ = sorted({name for end in ends for name in end})
  return {
    'loop': loop.name,
    'kills': len(kills),
    **{f'hit: {hit}': hits[hit] for hit in killing.AIMS},
    'checkpoints verified': sum(kill['whole'] for kill in kills),
    'damaged': sum(len(kill['damaged']) for kill in kills),
    'kills that lost a checkpoint': sum(
      kill['after'] < kill['before'] for kill in kills
    ),
    # Each kill was followed by the same command, which never failed.
    'resumed': f'{sum(kill["after"] >= 0 for kill in kills)} '
    f'(+ {sum(kill["after"] < 0 for kill in kills)} anew)',
    'runs to the end': len(ends),
    'differ from the undisturbed run': f'{sum(map(bool, ends))}'
    + (f' ({", ".join(differ)})' if differ else ''),
    'seconds': f'{facts["seconds"]:.0f}',
  }


def rest() -> tuple[list[str], list[str], list[str]]:
  """Lines on the disk and on pauses, and the commits of the runs."""
  record = Record(FOLDER / 'rest.json', disk=None, pauses=None)
  device = FOLDER / DEVICE.name
  if not record.facts['disk']:
    record.facts['disk'] = full_disk(
      DEVICE, FOLDER / 'full', device / 'undisturbed', device / 'cache'
    )
    record.save()
  if not record.facts['pauses']:
    record.facts['pauses'] = saving.report()
    record.save()
  commits = {
    json.loads(path.read_text())['git_revision'][:7]
    for path in FOLDER.glob(f'*/*/{run_folder.CONFIG}')
  }
  return record.facts['disk'], record.facts['pauses'], sorted(commits)


def main() -> None:
  rows = []
  for loop, num_kills in KILLS:
    facts = kill_again_and_again(loop, num_kills, FOLDER / loop.name)
    rows.append(row(loop, facts))
  disk, pauses, begun_from = rest()
  text = '\n'.join(
    [
      '# Durability',
      '',
      'Runs of each loop are killed (`kill -9`) at random moments and started '
      'again by the same command until they are done. After each kill every '
      'checkpoint is verified against its digests. "Resumed" are those that '
      'had a checkpoint to go on from; the others were hit before their first '
      'one and began anew. At its end a run is compared with one that nothing '
      'disturbed: metrics.csv but for the column of seconds, events.jsonl, '
      "every array of the last checkpoint, every file of the replay's.",
      '',
      studies.table(rows),
      '',
      'Moments are drawn from a seed; what a kill hit is seen by what it left. '
      'Checkpoints are due every two (Atari, the device) or four segments, '
      'so that many kills fall into a save. Seconds are those of the clock, '
      'while other processes ran.',
      '',
      '## A full disk',
      '',
      *disk,
      '',
      '## The pause of a save',
      '',
      *pauses,
      '',
      f'Machine: {studies.machine()}. Commit: {", ".join(begun_from)} (runs), '
      f'{revision.of_code()} (this page).',
      '',
      '    make durability',
      '',
    ]
  )
  studies.RESULTS.mkdir(exist_ok=True)
  (studies.RESULTS / 'durability.md').write_text(text)
  print(text)


if __name__ == '__main__':
  main()
