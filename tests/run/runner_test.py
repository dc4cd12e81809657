"""A run through time: resumed, stopped, intervened upon, and gone wrong."""

import dataclasses
import json
import math
import signal
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from plasticity_rl.analysis import runs
from plasticity_rl.errors import Interrupted
from plasticity_rl.errors import RunError
from plasticity_rl.errors import UserError
from plasticity_rl.run import accounts
from plasticity_rl.run import checkpoint_files
from plasticity_rl.run import flops as flops_lib
from plasticity_rl.run import run_folder
from plasticity_rl.run import runner
from plasticity_rl.run.checkpoint import Checkpoints
from tests.training import small
from tests.training.small import run

INJECTIONS = ('injection(at_steps=10)', 'again=injection(at_steps=15)')


@pytest.fixture(name='experiment', scope='module')
def fixture_experiment():
  return small.build(small.supervised())


def change(experiment, **changes):
  """The same compiled functions under settings that the host alone reads."""
  return experiment.replace(
    settings=dataclasses.replace(experiment.settings, **changes)
  )


def at_step(step, action):
  """A segment that does something before it runs from `step`."""

  def wrap(experiment):
    def segment(state):
      if int(state.counters.step) == step:
        state = action(state) or state
      return experiment.trainer.segment(state)

    return experiment.replace(
      trainer=experiment.trainer.replace(segment=segment)
    )

  return wrap


class Killed(BaseException):
  """As kill -9 would end it: nothing is saved on the way out."""


def kill(*_):
  raise Killed


def terminate(state):
  del state
  signal.raise_signal(signal.SIGTERM)


@pytest.fixture(name='whole', scope='module')
def fixture_whole(experiment, tmp_path_factory):
  """A run of 20 steps that nothing disturbed."""
  return run(experiment, tmp_path_factory.mktemp('whole') / 'run')


@pytest.fixture(name='injected', scope='module')
def fixture_injected(experiment, tmp_path_factory):
  """The same with an injection at step 10 and another one at 15."""
  twice = change(
    experiment,
    interventions=INJECTIONS,
    checkpoint=dataclasses.replace(
      experiment.settings.checkpoint, every_steps=5, keep=9
    ),
  )
  folder = tmp_path_factory.mktemp('injected') / 'run'
  return twice, run(twice, folder)


def same_end(experiment, folder, other, step=20):
  """Everything of two runs is the same to the bit, but the time it took."""
  small.assert_equal(
    small.saved(experiment, folder, step),
    small.saved(experiment, other, step),
  )
  assert small.metrics(folder) == small.metrics(other)


def test_run_folder(experiment, whole):
  assert Checkpoints(whole).steps() == [10, 20]
  rows = small.metrics(whole)
  assert [(r['seed'], r['step']) for r in rows] == [
    (seed, step) for step in ('5', '10', '15', '20') for seed in '12'
  ]
  for row in rows:
    assert row['updates'] == row['frames'] == row['step']
    assert float(row['train/loss']) > 0
    assert float(row['eval/return']) < 0
    measured = row['plasticity/classifier/weight_norm/all'] != ''
    assert measured == (row['step'] in ('10', '20'))
  # Each point is of its own step, though it is written a segment later.
  state = small.saved(experiment, whole, 20)
  assert float(rows[-1]['eval/return']) == pytest.approx(
    float(experiment.evaluate(state)['eval/return'][1]), rel=1e-6
  )
  assert (whole / 'events.jsonl').read_text() == ''


def test_again_changes_nothing(experiment, whole):
  before = {
    p: p.read_bytes()
    for p in whole.rglob('*')
    if p.is_file() and p.name != 'ledger.json'
  }
  never = experiment.replace(trainer=experiment.trainer.replace(segment=kill))
  run(never, whole)
  after = {
    p: p.read_bytes()
    for p in whole.rglob('*')
    if p.is_file() and p.name != 'ledger.json'
  }
  assert before == after


def test_a_ledger_of_an_earlier_end_is_not_that_of_this_one(
  experiment, whole, tmp_path, monkeypatch
):
  folder = run(experiment, tmp_path / 'run', num_steps=10)
  with monkeypatch.context() as patch:
    # Killed between its last checkpoint and its ledger.
    patch.setattr(accounts.Accounts, 'write_ledger', kill)
    with pytest.raises(Killed):
      run(experiment, folder)
  run(experiment, folder)
  found, expected = (
    json.loads((path / 'ledger.json').read_text()) for path in (folder, whole)
  )
  assert found['total_flops'] == expected['total_flops']


