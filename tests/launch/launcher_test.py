"""The command line of a launch: what it refuses, and what it lists."""

import json
import sys
import warnings

import pytest
from absl import flags
from ml_collections import config_flags

from launch import batching
from launch import folder as folder_lib
from launch import launcher
from launch import lease as lease_lib
from launch import pool
from launch import sharing
from launch import study as study_lib
from launch import sweep as sweep_lib
from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from tests.launch import tiny_study
from tests.run import commands

STUDY = 'tests/launch/tiny_study.py'


def call(*arguments, module='local'):
  return commands.call(module, *arguments, package='launch')


@pytest.fixture(name='refused')
def fixture_refused(tmp_path):
  """Calls a launch, which must refuse and leave no trace; its one line."""

  def refuse(*arguments, workdir=None, config=STUDY):
    before = sorted(tmp_path.rglob('*'))
    result = call(
      f'--config={config}',
      f'--workdir={workdir or tmp_path / "s"}',
      *arguments,
    )
    assert (result.code, result.out) == (2, '')
    (line,) = result.err.splitlines()
    assert line.startswith('error: ')
    assert sorted(tmp_path.rglob('*')) == before
    return line

  return refuse


@pytest.fixture(name='file')
def fixture_file(tmp_path):
  def write(sweep, head=''):
    path = tmp_path / 'study.py'
    path.write_text(
      f'{head}\nfrom tests.launch import tiny_study\n'
      'get_config = tiny_study.get_config\n'
      f'def get_sweep(h):\n  return {sweep}\n'
    )
    return path

  return write


@pytest.mark.parametrize(
  'sweep, message',
  (
    ('[]', 'the sweep is empty: get_sweep returned no runs'),
    ('h.sweep("seed", [])', 'the sweep of seed is empty'),
    ('None', 'must return a list of dicts'),
    ('[{"seed": 1}, {"seed": 1}]', 'have the same overrides: seed=1'),
    (
      'h.sweep("seed", [1, 2])',
      'are the same but for config.seed, and both have seed 2: num_seeds is 2',
    ),
    (
      'h.sweep("optimizer.lerning_rate", [1e-3])',
      "in config.optimizer 'lerning_rate'; did you mean 'learning_rate'",
    ),
    ('h.sweep("optimiser.name", ["adam"])', "did you mean 'optimizer'"),
    ('h.sweep("optimizer", [1])', 'is a section; sweep one of its keys: b1'),
    ('h.sweep("num_seeds.x", [1])', "config.num_seeds has no key 'x'"),
    (
      'h.sweep("optimizer.name", ["adma"])',
      "run 'name=adma': unknown config.optimizer.name 'adma'; did you mean",
    ),
    ('h.sweep("num_steps", [1.5])', 'must be of type int: 1.5'),
    ('[{"interventions": (\'redo(at_steps="x")\',)}]', "happens at step 'x'"),
    ('h.sweep("seed", 3)', 'get_sweep of'),
    ('[][0]', 'IndexError'),
  ),
)
def test_sweeps_that_are_wrong(refused, file, sweep, message):
  assert message in refused(config=file(sweep))


@pytest.mark.parametrize(
  'command, override, message',
  (
    (
      'train',
      '"interventions", [("reset(scope=\'hed\', at_steps=200)",)]',
      "unknown scope 'hed'; did you mean 'head'?",
    ),
    (
      'train',
      '"interventions", [("injection(when=\'train/los > 1\')",)]',
      "'train/los'; did you mean 'train/loss'",
    ),
    (
      'diagnose',
      '"fork.arms", [("control", "injection(cout=2)")]',
      "unknown option of injection 'cout'; valid: act_steps",
    ),
    (
      'diagnose',
      '"fork.metric", ["eval/retrun"]',
      "did you mean 'eval/return'",
    ),
    (
      'diagnose',
      '"interventions", [("reset(scope=\'hed\', at_steps=200)",)]',
      "unknown scope 'hed'",
    ),
  ),
)
def test_what_runs_would_refuse(refused, file, command, override, message):
  line = refused(
    config=file(
      f'h.product(h.sweep("fork.horizon", [100]), h.sweep({override}))',
      f'COMMAND = "{command}"',
    )
  )
  assert message in line and "error: run '" in line


