"""Writes small talk folders that look like a launcher's, with their files."""

import json

from plasticity_rl.analysis.study import claims
from plasticity_rl.analysis.study import decided
from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast
from tests.analysis import study_writer

PART = '''"""Does it gain on {name}?"""

from plasticity_rl.analysis.study.claims import Above
from plasticity_rl.analysis.study.claims import Claim
from plasticity_rl.analysis.study.quantities import Contrast

CLAIMS = ({claims},)
'''
TALK = '''"""Is it told?"""

from plasticity_rl.analysis.study.talk import Case

PARTS = {parts}
HEADLINE = 'Curves, and their answers'
CASES = {cases}
'''


def claim(name):
  """That injection gains, by more than .1."""
  return Claim(
    name=name,
    sentence=f'On {name} it <gains>.',
    rules=(Above(Contrast('injection'), 0.1),),
    doubt='A second look.',
  )


def write(folder, synthetic, gains, *, cases=(), launched=None):
  """A talk's file and its folder.

  Args:
    folder: gets `talk.py`, `talk_parts/` and, as `run/`, the talk's folder.
    synthetic: the module of that name.
    gains: name of a part -> what injection gains there.
    cases: names of parts that are panels.
    launched: the parts that have results; by default all.

  Returns:
    The talk's folder.
  """
  source = folder / 'talk.py'
  cases = ', '.join(
    f'Case({name!r}, part={name!r}, claim={name!r})' for name in cases
  )
  source.write_text(
    TALK.format(parts=tuple(gains), cases=f'({cases},)' if cases else '()')
  )
  (folder / 'talk_parts').mkdir()
  run = folder / 'run'
  run.mkdir()
  for name, gain in gains.items():
    path = folder / 'talk_parts' / f'{name}.py'
    path.write_text(PART.format(name=name, claims=repr(claim(name))))
    if launched is None or name in launched:
      write_part(run / name, synthetic, path, claim(name), gain)
  (run / 'talk.json').write_text(
    json.dumps(
      {
        'source': f'{source}:small',
        'title': 'Is it told?',
        'parts': {},
        'origin': {'command': 'python -m launch.local --config=talk.py:small'},
      }
    )
  )
  return run


def write_part(folder, synthetic, path, one: claims.Claim, gain, **options):
  """A study of one diagnosis, launched from the file as it is now."""
  arms = {'control': 0.0, 'injection': gain}
  study_writer.write_diagnoses(
    folder, synthetic, [('all', {}, {'arms': arms, **options})]
  )
  record = json.loads((folder / 'study.json').read_text())
  record |= {
    'source': f'{path}:small',
    'title': f'Does it gain on {folder.name}?',
    decided.KEY: decided.stamp(path, [one]),
  }
  (folder / 'study.json').write_text(json.dumps(record))
