import numpy as np

from plasticity_rl.analysis import runs
from plasticity_rl.analysis.pages import runs_page
from plasticity_rl.analysis.study import scores
from tests.analysis.pages.checker import check


def test_page_of_runs(synthetic, tmp_path):
  rng = np.random.default_rng(0)
  loaded = []
  for name in ('catch', 'breakout'):
    for rate in (0.1, 0.2):
      folder = tmp_path / f'{name}{rate}'
      synthetic.write_run(
        folder,
        (0, 500, 1000),
        rng.normal(size=(3, 3)),
        record={
          'config': synthetic.config(
            environment__name=name, optimizer__learning_rate=rate
          )
        },
      )  # pyformat: disable
      loaded.append(runs.load(folder))
  groups = runs.group(loaded, 'eval/return')
  values = scores.from_groups(groups)
  page = runs_page.build(
    loaded,
    groups,
    scores.summarise(values, resamples=100),
    metric='eval/return',
    resampling='pooled',
    notes=['<b>'],
  )  # pyformat: disable
  checker, drawings = check(page)
  assert len(drawings) == 2 + 2 * 2
  text = ' '.join(checker.text)
  assert 'learning_rate=0.1' in text and 'Learning curves: breakout' in text
  assert 'step 1,000' in text
