"""Talks: what is refused before any run, what is listed, and one that runs."""

import csv
import json
import pathlib
import subprocess
import sys

import pytest

from launch import folder as folder_lib
from launch import planned
from launch import preflight
from launch import progress
from launch import status_table
from launch import study as study_lib
from plasticity_rl.analysis.study import talk as talks
from tests.launch import fakes
from tests.run import commands

ROOT = pathlib.Path(__file__).parents[2]
TALK = 'tests/launch/tiny_talk.py'
_PART = """
from plasticity_rl.analysis.study.claims import *
from plasticity_rl.analysis.study.quantities import *
from tests.launch import tiny_diagnosis

COMMAND = 'diagnose'
get_config = tiny_diagnosis.get_config
get_sweep = tiny_diagnosis.get_sweep
{claims}
"""
_ONE = "Claim(name='{}', sentence='It is so.', rules=({},))"
_GAIN = "Above(Contrast('injection'))"


def call(*arguments, module='local'):
  return commands.call(module, *arguments, package='launch')


@pytest.fixture(name='refused')
def fixture_refused(tmp_path, monkeypatch):
  """Calls a launch, which must refuse before it builds or makes anything."""

  def build(*_, **__):
    raise AssertionError('a program was built')

  monkeypatch.setattr(preflight, 'check', build)

  def refuse(*arguments, config=f'{TALK}:tiny', module='local'):
    before = sorted(tmp_path.rglob('*.json'))
    result = call(
      f'--config={config}',
      f'--workdir={tmp_path / "t"}',
      *arguments,
      module=module,
    )
    assert (result.code, result.out) == (2, '')
    (line,) = result.err.splitlines()
    assert line.startswith('error: ')
    assert sorted(tmp_path.rglob('*.json')) == before
    return line

  return refuse


@pytest.fixture(name='file')
def fixture_file(tmp_path):
  """Writes a talk whose parts are as given, by name."""

  def write(head='', **parts):
    path = tmp_path / 'mine.py'
    path.write_text(
      'from plasticity_rl.analysis.study import talk\n'
      'from plasticity_rl.analysis.study.talk import Case\n'
      f'PARTS = {tuple(parts)}\n{head}\n'
      'def get_config(variant=""):\n  return talk.config(PARTS, variant)\n'
    )
    folder = tmp_path / 'mine_parts'
    folder.mkdir(exist_ok=True)
    for name, text in parts.items():
      (folder / f'{name}.py').write_text(_PART.format(claims=text))
    return path

  return write


def claimed(*rules):
  return f'CLAIMS = ({_ONE.format("gain", ", ".join(rules))},)'


@pytest.mark.parametrize(
  'claims_, message',
  (
    ('', "part 'a': it has no CLAIMS"),
    ('CLAIMS = ()', "part 'a': it has no CLAIMS"),
    ('CLAIMS = 3', 'CLAIMS is a tuple of Claim(...): 3'),
    (claimed("Above(Contrast('injektion'))"), "did you mean 'injection'?"),
    (claimed("Above(Contrast('injection', 'reset'))"), "unknown arm 'reset'"),
    (
      claimed("Above(Contrast('injection', at={'fork.step': 150}))"),
      "part 'a': claim 'gain': fork.step is never 150: it is 100, 200",
    ),
    (
      claimed("Above(Contrast('injection', at={'fork.stepp': 100}))"),
      "unknown axis of the sweep 'fork.stepp'; did you mean 'fork.step'",
    ),
    (
      claimed("Above(Trend(Contrast('injection'), 'seed'))"),
      "unknown axis of the sweep 'seed'; valid: fork.step",
    ),
    (
      claimed("Above(Level('control', column='eval/return', step=150))"),
      'has no eval/return at step 150; next to it: 100, 200',
    ),
    (
      claimed("Above(Level('control', column='at_fork/agreement'))"),
      'has no at_fork/agreement',
    ),
    (claimed('Contrast("injection")'), 'a rule is Above(...), Below(...)'),
    (claimed(f'{_GAIN[:-1]}, float("nan"))'), 'can never be decided'),
    ("CLAIMS = (Claim(name='x'),)", 'TypeError: '),
  ),
)
def test_claims_that_no_run_could_decide(refused, file, claims_, message):
  assert message in refused(config=file(a=claims_))


