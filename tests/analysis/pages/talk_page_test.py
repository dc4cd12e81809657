"""The page of a talk, and the figure that opens it."""

import csv
import dataclasses
import io
import xml.etree.ElementTree

import numpy as np
import pytest
from matplotlib import image

from plasticity_rl.analysis.pages import cases
from plasticity_rl.analysis.pages import palette
from plasticity_rl.analysis.pages import talk_page
from plasticity_rl.analysis.study import scores as scoring
from plasticity_rl.analysis.study import talk_results
from plasticity_rl.analysis.study.quantities import Contrast
from plasticity_rl.errors import UserError
from tests.analysis import talk_writer
from tests.analysis.pages.checker import check
from tests.run import commands

GAINS = {'lost': 0.6, 'healthy': 0.0, 'worse': -0.6}


@pytest.fixture(name='run', scope='module')
def fixture_run(tmp_path_factory, synthetic):
  return talk_writer.write(
    tmp_path_factory.mktemp('talk'),
    synthetic,
    GAINS,
    cases=('lost', 'worse'),
    launched=('lost', 'worse'),
  )


@pytest.fixture(name='talk', scope='module')
def fixture_talk(run):
  return talk_results.load(run)


def test_the_page(talk, data):
  rows = scoring.summarise(scoring.read(data / 'primacy_bias_scores.csv'))
  published = talk_page.Published(rows, 'scores.csv', ['as they are'])
  page = talk_page.build(talk, cases.panels(talk), published)
  checker, _ = check(page)
  text = ' '.join(' '.join(checker.text).split())
  for said in (
    'Is it told?',
    'On lost it <gains>.',
    'Without results',
    'healthy not launched',
    'There are 2 claims, and nothing is corrected',
    'Curves, and their answers',
    'injection − control > 0.1',
    'What would change our mind: A second look.',
    'Its file was not committed when its runs began',
    '6,000, then 3,000 in each arm',
    '0.01 hours of running on 2 x some cpu',
    'Code of the runs: 0123456789abcdef',
    '501.0',
    'Computed from scores.csv. As they are.',
    'python -m launch.local --config=talk.py:small',
  ):
    assert said in text, said
  # The table comes first, then the figure, then the parts in their order.
  places = [
    page.index(f'id="{name}"') for name in ('claims', 'part-lost', 'part-worse')
  ]
  figure = page.index('Curves, and their answers</h2>')
  assert places[0] < figure < places[1] < places[2]
  links = {a['href'] for t, a in checker.tags if t == 'a'}
  assert {'#claim-lost', '#claim-worse'} <= links
  assert {'claim-lost', 'claim-worse'} <= set(checker.ids)


def test_a_talk_without_cases_or_scores(talk):
  checker, _ = check(talk_page.build(talk, []))
  text = ' '.join(checker.text)
  assert 'their answers' not in text and 'published' not in text


def test_panels_have_their_arms_from_the_fork_on(talk):
  panels = cases.panels(talk)
  assert [(p.title, p.judged.outcome) for p in panels] == [
    ('lost', 'shown'),
    ('worse', 'opposite'),
  ]
  rows = list(csv.DictReader(io.StringIO(cases.build(panels, 'x').csv)))
  assert {row['arm'] for row in rows} == {'control', 'injection'}
  steps = sorted({int(row['step']) for row in rows})
  assert (steps[0], steps[-1]) == (0, 3000)
  end = {
    (row['case'], row['arm']): float(row['mean'])
    for row in rows
    if row['step'] == '3000'
  }
  assert end['lost', 'injection'] > end['lost', 'control'] + 0.3
  assert end['worse', 'injection'] < end['worse', 'control'] - 0.3


def test_a_panel_does_not_name_its_own_place(talk):
  panel = cases.panels(talk)[0]
  finding = panel.judged.findings[0]
  there = dataclasses.replace(
    finding.rule, quantity=Contrast('injection', at={'network.hidden': (2,)})
  )
  judged = dataclasses.replace(
    panel.judged, findings=(dataclasses.replace(finding, rule=there),)
  )
  panel = dataclasses.replace(panel, judged=judged)
  assert 'at hidden 2 − control' in panel.subtitle
  panel = dataclasses.replace(panel, at={'network.hidden': (2,)})
  assert 'injection − control' in panel.subtitle


def test_pictures_that_stand_alone(talk):
  pictures = cases.pictures(cases.panels(talk), 'Two curves')
  text = pictures['cases.svg']
  xml.etree.ElementTree.fromstring(text)
  assert 'xmlns="http://www.w3.org/2000/svg"' in text
  for said in ('lost: shown', 'worse: opposite', 'injection', 'control'):
    assert said in text, said
  pixels = image.imread(io.BytesIO(pictures['cases.png']))
  assert pixels.shape[1] > 1200
  seen = {tuple(c) for c in np.round(255 * pixels[..., :3].reshape(-1, 3))}

  def rgb(name):
    color = palette.LIGHT[name]
    return tuple(int(color[i : i + 2], 16) for i in (1, 3, 5))

  assert {rgb('bg'), rgb('arm-0'), rgb('arm-1'), rgb('fg')} <= seen
  assert (1, 2, 3) not in seen  # No sentinel is left.


def test_a_gain_that_does_not_matter_looks_small(talk):
  from plasticity_rl.analysis.pages import svg

  with svg.style():
    fig = cases.draw(cases.panels(talk), 8.4)
  spans = [np.ptp(ax.get_ylim()) for ax in fig.axes]
  assert min(spans) >= 3 * 0.2 - 1e-9


def test_a_case_whose_claim_is_gone(talk, run):
  path = run.parent / 'talk_parts' / 'lost.py'
  before = path.read_text()
  path.write_text(before.replace("name='lost'", "name='found'"))
  try:
    with pytest.raises(UserError, match="part 'lost' has no claim 'lost'"):
      cases.panels(talk_results.load(run))
  finally:
    path.write_text(before)


def test_the_command(run, data, tmp_path):
  result = commands.call(
    'report',
    run,
    f'--out={tmp_path}',
    f'--scores={data / "primacy_bias_scores.csv"}',
  )
  assert result.code == 0, result.err
  assert 'note: healthy: not launched' in result.out
  assert result.out.endswith(f'report: {tmp_path / "report.html"}\n')
  assert {path.name for path in tmp_path.iterdir()} == {
    'report.html',
    'claims.csv',
    'cases.svg',
    'cases.png',
  }


def test_a_part_alone_says_what_it_claims(run, tmp_path):
  result = commands.call('report', run / 'lost', f'--out={tmp_path}')
  assert result.code == 0, result.err
  checker, _ = check((tmp_path / 'report.html').read_text())
  text = ' '.join(checker.text)
  assert 'What it claims' in text and 'On lost it <gains>.' in text


@pytest.mark.parametrize(
  'arguments, message',
  (
    ([], 'give --out=DIR'),
    (['--out=/tmp/x', '--margin=1'], '--margin is for a diagnosis'),
    (['--out=/tmp/x', '--metric=eval/return'], 'the metric of each claim'),
    (['--out=/tmp/x', 'other'], 'report a talk on its own'),
    (['--out=/tmp/x', '--scores=no.csv'], 'no such file: no.csv'),
  ),
)
def test_mistakes(run, arguments, message):
  result = commands.call('report', run, *arguments)
  assert result.code == 2 and message in result.err
  assert len(result.err.splitlines()) == 1
