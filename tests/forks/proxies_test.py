"""Many forks of one run: planned, run once, stopped and continued."""

import dataclasses
import pathlib
import shutil
import signal

import numpy as np
import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.verdict import proxies as analysis
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import UserError
from plasticity_rl.forks import proxies
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from tests.training import small

STEPS = (5, 15)
ARMS = ('control', 'injection')


def settings_of(**changes):
  """20 steps; neither fork is where a run would measure or save."""
  return small.supervised(
    **{
      'num_seeds': 3,
      'fork.proxy_steps': STEPS,
      'fork.horizon': 10,
      'fork.arms': ARMS,
      'diagnostics.names': ('weight_norm', 'dead_units'),
      **changes,
    }
  )


@pytest.fixture(name='finished', scope='module')
def fixture_finished(tmp_path_factory):
  """A plan, its folder, whole, and how many programs it compiled."""
  plan = proxies.plan(settings_of())
  folder = tmp_path_factory.mktemp('proxies') / 'd'
  proxies.run(plan, folder)
  trainer = plan.experiment.trainer
  # Counted at once: conftest drops programs between tests.
  compiled = [
    program._cache_size()
    for program in (trainer.segment, trainer._evaluate_all)
  ]
  return plan, folder, compiled


@pytest.fixture(name='forked')
def fixture_forked(finished):
  return finished[:2]


def test_each_fork_has_two_arms_and_keeps_its_checkpoint(forked):
  _, folder = forked
  assert sorted(p.name for p in folder.iterdir()) == ['forks', 'prefix']
  # The one of step 10 is among the newest two that pass.
  assert Checkpoints(folder / 'prefix').steps() == [5, 10, 15]
  for step in STEPS:
    arms = folder / 'forks' / str(step)
    assert sorted(p.name for p in arms.iterdir()) == sorted(ARMS)
    for name in ARMS:
      # The arm of step 5 had another one on the way, at 10.
      assert Checkpoints(arms / name).steps() == [step + 10]
      assert {r['step'] for r in small.metrics(arms / name)} == {
        str(step + 5),
        str(step + 10),
      }


def test_control_arms_are_the_unforked_run(forked, tmp_path):
  plan, folder = forked
  run_folder.prepare(tmp_path / 'run', plan.experiment.settings)
  runner.run(plan.experiment, tmp_path / 'run', num_steps=25, keep_steps=(15,))
  for step in STEPS:
    small.assert_equal(
      small.saved(
        plan.experiment,
        folder / 'forks' / str(step) / 'control',
        step + 10,
      ),
      small.saved(plan.experiment, tmp_path / 'run', step + 10),
    )


def test_diagnostics_are_of_the_network_that_is_forked(forked):
  plan, folder = forked
  found = analysis.load(folder)
  for j, step in enumerate(STEPS):
    state = small.saved(plan.experiment, folder / 'prefix', step)
    measured, _ = plan.experiment.measure(state)
    assert set(measured) <= set(found.values)
    for name, values in measured.items():
      np.testing.assert_allclose(found.values[name][:, j], values, rtol=1e-6)


def test_benefit_is_what_the_injection_gained(forked):
  _, folder = forked
  found = analysis.load(folder)
  for j, step in enumerate(STEPS):
    control, injection = (
      np.reshape(
        [
          float(r['eval/return'])
          for r in small.metrics(
            folder / 'forks' / str(step) / name, after=step
          )
        ],
        [2, 3],
      ).mean(0)
      for name in ARMS
    )
    np.testing.assert_allclose(
      found.benefit[:, j], np.subtract(injection, control), rtol=1e-5
    )
  assert np.abs(found.benefit).max() > 0


def test_all_forks_share_what_is_compiled(finished):
  # One program for the control and the prefix, one for the injected network.
  assert finished[2] == [2, 2]


def test_same_command_again_computes_nothing(forked):
  plan, folder = forked

  def never(*_):
    raise AssertionError

  idle = plan.experiment.replace(
    trainer=plan.experiment.trainer.replace(segment=never), evaluate=never
  )
  before = {p: p.read_bytes() for p in folder.rglob('metrics.csv')}
  proxies.run(dataclasses.replace(plan, experiment=idle), folder)
  assert before == {p: p.read_bytes() for p in folder.rglob('metrics.csv')}


@pytest.mark.parametrize('segment', (0, 2, 4, 7))
def test_stopped_and_continued(forked, tmp_path, segment):
  """In the prefix, at its end, at an arm's, and within the next fork."""
  plan, whole = forked
  count = iter(range(100))

  def one(state):
    if next(count) == segment:
      signal.raise_signal(signal.SIGTERM)
    return plan.experiment.trainer.segment(state)

  folder = tmp_path / 'd'
  with pytest.raises(Interrupted, match='the same command continues'):
    proxies.run(
      dataclasses.replace(
        plan,
        experiment=plan.experiment.replace(
          trainer=plan.experiment.trainer.replace(segment=one)
        ),
      ),
      folder,
    )
  assert next(count) == segment + 1  # No more was begun.
  proxies.run(plan, folder)
  paths = [p.relative_to(whole).parent for p in whole.rglob('metrics.csv')]
  assert len(paths) == 5
  for path in paths:
    assert small.metrics(folder / path) == small.metrics(whole / path)


