"""The command `plasticity-rl`, and configs by name."""

import subprocess
import sys

import pytest

from plasticity_rl import __main__ as command
from plasticity_rl import config_files
from plasticity_rl.errors import UserError


def run(*words):
  return subprocess.run(
    [sys.executable, '-m', 'plasticity_rl', *words],
    capture_output=True,
    text=True,
  )


def test_help_lists_every_command_without_jax(capsys):
  assert command.main(['--help']) == 0
  out = capsys.readouterr().out
  for name in command._COMMANDS:
    assert f'\n  {name} ' in out
  for name in ('local', 'slurm', 'xmanager', 'tpu_pod'):
    assert f'\n  launch {name} ' in out
  code = (
    'import sys; from plasticity_rl import __main__ as c; c.main(["--help"]);'
    'sys.exit("jax" in sys.modules)'
  )
  assert subprocess.run([sys.executable, '-c', code]).returncode == 0


@pytest.mark.parametrize(
  'words, message',
  (
    (['trian'], "unknown command 'trian'; did you mean 'train'"),
    (['launch', 'slrum'], "unknown way to launch 'slrum'; did you mean 'slurm"),
    (['launch'], 'which way to launch? valid: local, slurm, tpu_pod, xmanager'),
    ([], 'which command? valid: checkpoints, diagnose, doctor, launch'),
  ),
)
def test_a_command_that_there_is_not(capsys, words, message):
  assert command.main(words) == 2
  error = capsys.readouterr().err
  assert error.startswith(f'error: {message}') and error.count('\n') == 1


@pytest.mark.parametrize(
  'words, told',
  (
    (['train'], '--until'),
    (['diagnose'], '--proxies'),
    (['report'], '--human_normalized'),
    (['verdict'], '--fork_step'),
    (['watch'], '--arm'),
    (['checkpoints'], 'make NAME|all'),
    (['doctor'], 'what works'),
    (['status'], '--once'),
    (['launch', 'local'], '--max_parallel'),
    (['launch', 'slurm'], '--partition'),
    (['launch', 'xmanager'], '--executor'),
    (['launch', 'tpu_pod'], '--batch_seeds'),
  ),
)
def test_each_command_has_its_own_help(words, told):
  result = run(*words, '--help')
  assert result.returncode == 0, result.stderr
  assert told in result.stdout


def test_a_config_is_found_by_its_name(tmp_path, monkeypatch):
  assert config_files.find('continual_catch:demo').name == 'continual_catch.py'
  assert 'studies/when_to_inject' in config_files.names()
  assert 'studies/atari' not in config_files.names()  # What studies share.
  # A file that is there comes first.
  monkeypatch.chdir(tmp_path)
  (tmp_path / 'continual_catch').write_text('')
  assert config_files.find('continual_catch:x').absolute().parent == tmp_path


@pytest.mark.parametrize('name', ('minatarr', 'configs/minatarr.py:breakout'))
def test_a_config_that_there_is_not(name):
  with pytest.raises(UserError, match="did you mean 'minatar'"):
    config_files.find(name)


def test_names_work_in_commands(tmp_path):
  wrong = run('train', '--config=minatarr', f'--workdir={tmp_path}')
  assert wrong.returncode == 2
  assert "unknown config 'minatarr'; did you mean 'minatar'" in wrong.stderr
  assert wrong.stderr.count('\n') == 1
  variant = run('train', '--config', 'continual_catch:tyny')
  assert variant.returncode == 2
  assert variant.stderr.startswith(
    "error: continual_catch: unknown variant 'tyny'"
  )
