"""What `make durability` says of a killed run: what was hit, what is left."""

import dataclasses
import random
import sys

import numpy as np
import pytest

from benchmarks import durability
from benchmarks import killing
from plasticity_rl.run import checkpoint
from plasticity_rl.run import metrics
from plasticity_rl.settings import LogConfig
from tests.run import checkpoints as checkpoints_lib

# Writes checkpoints as a run does, without computing anything: each under a
# name of its own first, WRITES seconds long, with PAUSE seconds between them.
SCRIPT = """
import json, os, pathlib, sys, time
folder = pathlib.Path(sys.argv[1]) / 'checkpoints'
folder.mkdir(parents=True, exist_ok=True)
done = max([int(p.name) for p in folder.glob('[0-9]*')], default=0)
time.sleep(START)
for step in range(done + 1, LAST + 1):
  own = folder / f'.{step:010d}.{os.getpid()}'
  own.mkdir()
  time.sleep(WRITES)
  (own / 'manifest.json').write_text(MANIFEST)
  own.rename(folder / f'{step:010d}')
  time.sleep(PAUSE)
"""


@dataclasses.dataclass(frozen=True)
class Fake(killing.Loop):
  """A loop whose process is a short script."""

  script: str = ''

  def command(self, folder):
    return [sys.executable, '-c', self.script, str(folder)]


def fake(start=0.0, writes=0.0, pause=0.0, last=10**6, manifest='{}'):
  script = SCRIPT
  for name, value in (
    ('START', start),
    ('WRITES', writes),
    ('PAUSE', pause),
    ('LAST', last),
    ('MANIFEST', repr(manifest)),
  ):
    script = script.replace(name, str(value))
  return Fake('fake', '', 0, {}, seconds=0.05, script=script)


class Rng(random.Random):
  """Always the same aim."""

  def __init__(self, aim):
    super().__init__(0)
    self._aim = aim

  def choices(self, *args, **kwargs):
    return [self._aim]


def killed(loop, folder, aim):
  return killing.kill(
    loop, folder, folder / 'cache', killing.Times(0.1, 0.0), Rng(aim)
  )


def test_before_its_first_checkpoint(tmp_path):
  found = killed(fake(start=100), tmp_path, killing.START)
  assert found == killing.Kill('start', 'start', -1, -1, 0, ())


def test_amidst_a_save(tmp_path):
  found = killed(fake(writes=100), tmp_path, killing.SAVE)
  assert found == killing.Kill('save', 'save', -1, -1, 0, ())
  assert list(tmp_path.glob('checkpoints/.*'))


def test_between_saves(tmp_path):
  found = killed(fake(pause=100), tmp_path, killing.TRAINING)
  assert found == killing.Kill('training', 'training', -1, 1, 1, ())
  # It is the process that is killed which trains, not the one before.
  again = killed(fake(start=100), tmp_path, killing.START)
  assert again == killing.Kill('start', 'start', 1, 1, 1, ())


def test_damage_is_told(tmp_path):
  killed(fake(pause=100), tmp_path, killing.TRAINING)
  (tmp_path / 'checkpoints' / '0000000001').rename(
    tmp_path / 'checkpoints' / '0000000003'
  )
  bad = tmp_path / 'checkpoints' / '0000000002'
  bad.mkdir()
  found = killed(fake(start=100), tmp_path, killing.START)
  assert found.damaged == ('0000000002: no readable manifest.json',)
  assert (found.after, found.whole) == (3, 2)


def test_a_run_that_ends_was_not_killed(tmp_path):
  assert killed(fake(last=1), tmp_path, killing.SAVE) is None
  assert killing.newest(tmp_path) == 1


def test_a_run_that_fails_is_no_end(tmp_path):
  failing = dataclasses.replace(fake(), script='raise SystemExit("too bad")')
  with pytest.raises(RuntimeError, match='too bad'):
    killed(failing, tmp_path, killing.TRAINING)


# --- Two ends ---


def ended(folder, value=1.0, loss=0.5, text='intervention', data=b'frames'):
  """A run folder at its end."""
  writers = metrics.Writers(folder, LogConfig(progress=False), -1, 1)
  measured = {'train/loss': np.array([loss])}
  missing = {'train/loss': np.array([False])}
  writers.write(10, 5, random.random(), measured, missing)
  writers.event(10, event=text)

  class Replay:
    def save(self, where):
      where.mkdir(parents=True)
      (where / 'frames.bin').write_bytes(data)

  checkpoints = checkpoint.Checkpoints(folder)
  checkpoints.save(
    10,
    checkpoints_lib.state_of(value),
    {'history': []},
    {'replay_0': Replay()},
  )
  checkpoints.wait()
  return folder


@pytest.mark.parametrize(
  'changes, names',
  (
    ({}, []),
    (
      {'value': np.nextafter(np.float32(1), np.float32(2))},
      ['nets.q.params.head.w'],
    ),
    ({'loss': 0.5000001}, ['metrics.csv']),
    ({'text': 'another'}, ['events.jsonl']),
    ({'data': b'framez'}, ['data/replay_0/frames.bin']),
  ),
)
def test_differences_are_named(tmp_path, changes, names):
  (tmp_path / 'a').mkdir()
  (tmp_path / 'b').mkdir()
  one = ended(tmp_path / 'a')
  other = ended(tmp_path / 'b', **changes)
  assert killing.differences(one, other) == names


def test_row_counts_what_happened():
  kills = [
    dataclasses.asdict(killing.Kill(*kill))
    for kill in (
      ('start', 'start', -1, -1, 0, ()),
      ('save', 'save', -1, 10, 2, ('0000000020: no readable manifest',)),
      ('save', 'training', 10, 5, 1, ()),
    )
  ]
  loop = durability.DEVICE
  row = durability.row(
    loop, {'kills': kills, 'ends': [[], [], ['metrics.csv']], 'seconds': 12.3}
  )
  assert row == {
    'loop': 'device',
    'kills': 3,
    'hit: start': 1,
    'hit: training': 1,
    'hit: save': 1,
    'checkpoints verified': 3,
    'damaged': 1,
    'kills that lost a checkpoint': 1,
    'resumed': '2 (+ 1 anew)',
    'runs to the end': 2,
    'differ from the undisturbed run': '1 (metrics.csv)',
    'seconds': '12',
  }
