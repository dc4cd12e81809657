"""A folder is one config's, and says where its results come from."""

import dataclasses
import json
import pathlib

import pytest

from plasticity_rl import revision
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.run import run_folder
from tests.training import small


def changed(settings, section, **values):
  part = dataclasses.replace(getattr(settings, section), **values)
  return dataclasses.replace(settings, **{section: part})


def test_config_comes_back(tmp_path):
  folder = tmp_path / 'deep' / 'run'
  settings = small.dqn()
  run_folder.prepare(folder, settings)
  assert settings_lib.resolve(run_folder.read_config(folder)) == settings
  run_folder.prepare(folder, settings)  # The same command again.
  assert [p.name for p in folder.iterdir()] == ['config.json']


def test_origin_is_recorded(tmp_path):
  run_folder.prepare(tmp_path / 'run', small.dqn())
  record = json.loads((tmp_path / 'run' / 'config.json').read_text())
  assert {'config', 'versions', 'git_revision', 'command', 'machine'} <= set(
    record
  )
  assert {'python', 'jax', 'optax', 'dm-haiku', 'numpy'} <= set(
    record['versions']
  )


def test_no_git_is_no_error(monkeypatch):
  monkeypatch.setenv('PATH', '')
  revision.of_code.cache_clear()
  assert run_folder.origin()['git_revision'] == 'unknown'
  revision.of_code.cache_clear()


def test_another_config_is_refused_by_the_keys_that_differ(tmp_path):
  settings = small.dqn()
  run_folder.prepare(tmp_path, settings)
  before = (tmp_path / 'config.json').read_text()
  other = changed(settings, 'network', hidden=(9,))
  other = dataclasses.replace(other, num_seeds=3)
  with pytest.raises(UserError) as caught:
    run_folder.prepare(tmp_path, other)
  message = str(caught.value)
  assert 'num_seeds (there 2, here 3)' in message
  assert 'network.hidden (there [8], here [9])' in message
  assert 'learning_rate' not in message and '\n' not in message
  assert (tmp_path / 'config.json').read_text() == before


def test_another_agent_is_refused(tmp_path):
  run_folder.prepare(tmp_path, small.dqn())
  with pytest.raises(UserError, match='agent.name .*dqn.*supervised'):
    run_folder.prepare(tmp_path, small.supervised())


def test_logging_may_differ(tmp_path):
  settings = small.dqn()
  run_folder.prepare(tmp_path, settings)
  run_folder.prepare(
    tmp_path, changed(settings, 'log', progress=True, tensorboard=True)
  )


def test_foreign_folder_is_left_alone(tmp_path):
  (tmp_path / 'thesis.tex').write_text('x')
  with pytest.raises(UserError, match='neither empty nor a run'):
    run_folder.prepare(tmp_path, small.dqn())
  assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


def test_begins_where_a_process_was_killed_as_it_began(tmp_path):
  (tmp_path / '.config.json.123').write_text('{"config": {')
  run_folder.prepare(tmp_path, small.dqn())
  assert run_folder.read_config(tmp_path)['seed'] == small.dqn().seed


def test_file_in_the_place_of_the_folder(tmp_path):
  path = tmp_path / 'file'
  path.write_text('x')
  with pytest.raises(UserError, match='file is a file'):
    run_folder.prepare(path, small.dqn())
  with pytest.raises(UserError, match='cannot write to'):
    run_folder.prepare(path / 'run', small.dqn())
  assert path.read_text() == 'x'


@pytest.mark.parametrize('text', ('', '{"config"', '[]', '{}', '3'))
def test_damaged_config_is_named(tmp_path, text):
  (tmp_path / 'config.json').write_text(text)
  with pytest.raises(UserError, match=r'config\.json is damaged'):
    run_folder.read_config(tmp_path)


def test_no_run_folder(tmp_path):
  with pytest.raises(UserError, match='is not a run folder'):
    run_folder.read_config(tmp_path / 'none')


def test_a_folder_is_run_by_one_process_at_a_time(tmp_path):
  with run_folder.lock(tmp_path):  # Nothing to lock yet.
    pass
  run_folder.prepare(tmp_path, small.dqn())
  before = (tmp_path / 'config.json').read_bytes()
  with run_folder.lock(tmp_path):
    with pytest.raises(RunError, match='another process is running'):
      with run_folder.lock(tmp_path):
        raise AssertionError('both would write')
  with run_folder.lock(tmp_path):
    pass
  assert [p.name for p in tmp_path.iterdir()] == ['config.json']
  assert (tmp_path / 'config.json').read_bytes() == before


def test_a_folder_that_cannot_be_written_is_said_in_a_line(
  tmp_path, monkeypatch
):
  run_folder.prepare(tmp_path, small.dqn())

  def refuse(path, *args, **kwargs):
    raise PermissionError(13, 'Permission denied', str(path))

  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, 'open', refuse)
    with pytest.raises(UserError, match='cannot write to .*Permission denied'):
      with run_folder.lock(tmp_path):
        raise AssertionError('it is run without its lock')


def test_file_systems_without_locks_are_trusted(tmp_path, monkeypatch):
  def flock(file, how):
    raise OSError(95, 'Operation not supported')

  run_folder.prepare(tmp_path, small.dqn())
  monkeypatch.setattr(run_folder.fcntl, 'flock', flock)
  with run_folder.lock(tmp_path), run_folder.lock(tmp_path):
    pass
