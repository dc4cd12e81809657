"""The wheel alone, in an empty folder: the command, a config by its name."""

import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILT_FROM = ('plasticity_rl', 'configs', 'launch')
FILES = ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE')

pytestmark = pytest.mark.slow


def _pip(*words):
  result = subprocess.run(
    [sys.executable, '-m', 'pip', '--disable-pip-version-check', *words],
    capture_output=True,
    text=True,
  )
  assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(name='wheel', scope='module')
def fixture_wheel(tmp_path_factory):
  # From a copy: an earlier build would leave its files in this one.
  source = tmp_path_factory.mktemp('source')
  for name in BUILT_FROM:
    shutil.copytree(
      ROOT / name,
      source / name,
      ignore=shutil.ignore_patterns('__pycache__'),
    )
  for name in FILES:
    shutil.copy(ROOT / name, source)
  out = tmp_path_factory.mktemp('wheel')
  _pip('wheel', '--no-deps', '--no-build-isolation', '-w', out, source)
  (path,) = out.glob('*.whl')
  return path


@pytest.fixture(name='installed', scope='module')
def fixture_installed(wheel, tmp_path_factory):
  target = tmp_path_factory.mktemp('target')
  _pip('install', '--no-deps', '--no-index', '--target', str(target), wheel)
  return target


@pytest.fixture(name='command')
def fixture_command(installed):
  return str(installed / 'bin' / 'plasticity-rl')


@pytest.fixture(name='call')
def fixture_call(installed, tmp_path):
  """Runs the installed command in an empty folder."""
  # As a virtual environment has it, but for its path entries: one of those is
  # this checkout. So -S leaves site-packages out, and PYTHONPATH adds it.
  paths = {sysconfig.get_path(name) for name in ('purelib', 'platlib')}
  environ = {
    **os.environ,
    'PYTHONPATH': os.pathsep.join([str(installed), *sorted(paths)]),
    # A program that is started by this one is without them as well.
    'PYTHONSAFEPATH': '1',
  }

  def call(*words):
    result = subprocess.run(
      [sys.executable, '-S', *words],
      cwd=tmp_path,
      env=environ,
      capture_output=True,
      text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout

  return call


def test_nothing_else_is_at_the_top(wheel):
  names = zipfile.ZipFile(wheel).namelist()
  tops = {name.split('/')[0] for name in names}
  assert {top for top in tops if not top.endswith('.dist-info')} == {
    'plasticity_rl'
  }
  # All that is in the checkout's folders is there.
  for folder in ('configs', 'launch'):
    for path in (ROOT / folder).rglob('*.py'):
      assert f'plasticity_rl/{path.relative_to(ROOT).as_posix()}' in names
  package = ROOT / 'plasticity_rl'
  for path in package.rglob('*'):
    if path.suffix in ('.css', '.html', '.j2', '.js', '.sh'):
      assert path.relative_to(ROOT).as_posix() in names


def test_the_package_is_that_of_the_wheel(call, installed):
  code = (
    'import importlib.util as u; import plasticity_rl;'
    'from plasticity_rl.launch import local as a;'
    'from plasticity_rl import configs as b; print(plasticity_rl.__file__);'
    'print(a.__file__, b.__file__, sep="\\n");'
    'print(u.find_spec("launch"), u.find_spec("configs"))'
  )
  *files, top = call('-c', code).splitlines()
  assert all(pathlib.Path(f).is_relative_to(installed) for f in files)
  assert top == 'None None'


def test_the_doctor_and_install_commands_of_the_wheel(call, command):
  assert call(command, 'doctor').endswith('the base works\n')
  code = (
    'from plasticity_rl import errors; print(errors.install_command("dmc"))'
  )
  assert call('-c', code) == "pip install 'plasticity_rl[dmc]'\n"


def test_a_diagnosis_by_the_installed_command(call, command, tmp_path):
  out = call(
    command, 'diagnose', '--config=continual_catch:tiny', '--workdir=w'
  )
  assert '\nverdict: ' in out
  assert (tmp_path / 'w' / 'report.html').is_file()


def test_aged_checkpoints_come_with_it(wheel, call, command, tmp_path):
  """To list, to watch and to fork, and the wheel is small all the same."""
  assert wheel.stat().st_size < 3e6
  listed = call(command, 'checkpoints')
  for name in ('catch_12', 'labels_20', 'pendulum_32'):
    assert f'{name}: verified, ' in listed
  out = call(command, 'watch', 'checkpoint:catch_12')
  assert out.endswith('film: catch_12_seed1_step36000.gif\n')
  assert (tmp_path / 'catch_12_seed1_step36000.gif').read_bytes()[:3] == b'GIF'
  out = call(
    command,
    'diagnose',
    '--from=checkpoint:labels_20',
    '--workdir=w',
    "--config.fork.arms=('control','injection')",
  )
  assert '\nverdict: losing plasticity' in out


def test_a_verdict_by_the_installed_command(call, command, tmp_path):
  lines = ['arm,seed,step,return']
  for seed in range(6):
    for arm, gain in (('control', 0), ('injection', 2)):
      lines += [f'{arm},{seed},{t},{seed + gain * t}' for t in (0, 1, 2)]
  (tmp_path / 'curves.csv').write_text('\n'.join(lines))
  out = call(command, 'verdict', 'curves.csv', '--margin=1')
  assert '\nverdict: undecided' in out or '\nverdict: losing' in out
  assert (tmp_path / 'verdict' / 'report.html').is_file()


def test_a_study_by_the_installed_command(call, command, tmp_path):
  launch = (command, 'launch', 'local', '--workdir=s')
  name = '--config=studies/when_to_inject:tiny'
  out = call(*launch, name, '--dry_run', '--noestimate')
  assert f'-m plasticity_rl.train {name}' in out
  # A smaller one, in a file of the user's.
  shutil.copy(ROOT / 'tests' / 'launch' / 'tiny_study.py', tmp_path)
  out = call(*launch, '--config=tiny_study.py')
  assert 'status: python -m plasticity_rl.launch.status s' in out
  assert call(command, 'status', '--once', 's')
  call(command, 'report', 's', '--out=r')
  assert (tmp_path / 'r' / 'report.html').is_file()
