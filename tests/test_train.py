"""The train command: what it refuses, and what its overrides come to."""

import pathlib
import subprocess
import sys

import pytest

from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from tests.run import commands
from tests.training import small

CONFIG = '--config=configs/continual_catch.py:tiny'


@pytest.fixture(name='runs')
def fixture_runs(monkeypatch):
  """The experiments that would have been run: nothing is computed here."""
  runs = []
  monkeypatch.setattr(
    runner, 'run', lambda experiment, folder: runs.append(experiment)
  )
  return runs


@pytest.fixture(name='refused')
def fixture_refused(runs, tmp_path):
  """Calls the command, which must refuse; returns its one line."""

  def call(*arguments, workdir=None):
    before = sorted(tmp_path.rglob('*'))
    result = commands.call(
      'train', *arguments, f'--workdir={workdir or tmp_path / "run"}'
    )
    assert result.code == 2
    assert result.out == ''
    (line,) = result.err.splitlines()
    assert line.startswith('error: ')
    assert not runs
    assert sorted(tmp_path.rglob('*')) == before
    return line

  return call


@pytest.mark.parametrize(
  'override, message',
  (
    ('foo=1', "unknown key in config 'foo'; did you mean 'fork'"),
    ('network.hiden=(8,)', "in config.network 'hiden'; did you mean 'hidden'"),
    ('network.hidden.x=1', "config.network.hidden has no key 'x'"),
    ('num_seeds=x', 'config.num_seeds=x: invalid literal'),
    ('num_seeds=1.5', 'config.num_seeds=1.5: invalid literal'),
    ('optimizer.learning_rate=fast', 'could not convert string to float'),
    ('agent.double=maybe', 'config.agent.double=maybe'),
    ('network=3', 'config.network=3'),
    ('num_seeds=0', 'config.num_seeds must be 1 to 65536: 0'),
    ('num_steps=-5', 'config.num_steps must be at least 1: -5'),
    ('network.split=3', 'a network of 3 layers can be split at -3 to 2'),
    ('network.split=-4', 'a network of 3 layers can be split at -3 to 2'),
    ('network.convolutions=((16,3,1),)', 'needs images [H, W, C]'),
    ('replay.updates_per_step=1.5', 'whole number or one over a whole number'),
    ('diagnostics.names=("srnk",)', "'srnk'; did you mean 'srank'"),
    ('diagnostics.names=(3,)', 'config.diagnostics.names must hold text: 3'),
    ('interventions=("injektion(at_steps=100)",)', "did you mean 'injection'"),
    (
      'interventions=("injection(nets=(\'critic\',), at_steps=100)",)',
      "unknown network of this agent 'critic'",
    ),
    (
      'interventions=("injection(at_steps=300)",)',
      'happens at step 300, but the last point before the end is 200',
    ),
    ('interventions=("injection",)', 'needs one of at_steps, every_steps'),
    ('interventions=("injection(at_steps=100",)', 'cannot read the'),
    (
      'environment.name=pong',
      "unknown environment 'pong'; did you mean 'atari_pong'?",
    ),
  ),
)
def test_bad_overrides(refused, override, message):
  assert message in refused(CONFIG, f'--config.{override}')


@pytest.mark.parametrize(
  'arguments, message',
  (
    (['--config=configs/nope.py'], "no config file 'configs/nope.py'"),
    (
      ['--config=configs/continual_catch.py:tyny'],
      "unknown variant 'tyny'; valid: bigger, demo, fresh, proxies, tiny",
    ),
    (
      ['--config=configs/sac_dmc.py:cheeta_run'],
      "error: configs/sac_dmc.py: unknown variant 'cheeta_run'; did you mean "
      "'cheetah_run' or 'humanoid_run'? valid: any task of the suite (such",
    ),
    (
      ['--config=configs/drq_dmc.py:small,reacher_esy'],
      "'reacher_esy'; did you mean 'reacher_easy'",
    ),
    (['--config=configs/dqn_atari.py:pongg'], "'pongg'; did you mean 'pong'"),
    ([], '--config is missing; see --help'),
    ([CONFIG, '--worckdir=x'], "flag 'worckdir'. Did you mean: workdir"),
    ([CONFIG, 'fast'], "unexpected argument 'fast'"),
    (['--config.num_seeds=0', CONFIG], 'num_seeds must be 1 to 65536: 0'),
  ),
)
def test_bad_command_lines(refused, arguments, message):
  assert message in refused(*arguments)