def test_checkpoints_of_a_run_can_be_forked(forked, tmp_path):
  """The same arms as those of a prefix that was trained for it."""
  plan, whole = forked
  source = tmp_path / 'source'
  shutil.copytree(whole / 'prefix', source)
  (source / 'metrics.csv').unlink()  # What it measured is not needed.
  settings = settings_lib.resolve(run_folder.read_config(source))
  every = dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, proxy_steps=())
  )
  assert proxies.plan(every, source).steps == (5, 10, 15)
  asked = proxies.plan(settings, source)
  assert asked.steps == STEPS
  before = {p: p.read_bytes() for p in source.rglob('*') if p.is_file()}
  folder = tmp_path / 'd'
  proxies.run(dataclasses.replace(asked, experiment=plan.experiment), folder)
  assert not (folder / 'prefix' / 'checkpoints').exists()
  for step in STEPS:
    for name in ARMS:
      arm = pathlib.Path('forks') / str(step) / name
      assert small.metrics(folder / arm, after=step) == small.metrics(
        whole / arm
      )
  # The control arms measured what the prefix would have.
  found, expected = analysis.load(folder), analysis.load(whole)
  assert set(found.values) == set(expected.values)
  for name, values in expected.values.items():
    np.testing.assert_array_equal(found.values[name], values)
  # The source is as it was, but that what was forked is kept for good.
  checkpoints = Checkpoints(source)
  marks = {checkpoints.path(step) / 'kept': b'' for step in STEPS}
  assert {**before, **marks} == {
    p: p.read_bytes() for p in source.rglob('*') if p.is_file()
  }
  few = dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, proxy_steps=(5, 20))
  )
  with pytest.raises(UserError, match='no checkpoint of step 20 .* 5, 10, 15'):
    proxies.plan(few, source)


def test_a_run_of_one_checkpoint_is_refused(forked, tmp_path):
  _, whole = forked
  source = tmp_path / 'run'
  shutil.copytree(whole / 'prefix', source)
  settings = settings_lib.resolve(run_folder.read_config(source))
  settings = dataclasses.replace(
    settings, fork=dataclasses.replace(settings.fork, proxy_steps=())
  )
  for step in ('0000000005', '0000000010'):
    shutil.rmtree(source / 'checkpoints' / step)
  with pytest.raises(UserError, match='there would be 1 checkpoint of'):
    proxies.plan(settings, source)
  other = dataclasses.replace(settings, num_seeds=4)
  with pytest.raises(UserError, match=r'only config\.fork\.\* and config\.log'):
    proxies.plan(other, source)


def test_another_config_on_the_folder_is_refused(forked):
  _, folder = forked
  plan = proxies.plan(settings_of(**{'fork.proxy_steps': (5, 10)}))
  with pytest.raises(UserError, match='fork.proxy_steps'):
    proxies.run(plan, folder)


def test_foreign_folder_is_left_alone(forked, tmp_path):
  plan, _ = forked
  (tmp_path / 'thesis.tex').write_text('x')
  with pytest.raises(UserError, match='neither empty nor'):
    proxies.run(plan, tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ['thesis.tex']


def test_default_steps_are_ten_equal_parts_on_the_grid():
  plan = proxies.plan(settings_of(**{'fork.proxy_steps': (), 'num_steps': 120}))
  assert plan.steps == (15, 25, 40, 50, 60, 75, 85, 100, 110, 120)
  assert plan.experiment.settings.fork.proxy_steps == plan.steps
  few = proxies.plan(settings_of(**{'fork.proxy_steps': ()}))
  assert few.steps == (5, 10, 15, 20)


def test_steps_are_rounded_up_and_sorted():
  plan = proxies.plan(settings_of(**{'fork.proxy_steps': (12, 3, 11)}))
  assert plan.steps == (5, 15)


def test_arms_that_are_left_out_are_named(monkeypatch):
  heard = []
  monkeypatch.setattr(
    proxies.logging, 'warning', lambda text, *a: heard.append(text % a)
  )
  plan = proxies.plan(
    settings_of(
      **{
        'fork.arms': (
          'control',
          'reset',
          'mine=injection(third_term=False)',
          'optimizer_reset',
        )
      }
    )
  )
  assert [(a.label, a.text) for a in plan.arms] == [
    ('control', 'control'),
    ('injection', 'injection(third_term=False)'),
  ]
  (line,) = heard
  assert line.endswith('leaves out: reset, optimizer_reset')
  proxies.plan(settings_of())
  assert len(heard) == 1


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'fork.proxy_steps': (5, 25)}, r'1 to num_steps \(20\): 25'),
    ({'fork.proxy_steps': (0, 5)}, 'positive whole numbers: 0'),
    ({'fork.proxy_steps': (5, 'x')}, "positive whole numbers: 'x'"),
    ({'fork.proxy_steps': (5, True)}, 'positive whole numbers: True'),
    ({'fork.proxy_steps': (5,)}, 'at least 2 forks .* 1 of config.fork'),
    ({'fork.proxy_steps': (11, 12)}, 'at least 2 forks .* 1 of config.fork'),
    ({'fork.proxy_steps': (), 'num_steps': 5}, 'there would be 1 in 1 seg'),
    ({'fork.metric': 'eval/retrun'}, "did you mean 'eval/return'"),
    ({'num_seeds': 2}, 'needs at least 3: num_seeds is 2'),
    ({'fork.replicates': 4}, 'does not go with --proxies'),
    ({'diagnostics.names': ()}, 'there is no proxy'),
    ({'fork.arms': ('control', 'reset')}, 'there are: control, reset'),
    (
      {'fork.arms': ('control', 'injection(every_steps=5)')},
      'takes no every_steps',
    ),
    ({'fork.arms': ('injection(third_trem=1)',)}, "did you mean 'third_term'"),
    ({'evaluation.every_steps': 15}, 'holds no evaluation'),
  ),
)
def test_bad_plans_are_refused(changes, message):
  with pytest.raises(UserError, match=message):
    proxies.plan(settings_of(**changes))
