"""Writes small run and diagnosis folders that look like real ones."""

import csv
import json
import pathlib

import numpy as np

ARMS = {
  'control': ('control', 0.0),
  'injection': ('injection()', 0.5),
  'head_reset': ("reset(scope='head')", 0.45),
  'shrink_and_perturb': ('shrink_and_perturb()', 0.35),
  'optimizer_reset': ('optimizer_reset()', 0.0),
}
FORK, HORIZON, EVERY = 6000, 3000, 500
DIAGNOSTICS = ('weight_norm', 'srank', 'dead_units', 'dormant_units')


def config(**changes):
  """A config as `settings.to_dict` gives it, cut short."""
  tree = {
    'seed': 1,
    'num_seeds': 10,
    'agent': {'name': 'dqn', 'double': True},
    'environment': {'name': 'catch', 'switch_every_steps': 3000},
    'optimizer': {'name': 'adam', 'learning_rate': 3e-3},
    'fork': {
      'step': FORK,
      'horizon': HORIZON,
      'metric': 'eval/return',
      'margin': 0.2,
      'replicates': 0,
    },
  }
  for path, value in changes.items():
    *sections, key = path.split('__')
    at = tree
    for section in sections:
      at = at[section]
    at[key] = value
  return tree


def write_csv(path, header, rows):
  with path.open('w', newline='') as file:
    csv.writer(file).writerows([header, *rows])


def read_csv(path):
  with path.open(newline='') as file:
    header, *rows = csv.reader(file)
  return header, rows


def write_run(
  folder, steps, returns, *, seeds=None, record=None, ledger=True, rng=None
):
  """A run folder; `returns` is [seeds, steps]."""
  folder.mkdir(parents=True)
  rng = rng or np.random.default_rng(0)
  returns = np.asarray(returns, float)
  seeds = range(1, 1 + len(returns)) if seeds is None else seeds
  header = ['seed', 'step', 'frames', 'updates', 'seconds', 'train/loss']
  header += ['eval/return', *(f'plasticity/{d}' for d in DIAGNOSTICS)]
  rows = []
  for j, step in enumerate(steps):
    for i, seed in enumerate(seeds):
      # Between evaluations there are rows that have a loss and no return.
      rows.append(
        [
          seed,
          step,
          step,
          step,
          step / 100,
          round(rng.exponential(), 4),
          round(returns[i, j], 4),
          *(round(k + step / 5000 + rng.normal() / 5, 4) for k in range(4)),
        ]
      )
      if j:
        rows.append(
          [
            seed,
            step - EVERY // 2,
            step - EVERY // 2,
            step,
            step / 100,
            round(rng.exponential(), 4),
            '',
            '',
            '',
            '',
            '',
          ]
        )
  write_csv(folder / 'metrics.csv', header, rows)
  record = {
    'config': config(),
    'versions': {'python': '3.11.9', 'jax': '0.10.2', 'numpy': '2.4.6'},
    'git_revision': '0123456789abcdef',
    'command': 'python -m plasticity_rl.diagnose --config=catch.py',
    'machine': '2 x some cpu',
  } | (record or {})
  (folder / 'config.json').write_text(json.dumps(record))
  if ledger:
    (folder / 'ledger.json').write_text(
      json.dumps(
        {
          'act_flops': 2.1e9,
          'update_flops': 3.4e11,
          'evaluation_flops': 1e9,
          'total_flops': 3.43e11,
          'seconds': 12.5,
          'compile_seconds': 3.25,
        }
      )
    )


