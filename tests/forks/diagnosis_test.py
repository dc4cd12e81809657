"""Diagnoses: refused before anything is computed, or run to a verdict."""

import dataclasses
import importlib
import json
import shutil
import signal

import jax
import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.verdict import diagnosis as analysis
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from tests.training import small


def tiny(name, *arms, **changes):
  """The variant of a shipped config that is for tests."""
  module = importlib.import_module(f'configs.{name}')
  config = module.get_config('tiny')
  config.fork.arms = arms
  config.log.progress = False
  config.update_from_flattened_dict(changes)
  return settings_lib.resolve(config)


@pytest.fixture(name='catch', scope='module')
def fixture_catch(tmp_path_factory):
  """Continual Catch: a plan and its folder."""
  plan = diagnosis.plan(
    tiny(
      'continual_catch',
      'control',
      'injection',
      **{'network.hidden': (16, 16)},
    )
  )
  folder = tmp_path_factory.mktemp('catch') / 'diagnosis'
  diagnosis.run(plan, folder)
  return plan, folder


@pytest.fixture(name='labels', scope='module')
def fixture_labels(tmp_path_factory):
  plan = diagnosis.plan(
    tiny(
      'random_labels',
      'control',
      'injection',
      'head=reset(scope="head")',
      **{
        'network.hidden': (8, 8),
        'environment.examples': 50,
        'diagnostics.names': ('weight_norm', 'dead_units'),
      },
    )
  )
  folder = tmp_path_factory.mktemp('labels') / 'diagnosis'
  diagnosis.run(plan, folder)
  return plan, folder


@pytest.mark.slow
def test_control_arm_is_the_unforked_run(catch, tmp_path):
  plan, folder = catch
  run_folder.prepare(tmp_path / 'run', plan.experiment.settings)
  runner.run(plan.experiment, tmp_path / 'run', num_steps=500)
  small.assert_equal(
    small.saved(plan.experiment, folder / 'arms' / 'control', 500),
    small.saved(plan.experiment, tmp_path / 'run', 500),
  )
  rows = small.metrics(folder / 'arms' / 'control', after=300)
  unforked = small.metrics(tmp_path / 'run', after=300)
  assert len(rows) == 4
  assert rows == unforked
  assert small.metrics(folder / 'prefix') == small.metrics(tmp_path / 'run')[:6]


@pytest.mark.slow
def test_the_injection_arm_differs_after_the_fork_alone(catch):
  _, folder = catch
  arms = {
    name: small.metrics(folder / 'arms' / name)
    for name in ('control', 'injection')
  }
  for one, other in zip(*arms.values(), strict=True):
    assert one['step'] == other['step']
    if one['step'] == '300':
      assert one['eval/return'] == other['eval/return']
    if one['step'] == '500':
      assert one['train/loss'] != other['train/loss']


@pytest.mark.slow
def test_continual_catch_is_judged(catch):
  plan, folder = catch
  assert (plan.step, plan.horizon) == (300, 200)
  found = analysis.load(folder)
  assert list(found.arms) == ['control', 'injection']
  assert (found.step, found.horizon) == (300, 200)
  assert found.metric == 'eval/return'
  verdict = found.verdict
  assert verdict.seeds == 2
  assert verdict.margin == pytest.approx(0.2)  # A tenth of -1 to 1.
  assert verdict.low <= verdict.effect <= verdict.high
  # The effect is that of the rows after the fork.
  means = {
    name: np.mean(
      [
        float(r['eval/return'])
        for r in small.metrics(folder / 'arms' / name, after=300)
      ]
    )
    for name in found.arms
  }
  assert verdict.effect == pytest.approx(
    means['injection'] - means['control'], abs=1e-6
  )
  change = found.at_fork('injection', 'largest_output_change')
  assert change.shape == (2,) and change.max() < 1e-5
  assert found.prefix_series() is not None


def test_random_labels_are_judged(labels):
  plan, folder = labels
  assert (plan.step, plan.horizon) == (40, 20)
  found = analysis.load(folder)
  assert set(found.arms) == {'control', 'injection', 'head'}
  # A tenth of what there is between guessing and knowing.
  assert found.verdict.margin == pytest.approx(0.1 * np.log(10), rel=1e-5)
  assert found.verdict.seeds == 2
  for path in (folder / 'prefix', *(folder / 'arms').iterdir()):
    assert {'config.json', 'metrics.csv', 'ledger.json', 'checkpoints'} <= {
      p.name for p in path.iterdir()
    }


def test_same_command_again_computes_nothing(labels):
  plan, folder = labels

  def never(*_):
    raise AssertionError

  before = {p: p.read_bytes() for p in folder.rglob('metrics.csv')}
  idle = plan.experiment.replace(
    trainer=plan.experiment.trainer.replace(segment=never)
  )
  diagnosis.run(
    dataclasses.replace(
      plan,
      experiment=idle,
      arm_experiments=dict.fromkeys(plan.arm_experiments, idle),
    ),
    folder,
  )
  assert before == {p: p.read_bytes() for p in folder.rglob('metrics.csv')}


