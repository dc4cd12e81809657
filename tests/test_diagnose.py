"""The diagnose command: refusals before any computing, and a whole one."""

import json

import pytest

from plasticity_rl.forks import diagnosis
from plasticity_rl.forks import proxies
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from tests.run import commands
from tests.training import small

CONFIG = '--config=configs/continual_catch.py:tiny'


@pytest.fixture(name='plans')
def fixture_plans(monkeypatch):
  """The plans that would have been run: nothing is computed here."""
  plans = []

  def stop(plan, workdir):
    del workdir
    plans.append(plan)
    raise SystemExit(0)

  monkeypatch.setattr(diagnosis, 'run', stop)
  return plans


@pytest.fixture(name='refused')
def fixture_refused(monkeypatch, tmp_path):
  """Calls the command, which must refuse; returns its one line."""
  ran = []
  monkeypatch.setattr(runner, 'run', lambda *args, **kwargs: ran.append(args))

  def call(*arguments, workdir=None):
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')}
    result = commands.call(
      'diagnose', *arguments, f'--workdir={workdir or tmp_path / "out"}'
    )
    assert result.code == 2
    assert result.out == ''
    (line,) = result.err.splitlines()
    assert line.startswith('error: ')
    assert not ran
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob('*')} == before
    return line

  return call


@pytest.fixture(name='source', scope='module')
def fixture_source(tmp_path_factory):
  """A run with checkpoints at steps 10 and 20."""
  experiment = small.build(small.supervised())
  folder = tmp_path_factory.mktemp('source') / 'run'
  run_folder.prepare(folder, experiment.settings)
  runner.run(experiment, folder)
  return folder


@pytest.mark.parametrize(
  'override, message',
  (
    ('frok.step=3', "unknown key in config 'frok'; did you mean 'fork'"),
    ('fork.arm=3', "unknown key in config.fork 'arm'; did you mean 'arms'"),
    ('fork.metric=eval/retrun', "did you mean 'eval/return'"),
    ('fork.step=301', 'fork.step must be 1 to num_steps (300)'),
    ('fork.horizon=0', 'config.fork.horizon must be at least 1: 0'),
    ('fork.margin=-0.5', 'config.fork.margin must be at least 0: -0.5'),
    ('num_seeds=0', 'config.num_seeds must be 1 to 65536: 0'),
    ('fork.replicates=5', 'continues a single seed, but num_seeds is 2'),
    ('fork.arms=("injection","reset")', "needs 'control' to compare with"),
    ('fork.arms=("control",)', 'needs an arm besides the control'),
    ('fork.arms=("control","injektion")', "did you mean 'injection'"),
    ('fork.arms=("control","reset(scpe=\'head\')")', "did you mean 'scope'"),
    ('fork.arms=("control","reset(at_steps=5)")', 'takes no at_steps'),
    (
      'fork.arms=("control","injection(nets=\'actor\')")',
      "unknown network of this agent 'actor'",
    ),
    ('fork.arms=("control",3)', 'config.fork.arms must hold text: 3'),
  ),
)
def test_bad_overrides(refused, override, message):
  assert message in refused(CONFIG, f'--config.{override}')


def test_step_goes_with_from(refused):
  assert '--step goes with --from' in refused(CONFIG, '--step=100')


@pytest.mark.parametrize(
  'arguments, message',
  (
    (['--step=15'], 'no checkpoint of step 15'),
    (['--step=-3'], '--step must not be negative: -3'),
    (['--config.num_seeds=5'], 'only config.fork.* and config.log.* can be'),
    (
      ['--config.network.split=0'],
      'only config.fork.* and config.log.* can be',
    ),
    (['--config.fork.metric=eval/x'], 'unknown config.fork.metric'),
    (['--config.frok.step=3'], "did you mean 'fork'"),
    (
      ['--config=configs/random_labels.py'],
      '--config itself is the config of the run',
    ),
  ),
)
def test_bad_forks_of_a_run(refused, source, arguments, message):
  assert message in refused(f'--from={source}', *arguments)
  # Written as two words, it is the same.
  assert message in refused('--from', source, *arguments)


def test_from_what_is_no_run(refused, tmp_path):
  assert 'is not a run folder' in refused(f'--from={tmp_path / "none"}')
  (tmp_path / 'config.json').write_text('{"config"')
  assert 'config.json is damaged' in refused(f'--from={tmp_path}')


def test_from_a_run_without_checkpoint(refused, tmp_path):
  run_folder.prepare(tmp_path / 'run', small.supervised())
  line = refused(f'--from={tmp_path / "run"}')
  assert 'there is no checkpoint in' in line


def test_from_checkpoints_of_another_agent(refused, source, tmp_path):
  run_folder.prepare(tmp_path / 'run', small.dqn())
  (tmp_path / 'run' / 'checkpoints').symlink_to(source / 'checkpoints')
  line = refused(f'--from={tmp_path / "run"}')
  assert 'of another agent or config' in line


def test_workdir_of_something_else(refused, tmp_path):
  (tmp_path / 'thesis.tex').write_text('x')
  line = refused(CONFIG, workdir=tmp_path)
  assert 'neither empty nor a diagnosis' in line


