"""How often is 'losing plasticity' said of a difference that is pure luck?

Two control arms of continual Catch that differ by their future random keys
alone, 200 seeds: each seed gives a difference whose true mean is zero. Ten at
a time are drawn and judged by the rules of the tool. 'losing plasticity' must
be said of at most 5 % of them.

  python -m benchmarks.null

writes results/null.md and the differences, results/null_differences.csv.
"""

import numpy as np

from benchmarks import studies
from plasticity_rl.analysis import diagnosis
from plasticity_rl.analysis import verdict as verdicts

SEEDS = 200
GROUP = 10
DRAWS = 2000
FORKS = {'late': 12 * 3000, 'middle': 6 * 3000}


def main() -> None:
  lines, commands = [], []
  columns = {}
  for name, steps in FORKS.items():
    folder, command, seconds = studies.diagnose(
        f'calibration/null_{name}', '--config=configs/continual_catch.py',
        f'--config.num_seeds={SEEDS}', '--config.seed=5001',
        f'--config.num_steps={steps}',
        '--config.fork.arms=("control", "rekeyed=rekey(salt=1)")',
    )
    loaded = diagnosis.load(folder)
    differences = np.array(loaded.verdict.arms[0].differences)
    columns[name] = differences
    rng = np.random.default_rng(0)
    calls = []
    for _ in range(DRAWS):
      drawn = rng.choice(differences, GROUP, replace=False)
      calls.append(verdicts.assess(
          np.zeros(GROUP), {'injection': drawn},
          margin=loaded.verdict.margin, metric='eval/return',
      ).verdict)
    share = {
        call: calls.count(call) / DRAWS for call in (
            verdicts.LOSING, verdicts.HURTS, verdicts.NO_EVIDENCE,
            verdicts.UNDECIDED,
        )
    }
    lines.append({
        'fork at step': steps, 'mean': f'{differences.mean():+.3f}',
        'sd': f'{differences.std(ddof=1):.3f}',
        **{call: f'{100 * value:.1f} %' for call, value in share.items()},
        'seconds': f'{seconds:.0f}',
    })
    commands.append(f'    {command}')
    print(lines[-1], flush=True)
  np.savetxt(
      studies.RESULTS / 'null_differences.csv',
      np.stack(list(columns.values()), 1), delimiter=',', fmt='%.6f',
      header=','.join(columns), comments='',
  )
  (studies.RESULTS / 'null.md').write_text('\n'.join([
      '# Null: two control arms with different future keys', '',
      (__doc__ or '').split('\n\n')[1], '',
      f'{DRAWS} draws of {GROUP} of {SEEDS} seeds without replacement.', '',
      studies.table(lines), '',
      f'Machine: {studies.machine()}. Commit: {studies.revision()}.', '',
      *commands, '',
  ]))


if __name__ == '__main__':
  main()
