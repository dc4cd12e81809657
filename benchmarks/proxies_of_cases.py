"""Which measure would have told the talk's four cases apart?

  python -m benchmarks.proxies_of_cases --talk=runs/talk

Each case of the talk's first figure is forked again at its own step, with all
measures but those that train, take second derivatives or have a memory. What
they say of the control a segment later is written to results/talk/proxies.csv,
the mean and range over seeds. Nothing is decided here: the cases are four.
"""

import argparse
import csv
import json
import pathlib
import shutil

import numpy as np

from benchmarks import studies
from plasticity_rl.analysis import files
from plasticity_rl.analysis.pages import cases
from plasticity_rl.analysis.study import talk_results
from plasticity_rl.diagnostics import registry

# They train, take second derivatives, or need a memory from before the fork.
LEFT_OUT = ('hessian', 'target_fitting', 'dormant_overlap')
NAMES = tuple(name for name in registry.FOR_ALL if name not in LEFT_OUT)


def measured(title: str, prefix: pathlib.Path) -> list[dict[str, str]]:
  """A row for each measure of a case."""
  name = f'proxies_of_cases/{title.replace(" ", "_")}'
  source = studies.RUNS / f'{name}_source'
  segment = _with_measures(prefix, source)
  workdir, *_ = studies.diagnose(
    name,
    f'--from={source}',
    f'--config.fork.horizon={segment}',
    "--config.fork.arms=('control', 'injection')",
  )
  with (workdir / 'arms' / 'control' / 'metrics.csv').open() as file:
    rows = list(csv.DictReader(file))
  # Measures are taken at the fork as well, some of which need an update.
  end = max(int(row['step']) for row in rows)
  rows = [row for row in rows if int(row['step']) == end]
  found = []
  for column in rows[0]:
    if column.startswith('plasticity/'):
      values = np.array([float(row[column]) for row in rows if row[column]])
      found.append(
        {
          'case': title,
          'measure': column.removeprefix('plasticity/'),
          'mean': f'{values.mean():.4g}',
          'lowest': f'{values.min():.4g}',
          'highest': f'{values.max():.4g}',
          'seeds': str(len(values)),
        }
      )
  return found


def _with_measures(run: pathlib.Path, copy: pathlib.Path) -> int:
  """Copies a run whose next segment takes all measures; steps of a segment."""
  shutil.copytree(run, copy, dirs_exist_ok=True)
  record = files.read_json(run / 'config.json')
  config = record['config']
  segment = config['segment_steps']
  config['diagnostics'] |= {'names': NAMES, 'every_steps': segment}
  config['evaluation']['every_steps'] = segment
  (copy / 'config.json').write_text(json.dumps(record))
  return segment


def main() -> None:
  """Measures the cases that have results, and writes the table."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--talk', default='runs/talk')
  panels = cases.panels(talk_results.load(parser.parse_args().talk))
  rows = [
    row
    for panel in panels
    for row in measured(panel.title, panel.arms['control'][0].prefix.path)
  ]
  with (studies.RESULTS / 'talk' / 'proxies.csv').open('w') as file:
    writer = csv.DictWriter(file, list(rows[0]), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)


if __name__ == '__main__':
  main()
