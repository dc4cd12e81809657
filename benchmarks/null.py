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
from plasticity_rl import revision
from plasticity_rl.analysis.verdict import diagnosis
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict import verdict as verdicts

SEEDS = 200
GROUP = 10
DRAWS = 2000
STEPS = 6 * 3000


def main() -> None:
  folder, command, seconds = studies.diagnose(
    'calibration/null',
    '--config=configs/continual_catch.py',
    f'--config.num_seeds={SEEDS}',
    '--config.seed=5001',
    f'--config.num_steps={STEPS}',
    '--config.fork.arms=("control", "rekeyed=reseed(salt=1)")',
  )
  loaded = diagnosis.load(folder)
  differences = np.array(loaded.verdict.arms[0].differences)
  rng = np.random.default_rng(0)
  calls = [
    rules.assess(
      np.zeros(GROUP),
      {'injection': rng.choice(differences, GROUP, replace=False)},
      margin=loaded.verdict.margin,
      metric='eval/return',
    ).verdict
    for _ in range(DRAWS)
  ]
  row = {
    'fork at step': STEPS,
    'mean difference': f'{differences.mean():+.3f}',
    'its sd': f'{differences.std(ddof=1):.3f}',
    **{
      call: f'{100 * calls.count(call) / DRAWS:.1f} %'
      for call in (
        verdicts.LOSING,
        verdicts.HURTS,
        verdicts.NO_EVIDENCE,
        verdicts.UNDECIDED,
      )
    },
    'seconds': f'{seconds:.0f}',
  }
  print(row, flush=True)
  np.savetxt(
    studies.RESULTS / 'null_differences.csv',
    differences,
    fmt='%.6f',
    header='difference',
    comments='',
  )
  (studies.RESULTS / 'null.md').write_text(
    '\n'.join(
      [
        '# Null: two control arms with different future keys',
        '',
        (__doc__ or '').split('\n\n')[1],
        '',
        f'{DRAWS} draws of {GROUP} of {SEEDS} seeds without replacement.',
        '',
        studies.table([row]),
        '',
        f'Machine: {studies.machine()}. Commit: {revision.of_code()}.',
        '',
        f'    {command}',
        '',
      ]
    )
  )


if __name__ == '__main__':
  main()
