"""Writes small study folders that look like a launcher's."""

import json

import numpy as np

RATES = (1e-4, 1e-3)
GAMES = ('catch', 'pong')
STEPS = np.arange(100, 1001, 100)


def write(folder, runs, synthetic, *, failed=(), **facts):
  """`runs`: name -> (arm, axes, task, returns `[S]`, first seed)."""
  listed = {}
  for name, (arm, axes, task, returns, seed) in runs.items():
    listed[name] = {'arm': arm, 'axes': axes, 'past': ''}
    state = {'state': 'done'}
    if name in failed:
      state = {'state': 'failed', 'error': 'NaN <b>', 'log': '/x/log.txt'}
    else:
      returns = np.asarray(returns, float)[:, None]
      # It rises to its return at nine tenths, and stays.
      values = returns * np.minimum(1, STEPS / 900)
      values[:, -1] = returns[:, 0]
      config = synthetic.config(environment__name=task, num_seeds=len(returns))
      synthetic.write_run(
        folder / 'runs' / name,
        STEPS,
        values,
        record={'config': config},
        seeds=range(seed, seed + len(returns)),
      )
    job = folder / 'jobs' / name
    job.mkdir(parents=True)
    (job / 'state.json').write_text(json.dumps(state))
  (folder / 'study.json').write_text(
    json.dumps(
      {
        'source': 'nowhere/study.py:small',
        'title': 'Does it help?',
        'command': 'train',
        'runs': listed,
        'origin': {'git_revision': '0123abc', 'command': 'python -m x'},
        **facts,
      }
    )
  )
  return folder


def write_diagnoses(folder, synthetic, runs):
  """A study of them; `runs` are (name, axes, arguments of the writer)."""
  write(folder, {'x': ('', {}, 'catch', [1.0], 1)}, synthetic)
  listed = {}
  for name, axes, options in runs:
    synthetic.write_diagnosis(folder / 'runs' / name, **options)
    (folder / 'jobs' / name).mkdir(parents=True)
    (folder / 'jobs' / name / 'state.json').write_text('{"state": "done"}')
    listed[name] = {'arm': '', 'axes': axes}
  record = json.loads((folder / 'study.json').read_text())
  (folder / 'study.json').write_text(json.dumps({**record, 'runs': listed}))
  return folder


def two_games():
  """Injection gains 1 on catch at the high rate, 10 on pong at both."""
  found = {}
  for game in GAMES:
    for rate in RATES:
      base = np.arange(6.0) * (1 if game == 'catch' else 100)
      gain = 10.0 if game == 'pong' else 1.0 * (rate == 1e-3)
      for arm, more in (('control', 0.0), ('injection', gain)):
        found[f'{arm},{game},{rate}'] = (
          arm,
          {'environment.name': game, 'optimizer.learning_rate': rate},
          game,
          base + more,
          1,
        )
  return found
