"""Jobs whose commands are a line of Python each: nothing is trained."""

import json

from launch import folder as folder_lib
from launch import launcher
from plasticity_rl import settings as settings_lib

CONFIG = settings_lib.to_dict(
  settings_lib.resolve(
    settings_lib.default_config('supervised', 'random_labels')
  )
)
# Writes its name, so that one can count how often it was done.
DONE = 'import sys; open(sys.argv[1], "a").write("x")'


def spec(code, *arguments, **facts):
  return {
    'kind': 'train',
    'folder': 'runs/a',
    'past': '',
    'past_step': 0,
    'end': 100,
    'num_seeds': 1,
    'horizon': 0,
    'arms': 0,
    'arm': '',
    'overrides': {'seed': 3},
    'config': CONFIG,
    'command': ['-c', code, *map(str, arguments)],
    **facts,
  }


def write(folder, jobs):
  for name, one in jobs.items():
    one['folder'] = f'runs/{name}' if one['kind'] == 'train' else one['folder']
    path = folder_lib.job_folder(folder, name)
    path.mkdir(parents=True, exist_ok=True)
    (path / 'spec.json').write_text(json.dumps(one))
  (folder / 'study.json').write_text(
    json.dumps(
      {
        'source': 'fake.py',
        'title': 'Is it fake?',
        'command': 'train',
        'runs': {n: {} for n, s in jobs.items() if s['kind'] != 'prefix'},
      }
    )
  )


def launch(folder, jobs, part=''):
  """What the launcher would hand to an engine."""
  write(folder, jobs)
  return launcher.Launch(None, None, folder, jobs, tuple(jobs), part)
