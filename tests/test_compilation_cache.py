"""The cache of compiled programs: on by default, and never in a run's way."""

import importlib.metadata
import subprocess
import sys

import pytest

from plasticity_rl import compilation_cache
from plasticity_rl.errors import UserError

FOLDER = 'JAX_COMPILATION_CACHE_DIR'
ENABLED = 'JAX_ENABLE_COMPILATION_CACHE'


@pytest.fixture(name='jaxlib')
def fixture_jaxlib(monkeypatch):
  def pretend(version):
    monkeypatch.setattr(importlib.metadata, 'version', lambda name: version)

  pretend('0.10.2')
  return pretend


def started(chosen='auto', **environ):
  compilation_cache.start(chosen, environ)
  return environ


def test_it_is_in_the_users_cache_folder(jaxlib, tmp_path):
  environ = started(XDG_CACHE_HOME=str(tmp_path))
  assert environ[FOLDER].startswith(f'{tmp_path}/plasticity_rl/jax/')
  assert not list(tmp_path.iterdir())  # jax makes it when it has an entry.


def test_what_the_environment_says_wins(jaxlib):
  assert started(**{FOLDER: 'mine'}) == {FOLDER: 'mine'}
  assert started(**{ENABLED: 'false'}) == {ENABLED: 'false'}


def test_a_worker_elsewhere_chooses_by_its_own_processor(jaxlib, tmp_path):
  home = {'XDG_CACHE_HOME': str(tmp_path)}
  inherited = f'{tmp_path}/plasticity_rl/jax/another'
  assert started(**home, **{FOLDER: inherited}) == started(**home)
  jaxlib('0.12.0')
  assert started(**home, **{FOLDER: inherited}) == home


@pytest.mark.parametrize('version', ('0.12.0', '0.12.1.dev1', '1.0'))
def test_it_is_off_where_jaxlib_crashes_on_reading(jaxlib, tmp_path, version):
  jaxlib(version)
  assert started(XDG_CACHE_HOME=str(tmp_path)).keys() == {'XDG_CACHE_HOME'}
  found = compilation_cache.choose({})
  assert found == (None, f'jaxlib {version} may crash on reading it')
  # Whoever asks for it has it.
  assert started(str(tmp_path))[FOLDER] == str(tmp_path)


def test_a_folder_that_cannot_be_written_stops_no_run(jaxlib, tmp_path):
  (tmp_path / 'file').write_text('')
  environ = {'XDG_CACHE_HOME': str(tmp_path / 'file')}
  assert started(**environ) == environ
  with pytest.raises(UserError, match='cannot be written'):
    started(str(tmp_path / 'file'))


def test_the_flag_switches_it_off_and_elsewhere(jaxlib, tmp_path):
  assert started('off', **{FOLDER: 'x'})[ENABLED] == '0'
  environ = started(str(tmp_path), **{FOLDER: 'x', ENABLED: '0'})
  assert (environ[FOLDER], environ[ENABLED]) == (str(tmp_path), '1')


def test_commands_have_the_flag(tmp_path):
  (tmp_path / 'file').write_text('')
  result = subprocess.run(
    [
      sys.executable,
      '-m',
      'plasticity_rl.train',
      f'--compilation_cache={tmp_path / "file"}',
    ],
    capture_output=True,
    text=True,
  )
  assert result.returncode == 2
  assert result.stderr.startswith('error: --compilation_cache: ')


def test_its_folder_and_size_are_described(tmp_path):
  environ = {FOLDER: str(tmp_path)}
  (tmp_path / 'jit_f-cache').write_bytes(b'x' * 2_000_000)
  (tmp_path / 'jit_f-atime').write_bytes(b'x')
  described = compilation_cache.describe(environ)
  assert described == f'1 programs, 2 MB in {tmp_path} (may be deleted)'
  environ = {ENABLED: '0'}
  assert compilation_cache.describe(environ) == f'off: {ENABLED} is 0'
  (tmp_path / 'file').write_text('')
  environ = {FOLDER: str(tmp_path / 'file')}
  assert 'cannot be written' in compilation_cache.describe(environ)


@pytest.mark.parametrize('name', ('/dev/null/cache', 'a' * 300))
def test_a_given_folder_that_cannot_be_made_is_told_and_not_used(
  name, tmp_path, capsys
):
  environ = {'JAX_COMPILATION_CACHE_DIR': str(tmp_path / name)}
  compilation_cache.start('auto', environ)
  assert environ['JAX_ENABLE_COMPILATION_CACHE'] == '0'
  told = capsys.readouterr().err
  assert told.startswith('note: JAX_COMPILATION_CACHE_DIR: ')
  assert told.endswith(' cannot be written: programs are not kept\n')
  with pytest.raises(UserError, match='--compilation_cache: .* cannot be wri'):
    compilation_cache.start(str(tmp_path / name), {})


def test_a_given_folder_of_someone_else_is_read(monkeypatch, tmp_path, capsys):
  monkeypatch.setattr(compilation_cache, 'is_writable', lambda path: False)
  environ = {'JAX_COMPILATION_CACHE_DIR': str(tmp_path)}
  compilation_cache.start('auto', environ)
  assert 'JAX_ENABLE_COMPILATION_CACHE' not in environ
  assert environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] == '1e9'
  assert 'programs are only read from it' in capsys.readouterr().err


def test_a_given_folder_is_left_alone(tmp_path, capsys):
  for folder in (str(tmp_path / 'new'), 'gs://bucket/cache', ''):
    environ = {'JAX_COMPILATION_CACHE_DIR': folder}
    compilation_cache.start('auto', environ)
    assert environ == {'JAX_COMPILATION_CACHE_DIR': folder}
  assert capsys.readouterr().err == ''
