"""The doctor finds what is missing and names the command that installs it."""

import importlib.metadata
import pathlib
import subprocess
import sys

from packaging.requirements import Requirement

from plasticity_rl import doctor
from plasticity_rl import errors

MISSING = Requirement('no-such-package>=1,<2')


def test_requirements_are_sorted_by_extra():
  groups = doctor.requirements_by_extra(
    [
      'jax<0.13,>=0.9',
      'tqdm',
      'pgx-minatar>=0.5,<0.6; extra == "minatar"',
      'pgx>=1; extra == "minatar"',
      "wandb<1; extra == 'wandb'",
    ],
    ['minatar', 'wandb'],
  )
  names = {extra: [r.name for r in group] for extra, group in groups.items()}
  assert names == {
    '': ['jax', 'tqdm'],
    'minatar': ['pgx-minatar', 'pgx'],
    'wandb': ['wandb'],
  }


def test_what_is_missing_has_a_command_that_installs_it():
  line = doctor.check_package(MISSING, 'a command')
  assert line == ('no-such-package', 'missing', 'a command')


def test_a_version_outside_the_bounds_is_untested(monkeypatch):
  requirement = Requirement('jaxlib>=0.9,<0.13')
  for version, fits in (
    ('0.9', True),
    ('0.12.9.dev1', True),
    ('0.13.0', False),
    ('0.8.2', False),
  ):
    monkeypatch.setattr(importlib.metadata, 'version', lambda _, v=version: v)
    line = doctor.check_package(requirement, 'a command')
    assert line.state.split()[0] == version
    assert ('untested' in line.state) is not fits
    assert line.fix == ('' if fits else 'a command')


def test_an_extra_is_one_line_with_the_command_that_installs_it():
  install = errors.install_command('atari')
  there = Requirement('pytest')
  version = importlib.metadata.version('pytest')
  line = doctor.check_extra('atari', [MISSING, MISSING])
  assert line == ('atari', 'not installed', install)
  line = doctor.check_extra('atari', [there, MISSING])
  assert line.state == f'pytest {version}, no-such-package missing'
  assert line.fix == install
  line = doctor.check_extra('atari', [there])
  assert line == ('atari', f'pytest {version}', '')


def test_a_device_that_fails_is_not_hidden(monkeypatch):
  import jax

  def broken():
    raise RuntimeError('no\ndriver')

  monkeypatch.setattr(jax, 'local_devices', broken)
  (line,), computes = doctor.check_devices()
  assert not computes
  assert line == (
    'jax',
    'RuntimeError: no driver',
    'export JAX_PLATFORMS=cpu',
  )


def test_the_report_of_a_base_that_works(capsys):
  assert doctor.main([]) == 0
  out = capsys.readouterr().out
  assert f'jax               {importlib.metadata.version("jax")}\n' in out
  assert 'cpu' in out
  assert 'GiB free here' in out
  assert '  jax cache         ' in out
  assert '  dev  ' not in out
  assert out.endswith('the base works\n')


def test_a_missing_part_of_the_base_fails_with_its_command(monkeypatch, capsys):
  monkeypatch.setattr(
    importlib.metadata, 'requires', lambda name: ['no-such-package>=1,<2']
  )
  assert doctor.main([]) == 1
  out = capsys.readouterr().out
  assert 'no-such-package   missing' in out
  assert f'to fix what is needed\n  {errors.install_command()}\n' in out
  assert out.endswith('the base does NOT work\n')


def test_an_extra_that_is_missing_does_not_fail(monkeypatch, capsys):
  monkeypatch.setattr(
    importlib.metadata,
    'requires',
    lambda name: ['no-such-package>=1,<2; extra == "atari"'],
  )
  assert doctor.main([]) == 0
  out = capsys.readouterr().out
  assert '  atari             not installed\n' in out
  command = errors.install_command('atari')
  assert f'to install what is optional\n  {command}\n' in out


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
  assert f'pip install -e {root}' in result.stdout
