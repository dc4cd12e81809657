from plasticity_rl.analysis.study import file as study_file
from plasticity_rl.analysis.study import study as studies
from plasticity_rl.analysis.study.file import StudyFile
from tests.analysis import talk_writer


def test_the_figure_of_the_studys_file(write, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text('def figure(study):\n  return 7\n')
  own = write(
    tmp_path / 's', {'a': ('', {}, 'catch', [1.0], 1)}, source=f'{path}:small'
  )
  file = study_file.read(own)
  assert file.figure(None) == 7 and file.note == '' and file.claims == ()
  path.write_text('import nothing_of_this_name')
  file = study_file.read(own)
  assert file.figure is None and 'nothing_of_this_name' in file.note
  path.write_text('')
  assert study_file.read(own) == StudyFile()


def test_its_claims_each_by_its_own_metric(synthetic, tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text(
    talk_writer.PART.format(
      name='x',
      claims=f'{talk_writer.claim("score")!r}, '
      + repr(talk_writer.claim('loss')).replace(
        "metric=''", "metric='train/loss'"
      ),
    )
  )
  folder = tmp_path / 's'
  talk_writer.write_part(
    folder, synthetic, path, talk_writer.claim('score'), 0.6
  )
  file = study_file.read(folder)
  assert [claim.metric for claim in file.claims] == ['', 'train/loss']
  # One claim was added since.
  assert 'its claims were changed' in file.decided.doubts[0]
  score, loss = study_file.judge(file, studies.load(folder))
  assert score.outcome == 'shown' and loss.outcome == 'not shown'
  gain = 0.6 - loss.findings[0].interval.estimate
  assert abs(gain) > 0.2  # The loss is noise, about which nothing is known.