def test_columns_that_no_run_writes(file, tmp_path):
  config = file(a=claimed("Above(Level('control', column='train/los'))"))
  result = call(f'--config={config}', f'--workdir={tmp_path / "t"}')
  assert result.code == 2 and not (tmp_path / 't').exists()
  assert "claim 'gain': unknown metric 'train/los'; did you mean" in result.err


@pytest.mark.parametrize(
  'head, message',
  (
    ("CASES = (Case('lost', part='c', claim='gain'),)", "unknown part 'c'"),
    ("CASES = (Case('lost', part='a', claim='g'),)", "unknown claim 'g'"),
    ("CASES = (Case('lost', part='a', claim='gain'),)", '2 places of part'),
    (
      "CASES = (Case('lost', part='a', claim='gain', arms=('x',),"
      " at={'fork.step': 100}),)",
      "case 'lost': unknown arm 'x'",
    ),
  ),
)
def test_cases_of_what_is_not_there(refused, file, head, message):
  assert message in refused(config=file(head, a=claimed(_GAIN)))


def test_two_parts_with_one_claim(refused, file):
  line = refused(config=file(a=claimed(_GAIN), b=claimed(_GAIN)))
  assert "parts 'a' and 'b' both have a claim 'gain'" in line


@pytest.mark.parametrize(
  'arguments, message',
  (
    ({'config': f'{TALK}:small'}, "part 'forked': "),
    ({'config': f'{TALK}:small'}, "unknown variant 'small'; valid: tiny"),
    ({'config': 'configs/studies/talk.py:smal'}, "unknown variant 'smal'"),
  ),
)
def test_a_variant_that_a_part_lacks(refused, arguments, message):
  assert message in refused(**arguments)


def test_a_part_that_is_not_there(refused, file):
  path = file(a=claimed(_GAIN), b=claimed(_GAIN))
  (path.parent / 'mine_parts' / 'b.py').unlink()
  assert 'there is no config file' in refused(config=path)


@pytest.mark.parametrize(
  'argument, message',
  (
    ("--config.parts=('forkd',)", "'forkd'; did you mean 'forked'"),
    ('--config.num_seeds=3', "unknown key in config 'num_seeds'"),
    ('--sweep.seed=1,2', '--sweep.seed is of one study: launch a part alone'),
  ),
)
def test_flags_that_are_of_one_study(refused, argument, message):
  assert message in refused(argument)


@pytest.mark.parametrize('module', ('xmanager', 'remote'))
def test_other_engines_launch_parts_alone(refused, module):
  more = ['--job=a'] if module == 'remote' else []
  line = refused(*more, module=module)
  assert 'is a talk, a study of studies, which launch.local runs' in line
  assert '--config=tests/launch/tiny_talk_parts/forked.py:tiny' in line


def test_a_folder_that_is_something_else(refused, tmp_path):
  folder = tmp_path / 't'
  folder.mkdir()
  (folder / 'study.json').write_text('{}')
  assert 'neither empty nor a talk' in refused()
  (folder / 'talk.json').write_text('{"source": "b.py:tiny"}')
  assert 'holds another talk, b.py:tiny' in refused()


@pytest.fixture(name='unchecked')
def fixture_unchecked(monkeypatch):
  monkeypatch.setattr(preflight, 'check', lambda *_, **__: ())


def test_a_dry_run_lists_all_parts_and_leaves_no_trace(tmp_path, unchecked):
  arguments = [f'--workdir={tmp_path / "t"}', '--dry_run', '--noestimate']
  result = call(f'--config={TALK}:tiny', *arguments)
  assert result.code == 0, result.err
  assert 'forked: Does a small network need an injection?' in result.out
  assert '\nforked/step=100\n' in result.out
  assert '\ntrained/reset\n' in result.out
  one = call(f'--config={TALK}:tiny,trained', *arguments)
  assert 'forked/' not in one.out and '\ntrained/reset\n' in one.out
  same = call(
    f'--config={TALK}:tiny', "--config.parts=('trained',)", *arguments
  )
  assert same.out == one.out
  assert not (tmp_path / 't').exists()