def test_ledger_is_costs_times_counters(experiment, whole):
  found = json.loads((whole / 'ledger.json').read_text())
  costs = flops_lib.costs(
    experiment.agent, experiment.trainer.batch, experiment.shapes(())
  )
  # Two layers, 4 x 8 and 8 x 3, on 4 examples: forward and backward cost six
  # operations a weight and example, but no gradient reaches the input.
  assert costs.update > 4 * (4 * 32 + 6 * 24)
  assert 2 * (32 + 24) <= costs.act < 2 * (32 + 24) + 100
  assert found['update_flops'] == pytest.approx(20 * costs.update)
  assert found['act_flops'] == pytest.approx(20 * costs.act)
  # Four evaluations of 20 examples.
  assert found['evaluation_flops'] == pytest.approx(80 * costs.act)
  assert found['total_flops'] == pytest.approx(
    20 * costs.update + 100 * costs.act
  )
  assert found['seconds'] > 0


def test_an_injected_network_costs_more(experiment, injected):
  _, folder = injected
  init = experiment.shapes(())
  act, update = flops_lib.costs(
    experiment.agent, experiment.trainer.batch, init
  )
  for count in (1, 2):
    init = experiment.shapes([{'expression': 'injection'}] * count)
    costs = flops_lib.costs(experiment.agent, experiment.trainer.batch, init)
    assert costs.act > act and costs.update > update, count
    act, update = costs
  plain = flops_lib.costs(
    experiment.agent, experiment.trainer.batch, experiment.shapes(())
  )
  found = json.loads((folder / 'ledger.json').read_text())
  assert found['update_flops'] > 20 * plain.update
  assert found['update_flops'] < 20 * update


def test_looking_or_not_is_the_same_training(experiment, whole, tmp_path):
  settings = experiment.settings
  blind = change(
    experiment,
    evaluation=dataclasses.replace(settings.evaluation, every_steps=100),
    diagnostics=dataclasses.replace(settings.diagnostics, every_steps=100),
  )
  folder = run(blind, tmp_path / 'run')
  small.assert_equal(
    small.saved(experiment, folder, 20), small.saved(experiment, whole, 20)
  )
  assert 'eval/return' not in small.metrics(folder)[0]


def test_half_and_half_is_the_whole(experiment, whole, tmp_path):
  folder = run(experiment, tmp_path / 'run', num_steps=10)
  assert [r['step'] for r in small.metrics(folder)] == ['5', '5', '10', '10']
  same_end(experiment, run(experiment, folder), whole)


def test_killed_and_resumed(experiment, whole, tmp_path):
  folder = tmp_path / 'run'
  saves = Checkpoints(folder)

  def kill_when_saved(state):
    for _ in range(1000):
      if saves.steps():
        break
      time.sleep(0.01)  # Saved by another thread, which no kill ends here.
    kill(state)

  with pytest.raises(Killed):
    run(at_step(15, kill_when_saved)(experiment), folder)
  # Rows past the checkpoint are dropped, and so is half a line.
  with (folder / 'metrics.csv').open('a') as file:
    file.write('1,1')
  assert Checkpoints(folder).newest() == 10
  same_end(experiment, run(experiment, folder), whole)


def test_killed_before_the_first_checkpoint(experiment, whole, tmp_path):
  folder = tmp_path / 'run'
  with pytest.raises(Killed):
    run(at_step(5, kill)(experiment), folder)
  assert Checkpoints(folder).steps() == []
  same_end(experiment, run(experiment, folder), whole)


def test_damaged_checkpoint_is_made_again(experiment, whole, tmp_path):
  folder = run(experiment, tmp_path / 'run')
  (folder / 'checkpoints' / '0000000020' / 'manifest.json').unlink()
  same_end(experiment, run(experiment, folder), whole)


def test_stopped_and_continued(experiment, whole, tmp_path, capfd):
  folder = tmp_path / 'run'
  before = signal.getsignal(signal.SIGTERM)
  with pytest.raises(Interrupted) as caught:
    run(at_step(5, terminate)(experiment), folder)
  # At the end of the segment that was running, whatever the checkpoints' grid.
  assert 'stopped at step 10 of 20' in str(caught.value)
  assert 'the same command continues' in str(caught.value)
  assert Checkpoints(folder).steps() == [10]
  assert signal.getsignal(signal.SIGTERM) is before
  assert 'asked to stop: saving' in capfd.readouterr().err
  with pytest.raises(Interrupted, match='stopped at step 15'):
    run(at_step(10, terminate)(experiment), folder)
  same_end(experiment, run(experiment, folder), whole)


def test_stopped_while_it_compiles(experiment, whole, tmp_path):
  def init():
    signal.raise_signal(signal.SIGTERM)
    return experiment.init()

  folder = tmp_path / 'run'
  with pytest.raises(Interrupted, match='stopped at step 0 of 20'):
    run(experiment.replace(init=init), folder)
  assert Checkpoints(folder).steps() == [0]
  same_end(experiment, run(experiment, folder), whole)