def test_overrides_of_the_fork_are_taken(plans, source, tmp_path):
  result = commands.call(
    'diagnose',
    f'--from={source}',
    '--step=10',
    f'--workdir={tmp_path}',
    "--config.fork.arms=('control','x=injection(third_term=False)')",
    '--config.fork.horizon=5',
    '--config.fork.margin=0.25',
  )
  assert result.code == 0, result.err
  (plan,) = plans
  assert (plan.source, plan.step, plan.horizon) == (source, 10, 5)
  assert [arm.label for arm in plan.arms] == ['control', 'x']
  assert plan.arms[1].options == {'third_term': False}
  assert plan.experiment.settings.fork.margin == 0.25


def test_config_and_overrides_are_taken(plans, tmp_path):
  result = commands.call(
    'diagnose',
    CONFIG,
    f'--workdir={tmp_path}',
    "--config.fork.arms=('control','injection')",
    '--config.network.hidden=(32,32)',
    '--config.fork.step=200',
  )
  assert result.code == 0, result.err
  (plan,) = plans
  assert (plan.source, plan.step, plan.horizon) == (None, 200, 200)
  assert plan.experiment.settings.network.hidden == (32, 32)


@pytest.mark.parametrize(
  'arguments, message',
  (
    ([], 'ranks seeds and needs at least 3: num_seeds is 2'),
    (
      ['--config.num_seeds=3', '--config.fork.proxy_steps=(100,500)'],
      'whole numbers from 1 to num_steps (300): 500',
    ),
    (
      ['--config.num_seeds=3', '--config.fork.proxy_steps=(100,)'],
      'needs at least 2 forks',
    ),
    (
      ['--config.num_seeds=3', '--config.fork.metric=eval/retrun'],
      "did you mean 'eval/return'",
    ),
  ),
)
def test_bad_proxies(refused, arguments, message):
  assert message in refused(CONFIG, '--proxies', *arguments)


def test_bad_proxies_of_a_run(refused, source):
  assert 'with --proxies set --config.fork.proxy_steps' in refused(
    f'--from={source}', '--proxies', '--step=10'
  )
  assert 'needs at least 3: num_seeds is 2' in refused(
    f'--from={source}', '--proxies'
  )


def test_proxies_of_a_config_are_planned(monkeypatch, tmp_path):
  plans = []

  def stop(plan, workdir):
    plans.append((plan, workdir))
    raise SystemExit(0)

  monkeypatch.setattr(proxies, 'run', stop)
  for name in ('continual_catch', 'random_labels'):
    result = commands.call(
      'diagnose',
      '--proxies',
      f'--config=configs/{name}.py:proxies',
      f'--workdir={tmp_path / name}',
    )
    assert result.code == 0, result.err
    plan, workdir = plans.pop()
    assert workdir == tmp_path / name
    # After whole tasks, and for a whole one.
    task = plan.experiment.settings.environment.switch_every_steps
    assert len(plan.steps) == 8 and plan.horizon == task
    assert all(step % task == 0 for step in plan.steps)
    assert plan.experiment.settings.num_seeds >= 10


@pytest.mark.slow
def test_whole_proxies(source, tmp_path):
  """From the command line to the table and the page."""
  folder = tmp_path / 'out'
  arguments = (
    'diagnose',
    '--proxies',
    '--config=configs/random_labels.py:tiny',
    f'--workdir={folder}',
    '--config.num_seeds=3',
    '--config.network.hidden=(8,8)',
    '--config.log.progress=False',
    "--config.diagnostics.names=('weight_norm',)",
  )
  result = commands.call(*arguments)
  assert result.code == 0, result.err
  *_, statement, table, report = result.out.splitlines()
  assert 'proxies tell' in statement
  assert table == f'proxies: {folder / "proxies.csv"}'
  assert report == f'report: {folder / "proxies.html"}'
  found = json.loads((folder / 'proxies.json').read_text())
  assert (found['steps'], found['seeds']) == ([20, 40], [1, 2, 3])
  assert statement in (folder / 'proxies.html').read_text()
  # The same command again finds all there, and says the same.
  assert commands.call(*arguments).out == result.out


@pytest.mark.slow
def test_a_whole_diagnosis(source, tmp_path):
  """From the command line to the verdict and the page."""
  arguments = (
    'diagnose',
    f'--from={source}',
    f'--workdir={tmp_path / "out"}',
    "--config.fork.arms=('control','injection')",
  )
  result = commands.call(*arguments)
  assert result.code == 0, result.err
  *_, verdict, report = result.out.splitlines()
  assert verdict.startswith('verdict: ')
  assert report == f'report: {tmp_path / "out" / "report.html"}'
  found = json.loads((tmp_path / 'out' / 'verdict.json').read_text())
  assert {
    'verdict',
    'arm',
    'effect',
    'low',
    'high',
    'p',
    'seeds',
    'margin',
    'metric',
    'arms',
  } <= set(found)
  assert (found['arm'], found['seeds'], found['metric']) == (
    'injection',
    2,
    'eval/return',
  )
  assert '<html' in (tmp_path / 'out' / 'report.html').read_text()
  # The same command again finds all there, and says the same.
  assert commands.call(*arguments).out == result.out
