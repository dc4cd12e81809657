"""From files of other programs to a verdict."""

import numpy as np
import pytest

from plasticity_rl.analysis.curves import comparison
from plasticity_rl.analysis.curves.question import Question
from plasticity_rl.analysis.pages import diagnosis_page
from plasticity_rl.analysis.verdict import diagnosis as diagnoses
from plasticity_rl.errors import UserError
from tests.analysis.curves import writers
from tests.analysis.pages.checker import check

FOUND = writers.curves()


def judge(path, **asked):
  asked = {'margin': 0.5, 'fork_step': writers.FORK} | asked
  return comparison.load([path], Question(**asked))


@pytest.mark.parametrize('kind', writers.KINDS)
def test_each_kind_of_file_has_the_same_verdict(kind, tmp_path):
  path = writers.KINDS[kind](tmp_path / 'logs', FOUND)
  found = judge(path)
  verdict = found.verdict
  assert verdict.verdict == 'losing plasticity'
  assert verdict.seeds == 7 and verdict.arm == 'injection'
  np.testing.assert_allclose(verdict.effect, writers.effect(FOUND), rtol=1e-6)
  assert (found.step, found.horizon) == (500, 500)
  # What came before is seen to be the same, so nothing is unfair.
  assert not any('before the fork' in note for note in verdict.notes)
  assert found.prefix_series() is not None


def test_all_our_runs_are_judged_as_a_report_judges_them(synthetic, tmp_path):
  folder = synthetic.write_diagnosis(
    tmp_path / 'd', arms={'control': 0, 'injection': 0.5, 'head_reset': 0.3}
  )
  ours = diagnoses.load(folder, margin=0.2)
  found = comparison.load([folder], Question(margin=0.2))
  assert (found.step, found.horizon) == (ours.step, ours.horizon)
  assert found.verdict.arms == ours.verdict.arms
  assert found.verdict.verdict == ours.verdict.verdict
  # Where they say a margin, it is taken.
  for arm in (folder / 'arms').iterdir():
    fork = arm / 'fork.json'
    fork.write_text(fork.read_text().replace('{', '{"margin": 0.25, ', 1))
  assert comparison.load([folder], Question()).verdict.margin == 0.25


def test_the_page_shows_what_is_known_and_no_more(tmp_path):
  found = judge(writers.long(tmp_path, FOUND))
  page = diagnosis_page.build(found)
  checker, drawings = check(page)
  text = ' '.join(checker.text)
  assert 'What came before and after' in text and 'c.csv' in text
  assert 'All arms start from the same network' not in text
  assert 'is what whoever made the curves says' in text
  assert 'What it cost' not in text and len(drawings) >= 4
  assert 'arm &#39;control&#39;, seed 1' in page or "'control', seed 1" in text


def test_other_metrics_are_shown_through_time(tmp_path):
  found = judge(writers.events(tmp_path, FOUND))
  assert 'losses/td_loss' in found.arms['injection'].table.metrics
  assert 'losses/td_loss' in diagnosis_page.build(found)


def test_control_may_have_another_name(tmp_path):
  renamed = {
    ('baseline' if arm == 'control' else arm, s): v
    for (arm, s), v in FOUND.items()
  }
  found = judge(writers.long(tmp_path, renamed), control='baseline')
  assert list(found.arms) == ['control', 'injection']
  np.testing.assert_allclose(found.verdict.effect, writers.effect(FOUND))


def test_the_injection_is_the_primary_arm_and_others_are_secondary(tmp_path):
  three = writers.curves(arms=('control', 'reset', 'injection'))
  path = writers.long(tmp_path, three)
  assert [a.arm for a in judge(path).verdict.arms] == ['injection', 'reset']
  chosen = judge(path, injection='reset').verdict
  assert [a.arm for a in chosen.arms] == ['reset', 'injection']
  assert any('reset was taken for the injection' in n for n in chosen.notes)
  renamed = {(a.replace('injection', 'x'), s): v for (a, s), v in three.items()}
  with pytest.raises(UserError, match='which arm is the injection.* reset, x'):
    judge(writers.long(tmp_path, renamed))


def test_columns_of_other_names(tmp_path):
  path = writers.long(tmp_path, FOUND)
  text = path.read_text().replace(
    'arm,seed,step,return', 'algo,id,frames,score'
  )
  path.write_text(text)
  columns = {'arm': 'algo', 'seed': 'id', 'step': 'frames', 'return': 'score'}
  found = judge(path, columns=columns)
  np.testing.assert_allclose(found.verdict.effect, writers.effect(FOUND))
  with pytest.raises(UserError, match='expected the columns arm, seed, step'):
    judge(path)


def test_one_of_several_tasks(tmp_path):
  rows = [('arm', 'seed', 'task', 'step', 'return')]
  for task, sign in (('a', 1), ('b', -1)):
    for (arm, s), values in FOUND.items():
      rows += [
        (arm, s, task, t, sign * v)
        for t, v in zip(writers.STEPS, values, strict=True)
      ]
  path = writers.write_rows(tmp_path / 'c.csv', rows)
  with pytest.raises(UserError, match="give --task, one of 'a', 'b'"):
    judge(path)
  effects = [judge(path, task=task).verdict.effect for task in 'ab']
  np.testing.assert_allclose(effects, [writers.effect(FOUND), -effects[0]])


def test_episodes_of_several_environments_of_a_run(tmp_path):
  """Their lengths add up, in the order of the clock."""
  path = tmp_path / 'control' / 'seed_1'
  path.mkdir(parents=True)
  for i, (start, rows) in enumerate(
    ((10.0, ['1,5,1.0', '3,5,3.0']), (10.5, ['2,7,1.0']))
  ):
    (path / f'{i}.monitor.csv').write_text(
      '\n'.join([f'#{{"t_start": {start}}}', 'r,l,t', *rows])
    )
  from plasticity_rl.analysis.curves import reader

  [curve] = reader.read([tmp_path], Question()).curves
  assert curve.steps.tolist() == [5, 12, 17]
  assert curve.values.tolist() == [1, 2, 3]
  assert (curve.arm, curve.seed) == ('control', 1)


def test_several_episodes_at_a_step_count_as_their_mean(tmp_path):
  import tensorboardX

  from plasticity_rl.analysis.curves import events

  with tensorboardX.SummaryWriter(str(tmp_path)) as writer:
    for step, value in ((-1, 7.0), (8, 1.0), (8, 4.0), (300, 2.0)):
      writer.add_scalar('charts/episodic_return', value, step)
  [path] = tmp_path.iterdir()
  [curve] = events.read(path, 'run')
  assert curve.steps.tolist() == [-1, 8, 300]
  assert curve.values.tolist() == [7.0, 2.5, 2.0]
  # A run that was killed leaves half a record.
  whole = path.read_bytes()
  path.write_bytes(whole[:-3])
  assert events.read(path, 'run')[0].steps.tolist() == [-1, 8]
  path.write_bytes(b'no events at all')
  with pytest.raises(UserError, match='is not an event file'):
    events.read(path, 'run')
