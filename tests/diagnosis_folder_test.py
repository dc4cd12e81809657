"""What counts as an arm."""

import pytest

from plasticity_rl import diagnosis_folder


@pytest.fixture(name='folder')
def fixture_folder(tmp_path):
  for name in ('injection', 'control', '.ipynb_checkpoints'):
    (tmp_path / 'arms' / name).mkdir(parents=True)
  (tmp_path / 'arms' / 'notes.txt').touch()
  return tmp_path


def test_arms_are_folders_that_are_not_hidden(folder):
  arms = diagnosis_folder.arms(str(folder))
  assert [*arms] == ['control', 'injection']
  assert arms['control'] == folder / 'arms' / 'control'


def test_a_run_has_none(tmp_path):
  assert diagnosis_folder.arms(tmp_path) == {}