def test_stopped_in_the_last_segment_is_done(experiment, whole, tmp_path):
  folder = run(at_step(15, terminate)(experiment), tmp_path / 'run')
  same_end(experiment, folder, whole)


def test_injections_of_the_config(injected):
  twice, folder = injected
  lines = (folder / 'events.jsonl').read_text().splitlines()
  first, second = (json.loads(line) for line in lines)
  assert (first['step'], first['label']) == (10, 'injection')
  assert (second['step'], second['label']) == (15, 'again')
  for event in (first, second):
    assert event['expression'] == 'injection'
    assert len(event['largest_output_change']) == 2
    assert max(event['largest_output_change']) < 1e-6
    assert event['greedy_agreement'] == [1.0, 1.0]
  heads = [
    small.saved(twice, folder, step).nets['classifier'].params['head']
    for step in (5, 10, 15, 20)
  ]
  assert isinstance(heads[0], dict)
  assert [h.signs.shape for h in heads[1:]] == [(2, 2), (2, 4), (2, 4)]
  # What was frozen at 15 is frozen at 20.
  small.assert_equal(heads[2].frozen, heads[3].frozen)


def test_before_the_injection_nothing_differs(injected, whole):
  _, folder = injected
  # The measurement at step 10 is of the state before.
  names = list(small.metrics(whole)[0])
  early = [
    [
      {k: row[k] for k in names}
      for row in small.metrics(f)
      if int(row['step']) <= 10
    ]
    for f in (folder, whole)
  ]
  assert early[0] == early[1]
  assert small.metrics(folder)[-1] != small.metrics(whole)[-1]