def write_diagnosis(
  folder: pathlib.Path,
  *,
  seeds=10,
  arms=None,
  noise=0.15,
  seed=0,
  replicates=0,
  interventions=None,
):
  """A diagnosis folder: `arms` maps a name to its true effect."""
  rng = np.random.default_rng(seed)
  folder = pathlib.Path(folder)
  if arms is None:
    arms = {name: effect for name, (_, effect) in ARMS.items()}
  known = {name: text for name, (text, _) in ARMS.items()}
  interventions = known | (interventions or {})
  level = rng.normal(0.1, 0.08, size=(1 if replicates else seeds, 1))
  steps = np.arange(0, FORK + 1, EVERY)
  # Each task of 3000 steps is learned, and each less than the one before.
  phase = (steps % 3000) / 3000
  height = 0.9 * np.exp(-steps / 5000)
  past = level + height * phase + rng.normal(0, 0.05, (len(level), len(steps)))
  record = {'config': config(fork__replicates=replicates, num_seeds=seeds)}
  write_run(folder / 'prefix', steps, past, record=record, rng=rng)
  steps = np.arange(FORK, FORK + HORIZON + 1, EVERY)
  for name, effect in arms.items():
    level_now = np.broadcast_to(level, (seeds, 1))
    gain = effect + rng.normal(0, noise, size=(seeds, 1))
    ramp = np.minimum(1.0, (steps - FORK) / 1500)
    values = level_now + gain * ramp
    values = values + rng.normal(0, 0.04, values.shape)
    path = folder / 'arms' / name
    write_run(path, steps, values, record=record, rng=rng)
    text = interventions.get(name, name)
    jump = 'reset' in name or 'shrink' in name
    jump = jump and 'optimizer' not in name
    (path / 'fork.json').write_text(
      json.dumps(
        {
          'source': 'prefix',
          'step': FORK,
          'horizon': HORIZON,
          'arm': name,
          'intervention': text,
          'at_fork': {
            'largest_output_change': list(rng.uniform(0.5, 2.0, seeds) * jump),
            'greedy_agreement': list(1 - rng.uniform(0.4, 0.7, seeds) * jump),
          },
        }
      )
    )
  return folder


def write_forks(folder: pathlib.Path, steps, benefit, proxies, *, evaluate=500):
  """A folder of `diagnose --proxies`; `benefit` and `proxies` are [S, F].

  Each arm is evaluated at the fork and twice after it; what the injection arm
  has more is once more and once less than the benefit.
  """
  rng = np.random.default_rng(1)
  seeds = len(benefit)
  record = {
    'config': config(num_seeds=seeds, fork__proxy_steps=list(steps)),
    'versions': {'jax': '0.10.2'},
    'git_revision': '0123456789abcdef',
    'command': 'python -m plasticity_rl.diagnose --proxies',
    'machine': '2 x some cpu',
  }
  folder = pathlib.Path(folder)
  (folder / 'prefix').mkdir(parents=True)
  (folder / 'prefix' / 'config.json').write_text(json.dumps(record))
  header = ['seed', 'step', 'frames', 'updates', 'seconds', 'eval/return']
  names = list(proxies)
  for j, step in enumerate(steps):
    base = rng.normal(size=(seeds, 3))
    for name, sign in (('control', 0), ('injection', 1)):
      path = folder / 'forks' / str(step) / name
      path.mkdir(parents=True)
      (path / 'config.json').write_text(json.dumps(record))
      (path / 'fork.json').write_text(
        json.dumps(
          {
            'step': step,
            'horizon': 2 * evaluate,
            'arm': name,
            'intervention': name,
          }
        )
      )
      rows = []
      for i in range(seeds):
        for k, extra in enumerate((0, 0.5, -0.5)):
          at = step + k * evaluate
          gain = sign * (benefit[i][j] + extra) * bool(k)
          # Only what the control measured at the fork itself is the proxy's.
          values = [
            proxies[n][i][j] if (k, sign) == (0, 0) else rng.normal()
            for n in names
          ]
          rows.append(
            [
              1 + i,
              at,
              at,
              at,
              0.0,
              base[i, k] + gain,
              *('' if np.isnan(v) else v for v in values),
            ]
          )
      write_csv(path / 'metrics.csv', header + names, rows)
  return folder
