"""XManager by its mock; a TPU pod whose hosts are processes of this machine."""

import json
import os
import pathlib
import shlex
import subprocess
import sys
from unittest import mock

import pytest

from launch import commands as run_commands
from launch import container
from launch import folder as folder_lib
from tests.run import commands

ROOT = pathlib.Path(__file__).parents[2]
STUDY = 'tests/launch/tiny_study.py'
xm_mock = pytest.importorskip(
  'xmanager.xm_mock', reason='xmanager is not installed'
)


def call(module, *arguments, study=STUDY):
  return commands.call(
    module, f'--config={study}', *arguments, package='launch'
  )


def _experiment(*arguments):
  """What a launch gives to XManager, in a mock of it."""
  from xmanager import xm_local

  experiment = xm_mock.MockExperiment()
  with mock.patch.object(
    xm_local, 'create_experiment', lambda experiment_title: experiment
  ):
    result = call('xmanager', '--workdir=/gcs/bucket/s', *arguments)
  experiment._event_loop.close()  # The mock leaves that open.
  assert result.code == 0, result.err
  return experiment, result


def test_a_work_unit_for_each_run():
  experiment, result = _experiment(
    '--accelerator=tpu_v5e=4x4',
    '--executor=kubernetes',
    # A flag may be written so, too.
    '-sweep.optimizer.learning_rate',
    '1e-3,2e-3',
    '--config.num_steps=500',
    '--batch_seeds',
    '1',
  )
  assert result.out.endswith('6 work units\n')
  jobs = experiment.launched_jobs
  assert experiment.work_unit_count == len(jobs) == 6
  names = set()
  for job in jobs:
    assert job.executor.requirements.topology.name == '4x4'
    words = job.args.to_list(str)
    assert f'--config={STUDY}' in words
    assert '--workdir=/gcs/bucket/s' in words
    assert '--config.num_steps=500' in words
    assert '--sweep.optimizer.learning_rate=1e-3,2e-3' in words
    assert '--batch_seeds=1' in words
    names.add(next(w for w in words if w.startswith('--job=')))
  assert len(names) == 6  # No prefix: who comes first trains it.
  assert not pathlib.Path('/gcs').exists()


def test_the_command_of_a_work_unit_finds_its_job(tmp_path):
  """Where nobody has made the folder yet."""
  experiment, _ = _experiment()
  words = experiment.launched_jobs[0].args.to_list(str)
  words = [w for w in words if not w.startswith('--workdir')]
  with mock.patch('launch.job.Worker.do', autospec=True) as do:
    do.return_value = 0
    result = commands.call(
      'remote', *words, f'--workdir={tmp_path}', package='launch'
    )
  assert result.code == 0, result.err
  assert do.call_args.args[1] == 'control'
  assert (tmp_path / 'study.json').exists()
  result = commands.call(
    'remote',
    f'--config={STUDY}',
    f'--workdir={tmp_path}',
    '--job=cotrol',
    package='launch',
  )
  assert result.code == 2 and "did you mean 'control'" in result.err


def test_vertex_and_local_executors():
  experiment, _ = _experiment('--accelerator=a100=2', '--cpus=8')
  needs = experiment.launched_jobs[0].executor.requirements
  assert 'a100=2' in str(needs).lower() and 'cpu=8' in str(needs)
  assert type(experiment.launched_jobs[0].executor).__name__ == 'Vertex'
  experiment, _ = _experiment('--executor=local', '--image=me/mine:1')
  assert type(experiment.launched_jobs[0].executor).__name__ == 'Local'


@pytest.mark.parametrize(
  'arguments, message',
  (
    (['--accelerator=h900=4'], 'XManager: KeyError: "Unknown ResourceType'),
    (['--accelerator=tpu_v5e=4xx4'], "Couldn't parse resource quantity"),
    (['--accelerator=a100'], 'is TYPE=COUNT or TPU=TOPOLOGY'),
    (['--accelerator=a100=many'], "'many' is neither a number nor"),
  ),
)
def test_xmanagers_own_message(arguments, message):
  result = call('xmanager', '--workdir=/gcs/x', *arguments)
  assert result.code == 2 and result.out == ''
  (line,) = result.err.splitlines()
  assert line.startswith('error: ') and message in line


