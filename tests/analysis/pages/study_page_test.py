import re

import numpy as np
import pytest

from plasticity_rl.analysis.pages import study_figures
from plasticity_rl.analysis.pages import study_page
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study import tables
from plasticity_rl.analysis.study.file import StudyFile
from tests.analysis import study_writer
from tests.analysis.pages.checker import check


def test_of_one_seed_a_task_there_is_no_interval(write, tmp_path):
  """An interval of no width would say that other seeds do the same."""
  members = {
    name: (arm, axes, game, scores[:1], seed)
    for name, (
      arm,
      axes,
      game,
      scores,
      seed,
    ) in study_writer.two_games().items()
  }
  study = studies.load(write(tmp_path / 's', members))
  for row in tables.aggregates(study):
    assert np.isnan([row.iqm.low, row.iqm.high]).all()
    assert np.isnan([row.better.low, row.better.high]).all()
  checker, _ = check(study_page.build(study))
  text = ' '.join(checker.text)
  assert 'beats control' in text
  assert not re.search(r'\[([-+\d.,]+), \1\]', text)
  assert not re.search(r'\bnan\b', text, re.I)


def test_the_page(study):
  page = study_page.build(study, StudyFile(note='a <note>'))
  checker, drawings = check(page)
  text = ' '.join(checker.text)
  for said in (
    'Does it help?',
    '1 run missing',
    'NaN <b>',
    '/x/log.txt',
    '8 of 9',
    'Percent change = 100 (a - c) / max(|c|, m)',
    'Gain by learning_rate',
    'Performance profiles',
    'beats control',
    'a <note>',
    '0123abc',
    'Learning curves',
    'Diagnostics through time',
    'FLOPs',
  ):
    assert said in text, said
  assert page.index('1 run missing') < page.index('<figure')
  files = {a['download'] for t, a in checker.tags if 'download' in a}
  assert files >= {
    'answer.csv',
    'iqm.csv',
    'profiles.csv',
    'curves.csv',
    'diagnostics.csv',
    'compute.csv',
  }
  anchors = {a['id'] for t, a in checker.tags if t == 'section'}
  links = {
    a['href'][1:]
    for t, a in checker.tags
    if t == 'a' and a['href'].startswith('#')
  }
  assert links == anchors and 'axis-learning_rate' in anchors
  assert len(drawings) > 10


@pytest.mark.slow
def test_a_study_of_diagnoses(synthetic, tmp_path):
  folder = study_writer.write_diagnoses(
    tmp_path / 's',
    synthetic,
    [
      (
        f'step={i}',
        {'fork.step': i},
        {
          'seeds': 8,
          'seed': i,
          'noise': 0.02,
          'arms': {'control': 0.0, 'injection': gain},
        },
      )
      for i, gain in enumerate((0.0, 1.0))
    ],
  )
  study = studies.load(folder)
  gains = tables.gains(study)
  # The ramp of the synthetic arms gives the gain but for its first half.
  assert gains[0].interval.estimate == pytest.approx(0, abs=0.1)
  assert gains[1].interval.estimate > 0.5
  assert gains[1].margin == 0.2 and gains[1].percent.low > 0
  one = study_figures.against_measurements(study)
  assert {row[0] for row in one.rows} == {
    f'plasticity/{d}' for d in synthetic.DIAGNOSTICS
  }
  page = study_page.build(study, StudyFile(lambda _: one))
  assert 'Gain by step' in page and 'before' not in study.arms


def test_a_figure_that_cannot_be_drawn_yet(study):
  file = StudyFile(
    lambda study: study_figures.along_axis(study, 'network.hidden')
  )
  figure, note = study_page.answer(study, file)
  assert figure.title == study_figures.default(study).title
  assert 'own figure cannot be drawn yet: unknown axis' in note
