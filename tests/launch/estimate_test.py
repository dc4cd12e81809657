import json
import pathlib
import subprocess

import pytest

from launch import estimate
from launch import study as study_lib
from plasticity_rl import settings as settings_lib
from tests.launch import tiny_study
from tests.run import commands


def _rows(segment=10, seeds=2):
  """Segments of 2 s; a look of 3 s after each second one; 7 s to start."""
  seconds, rows = 7.0, []
  for i in range(1, 7):
    seconds += 2.0 + (3.0 if i % 2 == 0 else 0.0)
    rows += [
      {
        'seed': str(1 + s),
        'step': str(i * segment),
        'updates': str(max(0, i - 1) * segment * 4),
        'seconds': str(seconds),
      }
      for s in range(seeds)
    ]
  return rows


def test_a_segment_a_look_and_the_start_are_told_apart():
  ledger = {
    'act_flops': 600.0,
    'update_flops': 50 * 40 * 4 * 1.5,
    'evaluation_flops': 90.0,
  }
  cost = estimate.from_records(_rows(), ledger, 10)
  assert cost.step_seconds == pytest.approx(0.2)
  assert cost.look_seconds == pytest.approx(3.0)
  assert cost.start_seconds == pytest.approx(7 + 2 + 2 + 3 - 4)
  # An act is 10; an update 60, of which there are 4 a step; of two seeds.
  assert cost.step_flops == pytest.approx(2 * (10 + 4 * 60))
  assert cost.look_flops == pytest.approx(2 * 30)
  seconds, flops = cost.of(1000, every=100)
  assert seconds == pytest.approx(10 + 200 + 30)
  assert flops == pytest.approx(500 * 1000 + 60 * 10)


def _settings(**changes):
  config = tiny_study.get_config()
  return settings_lib.resolve(
    study_lib.with_overrides(
      config, {k.replace('__', '.'): v for k, v in changes.items()}
    )
  )


def test_runs_of_one_program_are_measured_once():
  one = estimate.key(_settings())
  for free in (
    {'seed': 9},
    {'optimizer__learning_rate': 1.0},
    {'num_steps': 1000},
    {'interventions': ('redo(at_steps=50)',)},
    {'fork__horizon': 7},
  ):
    assert estimate.key(_settings(**free)) == one
  for other in (
    {'num_seeds': 3},
    {'network__hidden': (9,)},
    {'replay__batch_size': 9},
  ):
    assert estimate.key(_settings(**other)) != one


def test_the_probe_is_a_valid_short_run():
  config = settings_lib.default_config('dqn', 'catch')
  config.replay.min_size = 5000
  config.segment_steps = 4000
  config.environment.num_envs = 8
  config.replay.capacity = 8000
  short = estimate.probe(settings_lib.resolve(config))
  settings = settings_lib.resolve(study_lib.with_overrides(config, short))
  assert settings.num_steps == 6 * 1000 and settings.replay.min_size == 32


def test_a_dry_run_ends_with_the_estimate(tmp_path, monkeypatch):
  """Of a command that writes what a short run writes."""
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  calls = []

  def run(arguments, **_):
    calls.append(arguments)
    folder = pathlib.Path(
      next(a.partition('=')[2] for a in arguments if a.startswith('--workdir='))
    )
    folder.mkdir()
    lines = [','.join(row.values()) for row in _rows(25)]
    (folder / 'metrics.csv').write_text(
      '\n'.join(['seed,step,updates,seconds', *lines]) + '\n'
    )
    (folder / 'ledger.json').write_text(
      json.dumps(
        {'act_flops': 1e6, 'update_flops': 1e6, 'evaluation_flops': 1e6}
      )
    )
    return subprocess.CompletedProcess(arguments, 0)

  monkeypatch.setattr(subprocess, 'run', run)
  arguments = (
    '--config=tests/launch/tiny_study.py',
    f'--workdir={tmp_path / "s"}',
    '--dry_run',
  )
  for _ in range(2):  # The second time it is known.
    result = commands.call('local', *arguments, package='launch')
    assert result.code == 0, result.err
    line, saving = result.out.splitlines()[-2:]
    assert line.startswith('estimate: ') and ' h one after the other' in line
    assert '67% saved (about ' in saving
  assert len([c for c in calls if '-m' in c]) == 1
  monkeypatch.setattr(
    subprocess,
    'run',
    lambda a, **_: subprocess.CompletedProcess(
      a, 2, '', 'x\nerror: no such game\n'
    ),
  )
  result = commands.call(
    'local', *arguments, '--config.network.hidden=(9,)', package='launch'
  )
  assert result.out.splitlines()[-1] == ('no estimate for 4 jobs: no such game')
