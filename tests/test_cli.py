"""What every command does before it begins."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from plasticity_rl import api
from plasticity_rl import cli
from plasticity_rl import process
from plasticity_rl import settings as settings_lib
from tests.run import commands


def test_lapack_has_one_thread_unless_told_otherwise(monkeypatch):
  monkeypatch.delenv('OPENBLAS_NUM_THREADS', raising=False)
  seen = []
  try:
    cli.run(
      lambda argv: seen.append(os.environ['OPENBLAS_NUM_THREADS']),
      argv=['command'],
    )
  except SystemExit as done:
    assert not done.code
  assert seen == ['1']
  monkeypatch.setenv('OPENBLAS_NUM_THREADS', '2')
  cli.one_thread_for_lapack()
  assert os.environ['OPENBLAS_NUM_THREADS'] == '2'


CONFIG = """
from plasticity_rl import settings
def get_config():
  return settings.default_config('dqn', 'catch')
"""


@pytest.fixture(name='train')
def fixture_train(monkeypatch, tmp_path):
  """`train` on the command line, up to the point where it would compute."""
  path = tmp_path / 'config.py'
  path.write_text(CONFIG)
  seen = []
  monkeypatch.setattr(
    api, 'run_training', lambda settings, *_, **__: seen.append(settings)
  )

  def train(*words):
    seen.clear()
    words = [w.replace('CONFIG', str(path)) for w in words]
    result = commands.call('train', f'--workdir={tmp_path / "run"}', *words)
    return result, seen[0] if seen else None

  return train


@pytest.mark.parametrize(
  'words',
  (
    ['--config.num_steps=20', '--config=CONFIG'],
    ['--config.num_steps', '20', '--config', 'CONFIG'],
    ['--config=CONFIG', '--config.num_steps=20'],
    ['--noconfig.agent.double', '--config.num_steps=20', '-config=CONFIG'],
  ),
)
def test_config_may_come_after_its_keys(train, words):
  result, settings = train(*words)
  assert result.code == 0, result.err
  assert settings.num_steps == 20
  assert settings.agent.double == ('--noconfig.agent.double' not in words)


def test_keys_without_a_config(train):
  result, settings = train('--config.num_steps=20')
  assert result.code == 2 and settings is None
  assert result.err == (
    'error: --config is missing, of which --config.num_steps changes a key\n'
  )


@pytest.mark.parametrize(
  'words, message',
  (
    (
      ['--config.environment.name=minatar_breakout'],
      'error: --config.environment.name=minatar_breakout: this config is for '
      "'catch' and has keys in environment that 'minatar_breakout' lacks "
      '(columns, rows): take a config that is made by '
      "default_config('dqn', 'minatar_breakout')\n",
    ),
    (
      # What the other environment has cannot be set either; that is not the
      # fault of the key.
      [
        '--config.environment.sticky_action_prob=0',
        '--config.environment.name=minatar_breakout',
      ],
      'error: --config.environment.name=minatar_breakout: this config is for ',
    ),
    (
      ['--config.agent.name', 'sac'],
      "error: --config.agent.name=sac: this config is for 'dqn' and has keys",
    ),
    (
      ['--config.environment.name=catsh'],
      "error: unknown environment 'catsh'; did you mean 'catch'",
    ),
  ),
)
def test_another_environment_is_what_is_refused(train, words, message):
  result, settings = train('--config=CONFIG', *words)
  assert result.code == 2 and settings is None
  assert result.err.startswith(message) and result.err.count('\n') == 1


LONG = 'a' * 300


@pytest.mark.parametrize(
  'command, words, name',
  (
    ('train', ['--config=continual_catch', f'--workdir={LONG}'], '--workdir'),
    (
      'diagnose',
      ['--config=continual_catch', f'--workdir={LONG}'],
      '--workdir',
    ),
    ('diagnose', [f'--from={LONG}', '--workdir=x'], '--from'),
    ('report', [LONG, '--out=x'], 'a folder'),
    ('report', ['x', f'--out={LONG}'], '--out'),
    ('train', [f'--config={LONG}', '--workdir=x'], '--config'),
    ('launch.status', [LONG], 'the folder'),
    (
      'launch.local',
      ['--config=studies/when_to_inject:tiny', f'--workdir={LONG}'],
      '--workdir',
    ),
  ),
)
def test_a_name_that_is_too_long(command, words, name):
  result = commands.call(command, *words)
  assert result.code == 2
  assert result.err.startswith(
    f'error: {name} has a name of 300 bytes, of which 255 are possible: '
  )
  assert result.err.count('\n') == 1


@pytest.mark.parametrize(
  'words',
  (
    ['plasticity_rl', '--help'],
    ['plasticity_rl.train', '--help'],
    ['plasticity_rl.doctor'],
    ['plasticity_rl.report', '--scores=SCORES'],
  ),
)
def test_a_reader_that_is_gone_is_no_error(words, tmp_path):
  scores = tmp_path / 'scores.csv'
  scores.write_text('algorithm,arm,task,seed,return\na,b,c,1,2.0\n')
  words = [word.replace('SCORES', str(scores)) for word in words]
  reading, writing = os.pipe()
  os.close(reading)
  done = subprocess.run(
    [sys.executable, '-m', *words], stdout=writing, stderr=subprocess.PIPE
  )
  os.close(writing)
  assert (done.returncode, done.stderr) == (0, b'')


def test_letters_that_an_encoding_lacks_are_escaped():
  code = (
    'from plasticity_rl import cli\n'
    "cli.run(lambda argv: print('\\u00b1 1', flush=True), argv=['command'])"
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    env={**os.environ, 'PYTHONIOENCODING': 'ascii'},
    capture_output=True,
    text=True,
  )
  assert (done.returncode, done.stdout) == (0, '\\xb1 1\n'), done.stderr


@pytest.mark.parametrize('count', ('0', 'two', str(os.cpu_count() + 1)))
def test_devices_that_the_cpu_does_not_have(train, count):
  result, _ = train('--config=CONFIG', f'--cpu_devices={count}')
  assert result.code == 2
  assert result.err.startswith(f'error: flag --cpu_devices={count}: ')
  assert len(result.err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() < 2, reason='one core')
def test_two_devices_of_the_cpu_share_the_seeds(tmp_path):
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'plasticity_rl.diagnose', '--cpu_devices=2'),
      *('--config=configs/continual_catch.py:tiny', f'--workdir={tmp_path}'),
      "--config.fork.arms=('control', 'injection')",
      '--config.log.progress=False',
    ],
    cwd=pathlib.Path(__file__).parents[1],
    capture_output=True,
    text=True,
    timeout=500,
  )
  assert done.returncode == 0, done.stderr
  assert 'verdict: ' in done.stdout
  config = json.loads((tmp_path / 'prefix' / 'config.json').read_text())
  assert config['process']['devices'] == ['cpu', 'cpu']


@pytest.mark.parametrize(
  'name, changes, small',
  (
    ('catch', {}, True),
    ('catch', {'hidden': (64, 65)}, False),
    ('catch', {'convolutions': ((16, 3, 1),)}, False),
    ('jax:mine:make', {}, False),
  ),
)
def test_one_thread_for_small_networks(name, changes, small, monkeypatch):
  settings = settings_lib.resolve(settings_lib.default_config('dqn', 'catch'))
  settings = dataclasses.replace(
    settings,
    network=dataclasses.replace(settings.network, **changes),
    environment=dataclasses.replace(settings.environment, name=name),
  )
  asked = []
  monkeypatch.setattr(process, 'use_one_thread', lambda: asked.append(1))
  cli.give_threads(settings)
  assert bool(asked) == small
