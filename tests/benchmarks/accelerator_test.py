"""Every part in its smallest form on a CPU, and how parts resume."""

import json
import re

import jax
import jax.numpy as jnp
import pytest

from benchmarks.accelerator import __main__ as command
from benchmarks.accelerator import programs
from benchmarks.accelerator import record
from benchmarks.accelerator import science
from benchmarks.accelerator.sizes import FULL
from benchmarks.accelerator.sizes import SMALL
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError

# What a row of each part must hold, and what can be said of it on a CPU.
COLUMNS = {
  'equality': 'distance',
  'precision': 'relative error',
  'donation': 'buffers not donated',
  'update_time': 'x bound',
  'minatar_seeds': 'steps/s',
  'control_seeds': 'steps/s',
  'injection': 'injection, compiled, s',
  'convolutions': 'ms an update',
  'minatar_environments': 'steps/s',
  'control_environments': 'steps/s',
  'host_loop': 'steps/s',
  'sac_small': 'mean return',
}
QUICK = ('precision', 'donation')


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in COLUMNS
  ],
)
def test_a_part_in_its_smallest_form(name, tmp_path):
  every = command.parts(SMALL, tmp_path)
  assert list(every) == list(COLUMNS)
  rows = every[name](300.0)
  assert rows and all(COLUMNS[name] in row for row in rows)
  json.dumps(rows)
  # On a CPU, float32 is float32 and both devices are the same one.
  for row in rows:
    assert row.get('holds', True)
    if 'exact' in row.get('computes in', ''):
      assert row['distance'] == 0
    if 'steps/s' in row:
      assert row['steps/s'] > 0
  if name == 'precision':
    assert [row['rounded to'] for row in rows] == ['float32'] * 3 + ['bfloat16']


def test_the_full_form_trains_with_and_without_resets(tmp_path):
  names = list(command.parts(FULL, tmp_path, peer='rates'))
  assert names[0] == 'equality' and 'peer' in names
  assert names[-2:] == ['sac_humanoid_run_rr32', 'sac_humanoid_run_rr32_resets']
  _, with_resets, *_ = science.runs(FULL)
  assert with_resets.arguments[0].endswith(':quadruped_run,rr32,resets')


def test_what_is_done_is_not_done_again(tmp_path, capsys):
  calls = []

  def part(name, fails=False):
    def run(seconds):
      calls.append(name)
      assert 0 < seconds <= 60
      if fails:
        raise RuntimeError('out of luck')
      return [{'steps/s': 12.345678, 'holds': True}]

    return run

  every = {'one': part('one'), 'two': part('two', True), 'six': part('six')}
  assert command.run(every, tmp_path, 1.0) == 1
  assert calls == ['one', 'two', 'six']
  assert 'two failed: out of luck' in capsys.readouterr().err
  assert not record.path(tmp_path, 'two').exists()
  every['two'] = part('two')
  assert command.run(every, tmp_path, 1.0) == 0
  assert calls == ['one', 'two', 'six', 'two']
  page = (tmp_path / record.PAGE).read_text()
  assert '3 of 3 parts are done' in page and '| 12.35 | yes |' in page
  assert page.index('## one') < page.index('## two') < page.index('## six')


def test_parts_end_with_the_minutes(tmp_path, capsys):
  def interrupted(seconds):
    raise Interrupted('saved')

  every = {'one': interrupted, 'two': lambda _: [{'x': 1}]}
  assert command.run(every, tmp_path, 1.0) == 75
  assert record.path(tmp_path, 'two').exists()
  assert command.run(every, tmp_path, 0.0) == 75
  assert 'time is over before: one' in capsys.readouterr().out


@pytest.mark.parametrize(
  'arguments, message',
  [
    ([], 'jax sees no GPU or TPU here, only a CPU'),
    (['--small', 'precisoin'], "'precisoin'.*precision"),
    (['--small', '--minutes=0'], '--minutes must be above 0, not 0.0'),
  ],
)
def test_bad_input_is_one_line(arguments, message, capsys):
  assert command.main(arguments) == 2
  error = capsys.readouterr().err
  assert error.startswith('error: ') and error.count('\n') == 1
  assert re.search(message, error)


def test_launches_are_counted_from_the_compiled_program():
  compiled = jax.jit(lambda x: jnp.sort(x) + 1).lower(jnp.ones(8)).compile()
  assert 1 <= programs.launches(compiled.as_text()) <= 3
  text = (
    'fused {\n  a.1 = f32[] add(b, c)\n}\n\nENTRY main {\n'
    '  p = f32[2]{0} parameter(0)\n'
    '  f = (f32[2]{0}, f32[]) fusion(p), kind=kLoop, calls=fused\n'
    '  g = f32[2]{0} get-tuple-element(f), index=0\n'
    '  ROOT d = f32[2]{0} custom-call(g, g)\n}\n'
  )
  assert programs.launches(text) == 2


@pytest.mark.slow
def test_a_run_that_is_told_to_stop_goes_on(tmp_path):
  run = science.Run(
    'long',
    (
      '--config=configs/continual_catch.py:tiny',
      '--config.num_steps=30000000',
      '--config.evaluation.every_steps=1000',
    ),
  )
  with pytest.raises(Interrupted, match='long: goes on in'):
    science.train(run, tmp_path / 'run', 20.0)
  with pytest.raises(RunError, match='train left with code 2'):
    science.train(
      science.Run('bad', ('--config=configs/no.py',)), tmp_path / 'bad', 60.0
    )


def test_a_peer_says_its_rate_for_each_number_of_seeds(tmp_path):
  script = tmp_path / 'peer.py'
  script.write_text(
    'import sys\n'
    "seeds = int(sys.argv[1].split('=')[1])\n"
    'print(\'noise\\nRESULT {"steps_per_s": %d}\' % (10 * seeds))\n'
  )
  rows = command.peer_rates(f'python3 {script}', SMALL)
  assert rows == [
    {'seeds': 1, 'steps/s': 10.0},
    {'seeds': 2, 'steps/s': 20.0},
  ]
