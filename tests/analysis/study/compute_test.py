import json

import pytest

from plasticity_rl.analysis.study import compute
from plasticity_rl.analysis.study import study as studies


def test_what_was_computed_is_counted_once(write, tmp_path, synthetic):
  """Runs hold the prefix that they share in their ledgers, prefixes as well."""
  folder = write(
    tmp_path / 's',
    {
      name: (name, {}, 'catch', [1.0, 2.0], 1)
      for name in ('control', 'injection')
    },
  )
  source = folder / 'runs' / 'control'

  def change(path, ledger, prefix):
    (path / 'ledger.json').write_text(json.dumps(ledger))
    record = json.loads((path / 'config.json').read_text())
    (path / 'config.json').write_text(json.dumps({**record, 'past': prefix}))

  for name, prefix, flops in (('p1', '', 10.0), ('p2', 'prefix-p1', 30.0)):
    path = folder / 'prefixes' / name
    path.mkdir(parents=True)
    for file in ('config.json', 'metrics.csv'):
      (path / file).write_text((source / file).read_text())
    change(path, {'total_flops': flops, 'seconds': flops / 10}, prefix)
  for name in ('control', 'injection'):
    change(
      folder / 'runs' / name,
      {'total_flops': 100.0, 'seconds': 10.0},
      'prefix-p2',
    )
  flops, seconds = compute.spent(studies.load(folder))
  # 10 and 20 for the prefixes, 70 for each run; two seeds in each program.
  assert flops == 2 * (10 + 20 + 70 + 70)
  assert seconds == pytest.approx(1 + 2 + 7 + 7)