def test_nothing_happens_at_the_end(experiment, tmp_path):
  """An arm that forks there has its own intervention instead."""
  settings = dataclasses.replace(
    experiment.settings, interventions=('reseed(every_steps=10)',)
  )
  folder = run(experiment.replace(settings=settings), tmp_path / 'run')
  lines = (folder / 'events.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in lines] == [10]


@pytest.mark.parametrize('step', (10, 15))
def test_stopped_after_injections_and_continued(injected, tmp_path, step):
  """Resumed from the checkpoint after one, and from that after two."""
  twice, whole = injected
  folder = tmp_path / 'run'
  with pytest.raises(Interrupted, match=f'stopped at step {step} of 20'):
    run(at_step(step - 5, terminate)(twice), folder)
  same_end(twice, run(twice, folder), whole)
  assert (folder / 'events.jsonl').read_text() == (
    whole / 'events.jsonl'
  ).read_text()


def test_checkpoint_of_another_network_is_refused(experiment, whole, tmp_path):
  other = small.build(small.supervised(**{'network.hidden': (9,)}))
  folder = tmp_path / 'run'
  run_folder.prepare(folder, other.settings)
  (whole / 'checkpoints').rename(folder / 'checkpoints')
  try:
    with pytest.raises(Exception, match='of another agent or config') as e:
      run(other, folder)
    assert '\n' not in str(e.value)
    assert not (folder / 'metrics.csv').exists()
  finally:
    (folder / 'checkpoints').rename(whole / 'checkpoints')


def poison(state):
  """Makes the inputs of the second seed, and so its loss, NaN."""
  inputs = state.env.inputs.at[1].set(jnp.nan)
  return state._replace(env=state.env._replace(inputs=inputs))


def test_nan_stops_with_step_seed_cause_and_checkpoint(experiment, tmp_path):
  folder = tmp_path / 'run'
  with pytest.raises(RunError) as caught:
    run(at_step(10, poison)(experiment), folder)
  message = str(caught.value)
  assert 'the loss became NaN or infinite at step 11 ' in message
  assert '(seed 2, 1 of 2 seeds)' in message
  assert 'the mean loss of the previous segment was' in message
  assert 'optimizer.learning_rate (0.01) is too high' in message
  assert 'optimizer.max_gradient_norm' in message
  assert message.endswith('last good checkpoint: step 10')
  assert '\n' not in message
  assert Checkpoints(folder).newest() == 10
  state = small.saved(experiment, folder, 10)
  for leaf in jax.tree.leaves(state.nets):
    assert np.isfinite(leaf).all()
  # The healthy seed has its rows, the loss of the other one is NaN.
  last = small.metrics(folder, after=10)[:2]
  assert math.isfinite(float(last[0]['train/loss']))
  assert last[1]['train/loss'] == 'nan'


@pytest.mark.parametrize('value', (np.nan, np.inf))
def test_an_evaluation_without_a_number_stops_the_run(
  experiment, tmp_path, value
):
  """It is not the same as one that was not made."""

  def evaluate(keys, state):
    metrics = experiment.trainer.evaluate(keys, state)
    if int(state.counters.step) == 20:
      returns = jnp.asarray(metrics['eval/return']).at[1].set(value)
      metrics = {**metrics, 'eval/return': returns}
    return metrics

  folder = tmp_path / 'run'
  with pytest.raises(RunError) as caught:
    run(
      experiment.replace(trainer=experiment.trainer.replace(evaluate=evaluate)),
      folder,
    )
  message = str(caught.value)
  assert f'evaluation at step 20 is {value} (seed 2, 1 of 2 seeds)' in message
  assert "check the rewards of 'random_labels'" in message
  assert message.endswith('last good checkpoint: step 10')
  assert '\n' not in message
  assert Checkpoints(folder).newest() == 10
  last = small.metrics(folder, after=10)[-2:]
  assert [row['step'] for row in last] == ['20', '20']
  assert math.isfinite(float(last[0]['eval/return']))
  assert last[1]['eval/return'] == str(value)
  with pytest.raises(UserError, match='eval/return is (nan|inf) at step 20'):
    runs.group([runs.load(folder)], 'eval/return')
  # Once the rewards are numbers, the run goes on.
  run(experiment, folder)
  assert small.metrics(folder)[-1]['eval/return'] not in ('', 'nan')


def test_weights_that_blew_up_are_not_saved(experiment, tmp_path):
  """By the last update before a checkpoint, which no loss has seen."""

  def segment(state):
    state, metrics = experiment.trainer.segment(state)
    if int(state.counters.step) == 20:
      nets = jax.tree.map(lambda x: x * jnp.inf, state.nets)
      state = state._replace(nets=nets)
    return state, metrics

  folder = tmp_path / 'run'
  with pytest.raises(RunError, match='before step 20: .* checkpoint: step 10'):
    run(
      experiment.replace(trainer=experiment.trainer.replace(segment=segment)),
      folder,
    )
  assert Checkpoints(folder).newest() == 10


@pytest.mark.parametrize(
  'when',
  (
    'at_steps=10',
    'every_steps=10',
    'every_steps=5',
    'when="eval/return < 100", patience=2',
    'every_updates=10',
  ),
)
def test_a_prefix_ends_as_the_run_passes_that_step(tmp_path, when):
  """An intervention at the fork's step is in both."""
  experiment = small.build(small.supervised(interventions=(f'reset({when})',)))
  whole = run(experiment, tmp_path / 'whole')
  prefix = run(experiment, tmp_path / 'prefix', num_steps=10)
  state = small.saved(experiment, prefix, 10)
  small.assert_equal(state, small.saved(experiment, whole, 10))
  events = (prefix / 'events.jsonl').read_text().splitlines()
  if 'updates' not in when:
    assert [json.loads(x)['step'] for x in events][-1] == 10
  # Its network is another one than without.
  without = small.build(small.supervised())
  plain = run(without, tmp_path / 'without', num_steps=10)
  plain = small.saved(without, plain, 10).nets['classifier'].params
  with pytest.raises(AssertionError, match='differs'):
    small.assert_equal(state.nets['classifier'].params, plain)


def test_nan_from_the_start(experiment, tmp_path):
  with pytest.raises(RunError) as caught:
    run(at_step(0, poison)(experiment), tmp_path / 'run')
  message = str(caught.value)
  assert 'at step 1 ' in message
  assert 'first segment with updates: check' in message
  assert message.endswith('last good checkpoint: none')


def test_nan_at_once_after_resuming(experiment, tmp_path):
  folder = run(experiment, tmp_path / 'run', num_steps=10)
  with pytest.raises(RunError, match='with updates after step 10: check'):
    run(at_step(10, poison)(experiment), folder)


def test_full_disk_stops_the_run(experiment, whole, tmp_path, monkeypatch):
  folder = run(experiment, tmp_path / 'run', num_steps=10)

  def full(*_):
    raise OSError('No space left on device')

  with monkeypatch.context() as patch:
    # Verifying reads digests as well.
    patch.setattr(checkpoint_files, 'verify', lambda path: '')
    patch.setattr(checkpoint_files, 'digests', full)
    with pytest.raises(RunError, match='No space .* step 10 is kept'):
      run(experiment, folder)
  same_end(experiment, run(experiment, folder), whole)


def test_what_another_process_runs_is_left_alone(experiment, tmp_path):
  run_folder.prepare(tmp_path, experiment.settings)
  with run_folder.lock(tmp_path):
    with pytest.raises(RunError, match='another process is running'):
      runner.run(experiment, tmp_path)
  assert [p.name for p in tmp_path.iterdir()] == ['config.json']
  runner.run(experiment, tmp_path)
  assert (tmp_path / accounts.LEDGER).exists()