def test_the_plan_has_what_runs_will_have(file):
  """Each arm's fork and evaluations; nothing before the first of them."""
  source = str(file(a=claimed(_GAIN)).parent / 'mine_parts' / 'a.py')
  study = study_lib.build(source, study_lib.config_of(source))
  plan = planned.results(study, ())
  assert {(s.arm, s.setting) for s in plan.samples} == {
    (arm, (('fork.step', step),))
    for arm in ('control', 'injection')
    for step in (100, 200)
  }
  late = next(s for s in plan.samples if dict(s.setting) == {'fork.step': 200})
  assert [*late.series.steps] == [200, 300]
  assert [*late.prefix.table.series('eval/return').steps] == [100, 200]
  assert [*late.seeds] == [1, 2]


def test_the_table_of_a_talk(tmp_path):
  (tmp_path / 'talk.json').write_text(
    json.dumps({'title': 'Is it fake?', 'parts': {'a': '', 'b': '', 'c': ''}})
  )
  for part in 'ab':
    fakes.write(tmp_path / part, {'x': fakes.spec(''), 'y': fakes.spec('')})
  folder_lib.write_state(tmp_path / 'a', 'x', state='done')
  folder_lib.write_state(tmp_path / 'a', 'y', state='failed', error='no luck')
  jobs = progress.read(tmp_path)
  assert [job.name for job in jobs] == ['a/x', 'a/y', 'b/x', 'b/y']
  rows = status_table.collapsed(jobs)
  assert [row.name for row in rows] == ['a/x', 'a/y', 'b: 2 jobs']
  assert rows[-1].total == 200 and rows[-1].state == 'waiting'
  result = call(tmp_path, '--once', module='status')
  for said in ('Is it fake?', 'no luck', '1 done, 1 failed, 2 waiting'):
    assert said in result.out, said


VARIANTS = ('small', 'solid', 'tiny')


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize(
  'name', ('talk', 'talk_overnight', 'fire_vs_injection')
)
def test_the_parts_of_our_talks(name, variant):
  """Each has every variant, and seeds that were not explored."""
  talk = talks.read(f'configs/studies/{name}.py:{variant}')
  for source in talk.parts.values():
    study = study_lib.build(source, study_lib.config_of(source))
    assert study.title.endswith('?') and study.claims
    for run in study.runs:
      assert run.settings.seed >= 1000
    if variant != 'tiny':
      assert all(claim.doubt for claim in study.claims)


@pytest.mark.slow
def test_a_talk_from_its_command_to_its_page(tmp_path):
  command = (f'--config={TALK}:tiny', f'--workdir={tmp_path / "t"}')
  done = subprocess.run(
    [sys.executable, '-m', 'launch.local', *command],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=600,
  )
  assert done.returncode == 0, done.stderr
  assert '/3] done: forked/step=100' in done.stdout
  study = json.loads((tmp_path / 't' / 'trained' / 'study.json').read_text())
  assert study['decided']['claims'][0].startswith("Claim(name='order'")
  # The same command finds nothing to do, and keeps what was decided.
  again = call(*command)
  assert again.code == 0 and 'done:' not in again.out
  later = json.loads((tmp_path / 't' / 'trained' / 'study.json').read_text())
  assert later['decided'] == study['decided']
  out = tmp_path / 'report'
  result = commands.call('report', tmp_path / 't', f'--out={out}')
  assert result.code == 0, result.err
  assert result.out.index('forked ') < result.out.index('trained ')
  with (out / 'claims.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert [row['claim'] for row in rows] == ['gain', 'gain', 'order']
  assert rows[1]['rule_outcome'] == 'shown'  # Weights are not all zero.
  assert float(rows[-1]['seconds']) > 0 and rows[-1]['seeds'] == '2'