def test_what_the_cloud_refuses_is_passed_on():
  from xmanager import xm_local

  def refuse(experiment_title):
    raise RuntimeError('project not\nfound')

  with mock.patch.object(xm_local, 'create_experiment', refuse):
    result = call('xmanager', '--workdir=/gcs/x')
  assert result.code == 2
  assert result.err == 'error: XManager: RuntimeError: project not found\n'


def test_engine_that_is_not_installed():
  with mock.patch.dict(sys.modules, {'xmanager': None}):
    result = call('xmanager', '--workdir=/gcs/x')
  assert result.code == 2
  assert 'xmanager is not installed: pip install -e' in result.err
  assert '[xmanager]' in result.err


@pytest.mark.parametrize(
  'kind, wheel',
  (('gpu', "'jax[cuda12]'"), ('tpu', "'jax[tpu]'"), ('cpu', "'jax'")),
)
def test_the_container(kind, wheel):
  result = commands.call('container', kind, package='launch')
  assert result.code == 0 and wheel in result.out
  lines = result.out.splitlines()
  assert lines[0].startswith('FROM ') and lines[-1].startswith('ENTRYPOINT')
  for line in lines:  # What is copied is there.
    words = line.split()
    if words[0] == 'COPY':
      assert all((ROOT / word).exists() for word in words[1:-1]), line
  # XManager puts the project's folder into the context under its name.
  assert f'COPY {ROOT.name}/ /workdir' in container.instructions(
    kind, ROOT.name
  )
  assert commands.call('container', 'gpus', package='launch').code == 2


_GCLOUD = """#!/bin/sh
# Runs the command of a host here; describes a pod of two.
echo "$@" >> "$GCLOUD_LOG"
case "$*" in
  *describe*nowhere*) echo "ERROR: NOT_FOUND: no TPU" >&2; exit 1 ;;
  *describe*) echo '{"networkEndpoints": [{}, {}]}'; exit 0 ;;
esac
for word; do
  case "$word" in --command=*) exec sh -c "${word#--command=}" ;; esac
done
"""


@pytest.fixture(name='gcloud')
def fixture_gcloud(tmp_path, monkeypatch):
  program = tmp_path / 'bin' / 'gcloud'
  program.parent.mkdir()
  program.write_text(_GCLOUD)
  program.chmod(0o755)
  log = tmp_path / 'gcloud.log'
  monkeypatch.setenv('PATH', f'{program.parent}:{os.environ["PATH"]}')
  monkeypatch.setenv('GCLOUD_LOG', str(log))
  return log


def _pod(*arguments, tpu='pod', study=STUDY):
  return call(
    'tpu_pod',
    f'--tpu={tpu}',
    '--zone=z',
    f'--directory={ROOT}',
    f'--python={sys.executable}',
    *arguments,
    study=study,
  )


def test_the_commands_of_every_host_are_printed(gcloud, tmp_path):
  result = _pod(
    f'--workdir={tmp_path / "s"}', '--dry_run', '--coordinator=10.0.0.2:1234'
  )
  assert result.code == 0, result.err
  lines = [x for x in result.out.splitlines() if x.startswith('  gcloud')]
  assert len(lines) == 2 * 4 and not (tmp_path / 's').exists()
  for i, line in enumerate(lines[:2]):
    words = shlex.split(line)
    assert f'--worker={i}' in words and '--zone=z' in words
    shell = words[-1].removeprefix('--command=')
    assert shell.startswith(f'cd {ROOT} && ')
    assert shell.endswith(
      f'--coordinator=10.0.0.2:1234 --num_processes=2 --process_id={i}'
    )
  # On a pod jax finds the others by itself; alone there is nobody to find.
  assert run_commands.host(['-m', 'x'], 1, 2) == [
    '-m',
    'x',
    '--distributed=auto',
  ]
  assert run_commands.host(['-m', 'x'], 0, 1, 'a:1') == ['-m', 'x']


