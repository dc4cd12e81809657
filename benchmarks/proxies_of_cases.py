"""Which measure would have told the talk's four cases apart?

  python -m benchmarks.proxies_of_cases --talk=runs/talk

Each case of the talk's first figure is forked again at its own step, with all
measures but those that train, take second derivatives or have a memory. What
they say of the control a segment later is written to results/talk/proxies.csv,
the mean and range over seeds. Nothing is decided here: the cases are four.
"""

import argparse
import json
import pathlib
import shutil

from benchmarks import studies
from plasticity_rl import diagnosis_folder
from plasticity_rl.analysis import files
from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import cases
from plasticity_rl.analysis.study import talk_results
from plasticity_rl.analysis.verdict import proxies
from plasticity_rl.diagnostics import registry

# They train, take second derivatives, or need a memory from before the fork.
LEFT_OUT = ('hessian', 'target_fitting', 'dormant_overlap')
NAMES = tuple(name for name in registry.FOR_ALL if name not in LEFT_OUT)
HEADER = ('case', 'measure', 'mean', 'lowest', 'highest', 'seeds')


def measured(title: str, prefix: pathlib.Path) -> list[tuple]:
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
  control = runs.load(diagnosis_folder.arms(workdir)['control']).table
  found = []
  for metric in control.metrics:
    if metric.startswith(proxies.PREFIX):
      # Measures are taken at the fork as well, some of which need an update.
      values = control.series(metric).values[:, -1]
      found.append(
        (
          title,
          metric.removeprefix(proxies.PREFIX),
          *map(float, (values.mean(), values.min(), values.max())),
          len(values),
        )
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
  text = files.csv_text(HEADER, rows, digits=4)
  files.write_all(studies.RESULTS / 'talk', {'proxies.csv': text})


if __name__ == '__main__':
  main()