def test_another_config_on_the_folder_is_refused(labels):
  plan, folder = labels
  settings = dataclasses.replace(
    plan.experiment.settings,
    num_seeds=3,
    fork=dataclasses.replace(
      plan.experiment.settings.fork, arms=('control', 'reset')
    ),
  )
  with pytest.raises(UserError, match=r'num_seeds \(there 2, here 3\)'):
    diagnosis.run(diagnosis.plan(settings), folder)


def test_foreign_folder_is_left_alone(labels, tmp_path):
  plan, _ = labels
  (tmp_path / 'thesis.tex').write_text('x')
  for path in (tmp_path, tmp_path / 'thesis.tex'):
    with pytest.raises(UserError, match='neither empty nor|cannot write'):
      diagnosis.run(plan, path)
  assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


def without_seconds(folder):
  return {
    str(p.relative_to(folder)): small.metrics(p.parent)
    for p in folder.rglob('metrics.csv')
  }


@pytest.mark.slow
@pytest.mark.parametrize('segment', (0, 1, 2))
def test_stopped_and_continued(labels, tmp_path, segment):
  """In the prefix, in its last segment, and in an arm's last segment."""
  plan, whole = labels
  count = iter(range(100))

  def one(state):
    if next(count) == segment:
      signal.raise_signal(signal.SIGTERM)
    return plan.experiment.trainer.segment(state)

  stopping = plan.experiment.replace(
    trainer=plan.experiment.trainer.replace(segment=one)
  )
  folder = tmp_path / 'diagnosis'
  with pytest.raises(Interrupted, match='the same command continues'):
    diagnosis.run(
      dataclasses.replace(
        plan,
        experiment=stopping,
        arm_experiments=dict.fromkeys(plan.arm_experiments, stopping),
      ),
      folder,
    )
  # No more was begun.
  assert next(count) == segment + 1
  diagnosis.run(plan, folder)
  assert without_seconds(folder) == without_seconds(whole)


def test_damaged_end_of_the_prefix_is_made_again(labels, tmp_path):
  plan, whole = labels
  folder = tmp_path / 'diagnosis'
  shutil.copytree(whole, folder)
  shutil.rmtree(folder / 'arms')
  (folder / 'prefix' / 'checkpoints' / '0000000040' / 'meta.json').unlink()
  diagnosis.run(plan, folder)
  assert without_seconds(folder) == without_seconds(whole)


def test_fork_of_a_run_that_is_there(labels, tmp_path):
  """The same arms as those of a diagnosis that trained the prefix itself."""
  plan, whole = labels
  source = whole / 'prefix'
  before = {p: p.read_bytes() for p in source.rglob('*') if p.is_file()}
  settings = settings_lib.resolve(run_folder.read_config(source))
  settings = dataclasses.replace(
    settings,
    fork=dataclasses.replace(
      settings.fork, step=20, arms=('control', 'injection')
    ),
  )
  early = diagnosis.plan(settings, source)
  assert early.step == 20
  early = dataclasses.replace(
    early, experiment=plan.experiment, arm_experiments=plan.arm_experiments
  )
  folder = tmp_path / 'diagnosis'
  # The experiment that was compiled has the settings of the source.
  diagnosis.run(early, folder)
  # Its prefix, and no more of it.
  assert small.metrics(folder / 'prefix') == [
    r for r in small.metrics(source) if int(r['step']) <= 20
  ]
  # The control of the early fork is the rest of the source.
  assert small.metrics(folder / 'arms' / 'control', after=20) == small.metrics(
    source, after=20
  )
  small.assert_equal(
    small.saved(plan.experiment, folder / 'arms' / 'control', 40),
    small.saved(plan.experiment, source, 40),
  )
  # The source is as it was, but that the fork's checkpoint is kept for good.
  mark = source / 'checkpoints' / '0000000020' / 'kept'
  assert {**before, mark: b''} == {
    p: p.read_bytes() for p in source.rglob('*') if p.is_file()
  }
  assert list(analysis.load(folder).arms) == ['control', 'injection']


@pytest.mark.parametrize('half', ('1', '1,20', '1,2', '1,20,0.'))
def test_history_of_a_run_that_was_killed_in_a_line(tmp_path, half):
  source, prefix = tmp_path / 'source', tmp_path / 'prefix'
  source.mkdir()
  prefix.mkdir()
  whole = 'seed,step,frames,train/loss\n1,10,10,0.5\n1,20,20,\n'
  (source / 'metrics.csv').write_text(whole + half)
  diagnosis.copy_history(source, prefix, 20)
  assert (prefix / 'metrics.csv').read_text() == whole


