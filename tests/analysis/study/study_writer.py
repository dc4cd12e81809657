"""Writes small study folders that look like a launcher's."""

import json

import numpy as np

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
