"""What hosts have to agree on, and how long they wait for one another."""

import pathlib
import socket
import subprocess
import sys

import pytest

from plasticity_rl.distributed import hosts
from plasticity_rl.errors import UserError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_a_process_by_itself_is_the_first_and_agrees():
  with hosts.joined(None):
    assert (hosts.count(), hosts.index(), hosts.is_first()) == (1, 0, True)
    assert hosts.all_gather_object('x', 3) == [3]
    assert hosts.broadcast_object('x', 3) == 3
    hosts.agree_on({'seed': 1})


class Fake:
  """A group of hosts, of which the others' answers are known."""

  def __init__(self, *configs):
    self.index, self._configs = 0, configs

  def all_gather_object(self, name, value):
    del value
    if name == 'config':
      return list(self._configs)
    return [str(config) for config in self._configs]


def test_hosts_that_disagree_are_told_the_keys(monkeypatch):
  config = {'seed': 1, 'num_steps': 5, 'network.hidden': [8]}
  monkeypatch.setattr(hosts, '_group', Fake(config, config))
  hosts.agree_on(config)
  monkeypatch.setattr(
    hosts, '_group', Fake(config, config, {**config, 'seed': 2, 'new': 0})
  )
  with pytest.raises(UserError) as error:
    hosts.agree_on(config)
  text = str(error.value)
  assert 'new (host 0: None, host 2: 0); seed (host 0: 1, host 2: 2)' in text
  assert 'num_steps' not in text and 'hidden' not in text


def free_port():
  with socket.socket() as one:
    one.bind(('127.0.0.1', 0))
    return one.getsockname()[1]


@pytest.mark.slow
@pytest.mark.parametrize('index', (0, 1))
def test_who_waits_in_vain_says_where_and_for_how_long(index, tmp_path):
  where = f'127.0.0.1:{free_port()}'
  process = subprocess.run(
    [
      sys.executable,
      '-m',
      'plasticity_rl.train',
      '--config=configs/random_labels.py:tiny',
      f'--workdir={tmp_path / "run"}',
      f'--coordinator={where}',
      '--num_processes=2',
      f'--process_id={index}',
      '--start_timeout=1',
    ],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=100,
  )
  assert process.returncode == 2
  assert process.stderr == (
    f'error: not all processes met at the coordinator {where} within 1 s: '
    'is it reachable, and were 2 of them started?\n'
  )
  assert process.stdout == '' and not (tmp_path / 'run').exists()
