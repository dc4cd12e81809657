"""The same curves, as each program writes them."""

import csv
import json

import numpy as np

STEPS = tuple(range(0, 1100, 100))
SEEDS = tuple(range(1, 8))
FORK = 500


def curves(seed=0, gain=2.0, arms=('control', 'injection')):
  """{(arm, seed): returns `[T]`}, equal up to the fork; arm i gains i times."""
  draw = np.random.default_rng(seed)
  found = {}
  for s in SEEDS:
    past = draw.normal(10, 1, len(STEPS))
    for i, arm in enumerate(arms):
      after = np.array(STEPS) > FORK
      noise = draw.normal(0, 0.2, len(STEPS)) + i * gain
      # Numbers that a 32 bit float holds exactly, as event files store.
      found[arm, s] = np.float32(past + after * noise).astype(float)
  return found


def effect(found, arm='injection'):
  """The mean paired difference after the fork, by hand."""
  after = np.array(STEPS) > FORK
  return np.mean(
    [
      np.mean(found[arm, s][after]) - np.mean(found['control', s][after])
      for s in SEEDS
    ]
  )


def write_rows(path, rows):
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open('w', newline='') as file:
    csv.writer(file).writerows(rows)
  return path


def long(folder, found):
  rows = [
    (arm, s, t, repr(float(v)))
    for (arm, s), values in found.items()
    for t, v in zip(STEPS, values, strict=True)
  ]
  # By step, as a program that trains all runs at once would write.
  rows.sort(key=lambda row: row[2])
  return write_rows(
    folder / 'c.csv', [('arm', 'seed', 'step', 'return'), *rows]
  )


def wandb(folder, found):
  header, columns = ['Step'], [STEPS]
  for (arm, s), values in found.items():
    run = f'{arm}-s{s} - charts/episodic_return'
    header += [run, f'{run}__MIN', f'{run}__MAX']
    columns += [values, values - 1, values + 1]
  rows = [[repr(float(c[i])) for c in columns] for i in range(len(STEPS))]
  return write_rows(folder / 'export.csv', [header, *rows])


def tensorboard_csv(folder, found):
  for (arm, s), values in found.items():
    rows = [
      (1e9 + t, t, repr(float(v))) for t, v in zip(STEPS, values, strict=True)
    ]
    write_rows(
      folder / f'run-{arm}_seed{s}-tag-eval_return.csv',
      [('Wall time', 'Step', 'Value'), *rows],
    )
  return folder


def events(folder, found):
  import tensorboardX

  for (arm, s), values in found.items():
    path = folder / f'CartPole-v1__{arm}__{s}__17000000{s}'
    with tensorboardX.SummaryWriter(str(path)) as writer:
      writer.add_text('hyperparameters', 'lr')
      for t, v in zip(STEPS, values, strict=True):
        writer.add_scalar('charts/episodic_return', v, t)
        writer.add_scalar('losses/td_loss', v / 2, t)
  return folder


def monitors(folder, found):
  """Every episode takes 100 steps; the first ends at step 100."""
  for (arm, s), values in found.items():
    path = folder / arm / f'seed_{s}' / 'monitor.csv'
    path.parent.mkdir(parents=True)
    rows = [
      f'{float(v)!r},100,{t}' for t, v in zip(STEPS, values, strict=True) if t
    ]
    start = json.dumps({'t_start': 1e9, 'env_id': 'CartPole-v1'})
    path.write_text('\n'.join([f'#{start}', 'r,l,t', *rows]) + '\n')
  return folder


def evaluations(folder, found):
  for (arm, s), values in found.items():
    path = folder / arm / str(s)
    path.mkdir(parents=True)
    results = values[:, None] + [[-1.0, 0.5, 0.5]]
    np.savez(
      path / 'evaluations.npz',
      timesteps=np.array(STEPS),
      results=results,
      ep_lengths=np.ones(results.shape, int),
    )
  return folder


def per_run(folder, found):
  """A file for each run, as loggers to CSV write."""
  for (arm, s), values in found.items():
    rows = [
      (t, repr(float(v)), 'x') for t, v in zip(STEPS, values, strict=True)
    ]
    write_rows(
      folder / arm / f'{s}' / 'progress.csv',
      [('time/total_timesteps', 'rollout/ep_rew_mean', 'note'), *rows],
    )
  return folder


KINDS = {
  f.__name__: f
  for f in (
    long,
    wandb,
    tensorboard_csv,
    events,
    monitors,
    evaluations,
    per_run,
  )
}