def test_newest_checkpoint_is_the_default(labels):
  plan, whole = labels
  source = whole / 'prefix'
  settings = dataclasses.replace(
    plan.experiment.settings,
    fork=dataclasses.replace(plan.experiment.settings.fork, step=-1),
  )
  assert diagnosis.plan(settings, source).step == 40


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'step': 30}, r'no checkpoint of step 30 .* are: 20, 40'),
    ({'metric': 'eval/retrun'}, "did you mean 'eval/return'"),
    ({'arms': ('control', 'injection', 'x=rest')}, "did you mean 'reset'"),
  ),
)
def test_bad_fork_of_a_run_is_refused(labels, changes, message):
  _, whole = labels
  source = whole / 'prefix'
  settings = settings_lib.resolve(run_folder.read_config(source))
  settings = dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, **changes)
  )
  with pytest.raises(UserError, match=message):
    diagnosis.plan(settings, source)


def test_only_fork_and_log_of_a_run_may_change(labels):
  _, whole = labels
  source = whole / 'prefix'
  settings = settings_lib.resolve(run_folder.read_config(source))
  log = dataclasses.replace(settings.log, progress=not settings.log.progress)
  settings = dataclasses.replace(settings, log=log)
  diagnosis.plan(settings, source)
  settings = dataclasses.replace(settings, num_seeds=5)
  with pytest.raises(UserError, match=r'only config\.fork\.\* and config\.log'):
    diagnosis.plan(settings, source)


def test_run_of_another_agent_is_refused_before_anything(labels, tmp_path):
  """Checkpoints that are not of the config beside them."""
  _, whole = labels
  source = tmp_path / 'source'
  settings = small.supervised()
  run_folder.prepare(source, settings)
  shutil.copytree(whole / 'prefix' / 'checkpoints', source / 'checkpoints')
  with pytest.raises(UserError, match='of another agent or config'):
    diagnosis.plan(settings, source)


def test_run_without_checkpoint_is_refused(tmp_path):
  settings = small.supervised()
  run_folder.prepare(tmp_path / 'run', settings)
  with pytest.raises(UserError, match='there is no checkpoint in'):
    diagnosis.plan(settings, tmp_path / 'run')


@pytest.mark.parametrize(
  'fork, message',
  (
    ({'arms': ('injection', 'reset')}, "needs 'control' .* injection, reset"),
    ({'arms': ('control',)}, 'needs an arm besides the control'),
    ({'arms': ('control', 'injektion')}, "did you mean 'injection'"),
    ({'arms': ('control', 'reset(scop="head")')}, "did you mean 'scope'"),
    ({'arms': ('control', 'reset(scope="hed")')}, "did you mean 'head'"),
    ({'arms': ('control', 'injection(nets=("actor",))')}, "agent 'actor'"),
    ({'arms': ('control', 'reset', 'reset(scope="last")')}, 'is there twice'),
    ({'arms': ('control', 'reset(at_steps=10)')}, 'takes no at_steps'),
    ({'arms': ('control', 'reset(every_steps=500)')}, 'happens at step 500'),
    (
      {'arms': ('control', 'reset(when="eval/retrun > 1", every_steps=5)')},
      'needs one of',
    ),
    ({'arms': ('control', 'reset(when="eval/retrun > 1")')}, 'eval/return'),
    (
      {'arms': ('control', 'injection(when="eval/return > 1")')},
      'network.slots',
    ),
    ({'arms': ('control', '..=reset')}, r"label '\.\.' cannot name a folder"),
    ({'arms': ('control', '.a=reset')}, r"not begin with a dot: '\.a'"),
    ({'arms': ('control', 'reset(')}, "cannot read the intervention 'reset"),
    ({'metric': 'eval/retrun'}, "did you mean 'eval/return'"),
    ({'metric': 'updates'}, 'unknown config.fork.metric'),
    ({'step': 25}, r'1 to num_steps \(20\)'),
    ({'step': 0}, r'1 to num_steps \(20\)'),
    ({'replicates': 5}, 'continues a single seed, but num_seeds is 2'),
  ),
)
def test_bad_forks_are_refused(fork, message):
  with pytest.raises(UserError, match=message):
    diagnosis.plan(
      small.supervised(**{f'fork.{key}': value for key, value in fork.items()})
    )


def test_horizon_without_an_evaluation_is_refused():
  # The arms go from 20 to 30: what counts is where evaluations fall.
  diagnosis.plan(small.supervised(**{'evaluation.every_steps': 15}))
  with pytest.raises(UserError, match='holds no evaluation: .* is 35'):
    diagnosis.plan(small.supervised(**{'evaluation.every_steps': 35}))


