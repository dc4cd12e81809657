from plasticity_rl.analysis.study import file as study_file


def test_the_figure_of_the_studys_file(write, tmp_path, folder):
  path = tmp_path / 'mine.py'
  path.write_text('def figure(study):\n  return 7\n')
  own = write(
    tmp_path / 's', {'a': ('', {}, 'catch', [1.0], 1)}, source=f'{path}:small'
  )
  function, note = study_file.figure(own)
  assert function(None) == 7 and note == ''
  path.write_text('import nothing_of_this_name')
  function, note = study_file.figure(own)
  assert function is None and 'nothing_of_this_name' in note
  path.write_text('')
  assert study_file.figure(own) == (None, '')