def test_what_is_missing_here_may_be_elsewhere(refused, file, monkeypatch):
  monkeypatch.setitem(sys.modules, 'envpool', None)  # Importing it fails.
  source = file('h.sweep("seed", [1])').with_name('atari.py')
  source.write_text(
    'from plasticity_rl.configs import dqn_atari\n'
    'def get_config():\n  return dqn_atari.get_config("pong")\n'
    'def get_sweep(h):\n  return h.sweep("seed", [1])\n'
  )
  assert 'Atari needs envpool, which is not installed' in refused(config=source)
  result = call(
    f'--config={source}',
    '--workdir=nowhere',
    '--dry_run',
    '--noestimate',
  )
  assert result.code == 0 and 'dqn_atari' not in result.err
  assert 'note: 1 programs cannot be checked' in result.out
  assert 'it would not start here: Atari needs envpool' in result.out


@pytest.mark.parametrize(
  'arguments, message',
  (
    (['--sweep.optimizer.lr=1'], "in config.optimizer 'lr'"),
    (['--sweep.seed='], 'the sweep of seed is empty'),
    (['--sweep.seed=5,5'], 'have the same overrides'),
    (['--sweep.seed=1', '--sweep.seed=2'], '--sweep.seed is there twice'),
    (['--config.num_sedes=1'], "did you mean 'num_seeds'"),
    (['--max_parallel=0'], 'max_parallel'),
    (['extra'], "unexpected argument 'extra'"),
  ),
)
def test_command_lines_that_are_wrong(refused, arguments, message):
  assert message in refused(*arguments)


@pytest.mark.parametrize(
  'config, message',
  (
    ('nope.py', "there is no config file 'nope.py'"),
    ('configs/random_labels.py:tiny', 'it has no get_sweep; one run of a'),
    ('configs/studies/when_to_inject.py:smal', "unknown variant 'smal'"),
  ),
)
def test_files_that_are_no_studies(refused, config, message):
  assert message in refused(config=config)


def test_a_command_that_is_unknown(refused, file):
  line = refused(config=file('h.sweep("seed", [1])', 'COMMAND = "diagnoze"'))
  assert "'diagnoze'; did you mean 'diagnose'" in line


def test_folders_that_are_something_else(refused, tmp_path):
  (tmp_path / 'thesis').mkdir()
  (tmp_path / 'thesis' / 'a.tex').touch()
  line = refused(workdir=tmp_path / 'thesis')
  assert 'neither empty nor a study' in line
  assert 'is not a folder' in refused(workdir=tmp_path / 'thesis' / 'a.tex')
  other = tmp_path / 'other'
  other.mkdir()
  (other / 'study.json').write_text('{"source": "b.py"}')
  assert 'holds another study, b.py' in refused(workdir=other)


def test_a_folder_that_cannot_be_written(refused):
  assert 'cannot write to /proc/study' in refused(workdir='/proc/study')


def _specs(folder):
  return {
    p.parent.name: json.loads(p.read_text())
    for p in folder.glob('jobs/*/spec.json')
  }


def _prepare(folder, *arguments, merge=None):
  """Makes a study's folder as a launch does, without running anything."""
  axes = {
    key: sweep_lib.parse_values(values)
    for key, values in (a.split('=', 1) for a in arguments)
  }
  study = study_lib.build(
    STUDY, tiny_study.get_config(), axes=axes, merge=merge
  )
  folder_lib.check(folder, study)
  return folder_lib.prepare(folder, study, sharing.plan(study))


def test_a_launch_adds_to_its_folder(tmp_path):
  one = _prepare(tmp_path)
  assert {*one} > {'control', 'injection', 'reset'}
  _prepare(tmp_path, 'optimizer.learning_rate=1e-4,1e-3')
  listed = folder_lib.read_study(tmp_path)['runs']
  assert len(listed) == 3 + 6
  assert listed['control,learning_rate=0.0001']['axes'] == {
    'optimizer.learning_rate': 1e-4
  }
  assert set(listed) <= set(_specs(tmp_path))
  assert not lease_lib.holder(tmp_path / 'jobs').alive


def test_seeds_are_not_there_twice(tmp_path):
  """Under the name of fewer seeds, or of each by itself."""

  def add(seeds, merge=None):
    return _prepare(tmp_path, 'num_seeds=1', f'seed={seeds}', merge=merge)

  assert 'control,num_seeds=1,seed=1-2' in add('1,2', batching.merge)
  with pytest.raises(UserError, match='seed=1-3. has seed 1 as well'):
    add('1,2,3', batching.merge)
  with pytest.raises(UserError, match='has seed 1 as well'):
    add('1,2')
  add('1,2', batching.merge)
  add('3,4', batching.merge)


def test_a_changed_study_is_refused(tmp_path, refused):
  _prepare(tmp_path)
  before = sorted(tmp_path.rglob('*'))
  result = call(
    f'--config={STUDY}', f'--workdir={tmp_path}', '--config.replay.batch_size=4'
  )
  assert result.code == 2
  assert "holds run 'control' of another config" in result.err
  assert 'replay.batch_size (there 8, here 4)' in result.err
  assert sorted(tmp_path.rglob('*')) == before