def test_defaults_are_resolved():
  plan = diagnosis.plan(
    small.supervised(
      **{
        'fork.arms': ('control', 'injection'),
        'num_seeds': 1,
      }
    )
  )
  fork = plan.experiment.settings.fork
  assert fork.step == plan.step == 20
  assert fork.margin == pytest.approx(0.1 * np.log(3))
  # A single seed is continued several times.
  assert fork.replicates == 10
  assert plan.arm_experiments['control'].settings.num_seeds == 10
  given = diagnosis.plan(
    small.supervised(
      **{
        'fork.arms': ('control', 'injection'),
        'fork.margin': 0.5,
        'fork.step': 7,
        'fork.horizon': 6,
      }
    )
  )
  assert given.experiment.settings.fork.margin == 0.5
  # Rounded up to the grid.
  assert (given.step, given.horizon) == (10, 10)


@pytest.mark.parametrize(
  'changes, expected',
  (
    # Of 60 crossings in 2501 steps: an evaluation ends after 1000.
    ({}, 0.1 * 60 * 1000 / 2501),
    ({'evaluation.max_steps': 5000}, 6.0),
    ({'environment.max_episode_steps': 250}, 0.1 * 60 * 250 / 2501),
    (
      {'environment.max_episode_steps': 250, 'evaluation.max_steps': 100},
      0.1 * 60 * 100 / 2501,
    ),
    ({'fork.margin': 4.0}, 4.0),
  ),
)
def test_a_margin_is_of_what_is_evaluated(changes, expected):
  pytest.importorskip('pgx', reason='pgx is not installed')
  config = settings_lib.default_config('dqn', 'minatar_freeway')
  config.update_from_flattened_dict(changes)
  plan = diagnosis.plan(settings_lib.resolve(config))
  assert plan.experiment.settings.fork.margin == pytest.approx(expected)


@pytest.mark.parametrize(
  'repeat, steps, expected', ((1, 1000, 100.0), (1, 100, 10.0), (4, 100, 40.0))
)
def test_a_margin_on_the_host_is_of_what_is_evaluated(repeat, steps, expected):
  pytest.importorskip('dm_control', reason='dm_control is not installed')
  config = settings_lib.default_config('sac', 'dmc_cheetah_run')
  config.environment.action_repeat = repeat
  config.evaluation.max_steps = steps
  plan = diagnosis.plan(settings_lib.resolve(config))
  assert plan.experiment.settings.fork.margin == pytest.approx(expected)


@pytest.mark.slow
def test_a_single_seed_is_continued_several_times(tmp_path):
  plan = diagnosis.plan(
    small.supervised(
      **{
        'num_seeds': 1,
        'fork.replicates': 3,
        'fork.arms': ('control', 'injection'),
      }
    )
  )
  diagnosis.run(plan, tmp_path)
  prefix = small.saved(plan.experiment, tmp_path / 'prefix', 20)
  control = tmp_path / 'arms' / 'control'
  state = small.saved(plan.arm_experiments['control'], control, 30)
  assert [len(x) for x in state.keys] == [3, 3]
  assert len({tuple(k) for k in state.keys.run.tolist()}) == 3
  assert tuple(prefix.keys.run[0].tolist()) not in {
    tuple(k) for k in state.keys.run.tolist()
  }
  rows = small.metrics(control)
  first, last = rows[:3], rows[-3:]
  assert [r['seed'] for r in first] == ['1', '2', '3']
  assert len({r['eval/return'] for r in first}) == 1  # The same network ...
  assert len({r['eval/return'] for r in last}) == 3  # ... goes other ways.
  found = analysis.load(tmp_path)
  assert 'undecided' in found.verdict.verdict
  assert Checkpoints(control).newest() == 30
  facts = json.loads((control / 'fork.json').read_text())
  assert facts['step'] == 20
  # All arms were continued by the same keys.
  other = small.saved(
    plan.arm_experiments['injection'], tmp_path / 'arms/injection', 30
  )
  small.assert_equal(other.keys, state.keys)
  assert jax.tree.structure(other.nets) != jax.tree.structure(state.nets)


def test_horizon_without_the_metric_is_refused():
  """Else the arms would be trained, and could not be compared."""
  experiment = small.build(small.supervised())
  metric = next(
    name for name in sorted(experiment.metrics()) if 'plasticity' in name
  )
  diagnosis.plan(
    small.supervised(**{'fork.metric': metric, 'diagnostics.every_steps': 15})
  )
  wrong = {'fork.metric': metric, 'diagnostics.every_steps': 35}
  with pytest.raises(
    UserError, match=f'holds no {metric}: diagnostics.every_steps is 35'
  ):
    diagnosis.plan(small.supervised(**wrong))
  # What is not compared need not be measured.
  diagnosis.plan(small.supervised(**{'diagnostics.every_steps': 35}))