def test_missing_workdir(runs):
  result = commands.call('train', CONFIG)
  assert result == (2, '', 'error: --workdir is missing; see --help\n')
  assert not runs


def test_config_file_that_fails(refused, tmp_path):
  path = tmp_path / 'config.py'
  path.write_text('def get_config():\n  return int("x")\n')
  line = refused(f'--config={path}')
  assert line.endswith("invalid literal for int() with base 10: 'x'")
  assert str(path) in line and 'Traceback' not in line


def test_workdir_of_another_config(refused, tmp_path):
  run_folder.prepare(tmp_path / 'other', small.dqn())
  line = refused(CONFIG, workdir=tmp_path / 'other')
  assert 'holds a run of another config; they differ in' in line
  assert 'num_steps (there 80, here 300)' in line


def test_workdir_of_something_else(refused, tmp_path):
  (tmp_path / 'thesis.tex').write_text('x')
  assert 'neither empty nor a run' in refused(CONFIG, workdir=tmp_path)
  line = refused(CONFIG, workdir=tmp_path / 'thesis.tex')
  assert 'thesis.tex is a file' in line


def test_overrides_are_taken(runs, tmp_path):
  for number, arms in enumerate(
    ('("control","injection")', "('control', 'injection')")
  ):
    result = commands.call(
      'train',
      CONFIG,
      f'--workdir={tmp_path / str(number)}',
      f'--config.fork.arms={arms}',
      '--config.network.hidden=(32, 32)',
      '--config.optimizer.learning_rate=1e-4',
      '--noconfig.agent.double',
      '--config.network.split=-2',
      '--config.interventions=(\'reset(scope="last", at_steps=(100,))\',)',
    )
    assert result.code == 0, result.err
    assert result.out == f'metrics: {tmp_path / str(number) / "metrics.csv"}\n'
    settings = runs[-1].settings
    assert settings.fork.arms == ('control', 'injection')
    assert settings.network.hidden == (32, 32)
    assert settings.network.split == -2
    assert settings.optimizer.learning_rate == 1e-4
    assert settings.agent.double is False
    assert settings.num_seeds == 2  # Of the variant.
  folder = tmp_path / '0'
  assert run_folder.read_config(folder)['network']['hidden'] == [32, 32]


def test_one_width_is_a_tuple(runs, tmp_path):
  result = commands.call(
    'train',
    CONFIG,
    f'--workdir={tmp_path}',
    '--config.network.hidden=(32,)',
    '--config.network.split=1',
  )
  assert result.code == 0, result.err
  assert runs[0].settings.network.hidden == (32,)


@pytest.mark.slow
@pytest.mark.parametrize(
  'arguments, message',
  (
    (['--config.foo=1'], "unknown key in config 'foo'"),
    (['--config.num_seeds=0'], 'config.num_seeds must be 1 to 65536: 0'),
    (['--config.network.split=7'], 'can be split at'),
  ),
)
def test_as_a_process(arguments, message, tmp_path):
  result = subprocess.run(
    [
      sys.executable,
      '-m',
      'plasticity_rl.train',
      CONFIG,
      *arguments,
      f'--workdir={tmp_path / "run"}',
    ],
    cwd=pathlib.Path(commands.ROOT),
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert result.returncode == 2
  (line,) = result.stderr.splitlines()
  assert line.startswith('error: ') and message in line
  assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('until', (0, -5, 301))
def test_until_beyond_the_run(refused, until):
  line = refused(CONFIG, f'--until={until}')
  assert f'--until must be 1 to num_steps (300): {until}' in line


def test_until_is_on_the_grid(monkeypatch, tmp_path):
  asked = []
  monkeypatch.setattr(
    runner, 'run', lambda experiment, folder, **more: asked.append(more)
  )
  for until in ('--until=100', '--until=101', '--config.seed=1'):
    result = commands.call('train', CONFIG, f'--workdir={tmp_path}', until)
    assert result.code == 0, result.err
  assert asked == [{'num_steps': 100}, {'num_steps': 200}, {}]