def test_an_earlier_version_knew_fewer_settings(tmp_path):
  """What it does not name was as it is by default."""
  _prepare(tmp_path)
  for path in tmp_path.glob('jobs/*/spec.json'):
    spec = json.loads(path.read_text())
    del spec['config']['network']['precision']
    path.write_text(json.dumps(spec))
  _prepare(tmp_path)
  result = call(
    f'--config={STUDY}',
    f'--workdir={tmp_path}',
    '--config.network.precision=bfloat16',
  )
  assert result.code == 2
  assert "precision (there 'float32', here 'bfloat16')" in result.err


def test_only_what_is_missing_or_failed_is_to_be_done(tmp_path):
  jobs = _prepare(tmp_path)
  prefix = next(name for name in jobs if name.startswith('prefix-'))

  def listed(*arguments):
    result = call(
      f'--config={STUDY}',
      f'--workdir={tmp_path}',
      '--dry_run',
      '--noestimate',
      *arguments,
    )
    assert result.code == 0, result.err
    return [line for line in result.out.splitlines() if line in jobs]

  assert listed() == [prefix, 'control', 'injection', 'reset']
  folder_lib.write_state(tmp_path, prefix, state='done')
  folder_lib.write_state(tmp_path, 'control', state='done')
  folder_lib.write_state(tmp_path, 'reset', state='failed', error='x')
  assert listed() == ['injection', 'reset']
  assert listed('--noretry') == ['injection']
  # A prefix that nothing needs any more is not trained.
  (tmp_path / 'jobs' / prefix / 'state.json').unlink()
  for name in ('injection', 'reset'):
    folder_lib.write_state(tmp_path, name, state='done')
  assert listed() == []


def test_a_prefix_that_is_needed_twice_outlives_one_need(
  tmp_path, file, monkeypatch
):
  """Two prefixes go on from a third, and one of the two is not needed."""
  monkeypatch.setattr(launcher, '_preflight', lambda *args: None)
  monkeypatch.setattr(pool, 'check_memory', lambda *args: None)
  arms = ', '.join(
    f'h.arm("{name}", {{"interventions": ("injection(at_steps={at})",)}})'
    for name, at in (('early', 100), ('late', 300), ('both', (100, 300)))
  )
  source = str(file(f'h.chain(h.arm("control"), {arms})'))
  folder = tmp_path / 's'
  study = study_lib.build(source, tiny_study.get_config())
  jobs = folder_lib.prepare(folder, study, sharing.plan(study))
  own = jobs['control']['past']
  shared = jobs[own]['past']
  assert shared and jobs[jobs['both']['past']]['past'] == shared
  for name in ('early', 'both'):
    folder_lib.write_state(folder, name, state='done')
  result = call(
    f'--config={source}', f'--workdir={folder}', '--dry_run', '--noestimate'
  )
  assert result.code == 0, result.err
  listed = [line for line in result.out.splitlines() if line in jobs]
  assert listed == [shared, own, 'control', 'late']


def test_a_dry_run_leaves_no_trace(tmp_path):
  result = call(
    f'--config={STUDY}',
    f'--workdir={tmp_path / "s"}',
    '--dry_run',
    '--noestimate',
    '--sweep.optimizer.learning_rate=1e-4,1e-3',
  )
  assert result.code == 0, result.err
  assert result.out.startswith('Does a small network that memorises labels')
  assert '6 runs in ' in result.out and '67% saved' in result.out
  assert result.out.count('python -m plasticity_rl.train') == 6 + 2
  assert '--config.optimizer.learning_rate=0.0001' in result.out
  assert not (tmp_path / 's').exists()


def test_commands_come_to_what_the_study_says(tmp_path):
  """Every override survives the way through a command line."""
  for spec in _prepare(tmp_path, 'network.hidden=(8,),(16, 4)').values():
    values = flags.FlagValues()
    argv = ['train', *spec['command'][2:]]
    config_flags.DEFINE_config_file('config', flag_values=values, sys_argv=argv)
    flags.DEFINE_string('workdir', None, '', flag_values=values)
    flags.DEFINE_integer('until', None, '', flag_values=values)
    # Files are loaded by a function that Python has deprecated.
    with warnings.catch_warnings():
      warnings.simplefilter('ignore', DeprecationWarning)
      values(argv)
    found = settings_lib.to_dict(settings_lib.resolve(values.config))
    assert json.loads(json.dumps(found)) == json.loads(
      json.dumps(spec['config'])
    )