def test_a_diagnosis_is_for_one_host(gcloud, tmp_path):
  result = _pod(
    f'--workdir={tmp_path / "s"}',
    '--dry_run',
    study='tests/launch/tiny_diagnosis.py',
  )
  assert result.code == 2
  assert 'a diagnosis runs on one host, and this pod has 2' in result.err


@pytest.mark.slow
def test_the_printed_commands_do_the_study(gcloud, tmp_path):
  """Each as a process of its own, as on a pod of one host."""
  workdir = tmp_path / 's'
  result = _pod(
    f'--workdir={workdir}',
    '--dry_run',
    '--hosts=1',
    '--sweep.optimizer.learning_rate=1e-3,2e-3',
    study=f'{STUDY}:alone',
  )
  lines = [x for x in result.out.splitlines() if x.startswith('  gcloud')]
  assert len(lines) == 2
  both = [subprocess.Popen(shlex.split(line)) for line in lines]
  assert [process.wait(300) for process in both] == [0, 0]
  for rate in ('0.001', '0.002'):
    ledger = workdir / 'runs' / f'learning_rate={rate}' / 'ledger.json'
    assert json.loads(ledger.read_text())['total_flops'] > 0


def _fake_pod(monkeypatch, tmp_path, code):
  """A study whose runs are a line of Python on each of two hosts."""
  real = folder_lib.specs

  def specs(study, plan, folder):
    jobs = real(study, plan, folder)
    for spec in jobs.values():
      spec['command'] = ['-c', code, str(tmp_path), '--']
    return jobs

  monkeypatch.setattr(folder_lib, 'specs', specs)
  return _pod(
    f'--workdir={tmp_path / "s"}', '--coordinator=a:1', study=f'{STUDY}:alone'
  )


def test_every_host_takes_part(gcloud, tmp_path, monkeypatch):
  code = (
    'import sys, pathlib; i = sys.argv[-1].split("=")[1];'
    'open(pathlib.Path(sys.argv[1]) / f"host{i}", "a").write("x")'
  )
  result = _fake_pod(monkeypatch, tmp_path, code)
  assert result.code == 0, result.err
  for i in range(2):  # Three runs, one after the other.
    assert (tmp_path / f'host{i}').read_text() == 'xxx'
  assert 'report: python -m plasticity_rl.report' in result.out


def test_a_host_that_fails_ends_the_others(gcloud, tmp_path, monkeypatch):
  code = (
    'import sys, time; i = sys.argv[-1].split("=")[1];'
    'i == "1" and sys.exit("error: chip 3 is down"); time.sleep(120)'
  )
  result = _fake_pod(monkeypatch, tmp_path, code)
  assert result.code == 1
  assert 'chip 3 is down' in result.err
  assert 'kill -TERM' in gcloud.read_text()


def test_a_host_that_was_lost_is_tried_again(gcloud, tmp_path, monkeypatch):
  code = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
i = int(sys.argv[-1].split('=')[1])
both = [pathlib.Path(sys.argv[1]) / f'host{n}' for n in range(2)]
tries = len(both[i].read_text()) + 1 if both[i].exists() else 1
both[i].write_text(tries * 'x')
# Neither ends before both have come so far that they ignore the signal.
while any(not p.exists() or len(p.read_text()) < tries for p in both):
  time.sleep(0.05)
sys.exit([75, 137][i] if tries == 1 else 0)
"""
  result = _fake_pod(monkeypatch, tmp_path, code)
  assert result.code == 0, result.err
  for i in range(2):  # Three runs, of which the first one failed once.
    assert (tmp_path / f'host{i}').read_text() == 'xxxx'


def test_a_pod_that_is_not_there(gcloud, tmp_path, monkeypatch):
  result = _pod(f'--workdir={tmp_path / "s"}', tpu='nowhere')
  assert result == (2, '', 'error: gcloud: ERROR: NOT_FOUND: no TPU\n')
  monkeypatch.setenv('PATH', '/nowhere')
  result = _pod(f'--workdir={tmp_path / "s"}')
  assert result.code == 2 and 'there is no gcloud here' in result.err
