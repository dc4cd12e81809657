"""The doctor finds what is missing and names the command that mends it."""

import importlib.metadata
import pathlib
import subprocess
import sys

import pytest

from plasticity_rl import doctor
from plasticity_rl.doctor import Requirement

MISSING = Requirement('no-such-package', '>=1,<2', '')


@pytest.mark.parametrize(
  'text, expected',
  [
    ('jax>=0.9,<0.13', ('jax', '>=0.9,<0.13', '')),
    ('jax <0.13,>=0.9', ('jax', '<0.13,>=0.9', '')),
    (
      'pgx-minatar>=0.5,<0.6; extra == "minatar"',
      ('pgx-minatar', '>=0.5,<0.6', 'minatar'),
    ),
    ("wandb<1; extra == 'wandb'", ('wandb', '<1', 'wandb')),
    ('tqdm', ('tqdm', '', '')),
  ],
)
def test_requirements_are_read_from_metadata(text, expected):
  assert doctor.parse_requirement(text) == expected


@pytest.mark.parametrize(
  'version, bounds, expected',
  [
    ('2.4.6', '>=2.0.0,<2.6', True),
    ('2.0', '>=2.0.0,<2.6', True),
    ('2.6.0', '>=2.0.0,<2.6', False),
    ('1.9.9', '>=2.0.0,<2.6', False),
    ('0.12.0.1', '>=0.9.0,<0.13', True),
    ('0.9.0', '<0.10,>=0.9', True),  # Numbers, not text.
    ('0.10.0', '>=0.9.0', True),
    ('0.8.5.post1', '>=0.8.5,<0.9', True),
    ('5', '', True),
  ],
)
def test_versions_are_compared_by_number(version, bounds, expected):
  assert doctor.within(version, bounds) is expected


def test_what_is_missing_has_a_command_that_installs_it():
  (line,) = doctor.check_base([MISSING])
  assert line == ('no-such-package', 'missing', 'pip install plasticity_rl')


def test_a_version_that_was_never_tested_is_told():
  (line,) = doctor.check_base([Requirement('pytest', '>=1,<2', '')])
  assert 'untested' in line.state
  assert line.mend == "pip install 'pytest>=1,<2'"


def test_a_package_that_does_not_import_is_told(monkeypatch, tmp_path):
  (tmp_path / 'broken_module.py').write_text('raise OSError("no\\nlibrary")')
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setitem(doctor._MODULES, 'pytest', 'broken_module')
  (line,) = doctor.check_base([Requirement('pytest', '>=1', '')])
  assert 'does not import: OSError: no library' in line.state
  assert line.mend == "pip install --force-reinstall 'pytest>=1'"


def test_an_extra_is_one_line_where_none_of_it_is_installed():
  wanted = [
    Requirement('no-such-package', '>=1', 'atari'),
    Requirement('no-such-other', '>=1', 'atari'),
    Requirement('no-such-package', '>=1', 'all'),
    Requirement('pytest', '>=1', 'dev'),
    Requirement('no-such-package', '>=1', 'dev'),
  ]
  report = doctor.check_extras(wanted)
  install = "pip install 'plasticity_rl[{}]'"
  assert report['atari'] == [
    ('(all)', 'not installed', install.format('atari'))
  ]
  assert [line.mend for line in report['dev']] == ['', install.format('dev')]
  assert set(report) == {'atari', 'dev'}


def test_an_environment_without_its_package_names_the_extra():
  line = doctor._library('Game', ['no_such_module'], 'atari')
  assert line == ('Game', 'missing', "pip install 'plasticity_rl[atari]'")


def test_pixels_without_a_renderer_name_the_library(monkeypatch):
  monkeypatch.setattr(doctor, '_import_error', lambda module: '')
  monkeypatch.setattr(doctor, '_renders', lambda backend: False)
  pixels = doctor.check_environments()[-1]
  assert pixels.mend.startswith('apt-get install libegl1')
  monkeypatch.setattr(doctor, '_renders', lambda backend: backend == 'osmesa')
  pixels = doctor.check_environments()[-1]
  assert pixels == ('DMC, pixels', 'ready: MUJOCO_GL=osmesa', '')


def test_a_folder_is_judged_by_the_one_that_would_hold_it(tmp_path):
  line = doctor._folder('cache', tmp_path / 'a' / 'b', 'TMPDIR')
  assert 'is writable' in line.state and not line.mend
  (tmp_path / 'file').write_text('')
  line = doctor._folder('cache', tmp_path / 'file' / 'b', 'TMPDIR')
  assert 'cannot be written' in line.state
  assert line.mend.startswith('export TMPDIR=')


def test_the_compilation_cache_is_looked_at_where_it_is_set(tmp_path):
  cache = {'JAX_COMPILATION_CACHE_DIR': str(tmp_path)}
  states = {line.name: line.state for line in doctor.check_machine(cache)}
  assert states['jax cache'].startswith(f'{tmp_path} is writable')
  off = {'JAX_ENABLE_COMPILATION_CACHE': '0'}
  states = {line.name: line.state for line in doctor.check_machine(off)}
  assert states['jax cache'] == 'off: JAX_ENABLE_COMPILATION_CACHE is 0'


def _without_environments(monkeypatch):
  # Looking at them takes seconds, and depends on the machine.
  monkeypatch.setattr(doctor, 'check_environments', lambda: [])


def test_the_report_of_a_base_that_works(monkeypatch, capsys):
  _without_environments(monkeypatch)
  assert doctor.main([]) == 0
  out = capsys.readouterr().out
  assert f'jax               {importlib.metadata.version("jax")}\n' in out
  assert 'cpu' in out
  assert out.endswith('the base works\n')


def test_a_missing_part_of_the_base_fails_with_its_command(monkeypatch, capsys):
  _without_environments(monkeypatch)
  monkeypatch.setattr(
    importlib.metadata, 'requires', lambda name: ['no-such-package>=1,<2']
  )
  assert doctor.main([]) == 1
  out = capsys.readouterr().out
  assert 'no-such-package   missing' in out
  assert 'to mend\n  pip install plasticity_rl\n' in out
  assert out.endswith('the base does NOT work\n')


def test_an_extra_that_is_missing_does_not_fail(monkeypatch, capsys):
  _without_environments(monkeypatch)
  monkeypatch.setattr(
    importlib.metadata,
    'requires',
    lambda name: ['no-such-package>=1,<2; extra == "atari"'],
  )
  assert doctor.main([]) == 0
  assert "pip install 'plasticity_rl[atari]'" in capsys.readouterr().out


def test_it_runs_where_nothing_is_installed(tmp_path):
  # -S leaves out the site-packages, and so everything but the source.
  root = pathlib.Path(doctor.__file__).resolve().parent.parent
  # A checkout may hold metadata of an installation: run from elsewhere.
  (tmp_path / 'plasticity_rl').symlink_to(root / 'plasticity_rl')
  result = subprocess.run(
    [sys.executable, '-S', '-m', 'plasticity_rl.doctor'],
    cwd=tmp_path,
    env={},
    capture_output=True,
    text=True,
    timeout=60,
    check=False,
  )
  assert result.returncode == 1, result.stderr
  assert 'pip install -e .' in result.stdout
