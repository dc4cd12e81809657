import pytest

from launch import batching
from launch import study as study_lib
from launch import sweep as h
from plasticity_rl import settings as settings_lib


def _runs(sweep, **changes):
  config = settings_lib.default_config('dqn', 'catch')
  config.network.update(changes)
  return [study_lib._run(config, one) for one in sweep]


def test_consecutive_seeds_become_one_run():
  runs = batching.merge(
    _runs(
      h.product(
        h.sweep('optimizer.learning_rate', [1e-3, 1e-4]),
        h.sweep('seed', [1, 2, 3, 7, 8]),
      )
    )
  )
  assert [(r.name, r.settings.seed, r.settings.num_seeds) for r in runs] == [
    ('learning_rate=0.001,seed=1-3', 1, 3),
    ('learning_rate=0.001,seed=7-8', 7, 2),
    ('learning_rate=0.0001,seed=1-3', 1, 3),
    ('learning_rate=0.0001,seed=7-8', 7, 2),
  ]
  assert runs[0].overrides == {
    'optimizer.learning_rate': 1e-3,
    'seed': 1,
    'num_seeds': 3,
  }
  assert sum(r.seeds for r in runs) == 10


def test_not_more_than_a_program_takes():
  sweep = h.sweep('seed', range(1, 7))
  assert len(batching.merge(_runs(sweep))) == 1
  assert len(batching.merge(_runs(sweep), limit=1)) == 6
  assert [r.name for r in batching.merge(_runs(sweep), limit=4)] == [
    'seed=1-4',
    'seed=5-6',
  ]
  convolutional = _runs(sweep, convolutions=((4, 3, 1),))
  assert batching.merge(convolutional) == convolutional
  assert len(batching.merge(convolutional, limit=3)) == 2


@pytest.mark.parametrize(
  'sweep',
  (
    [{}],
    h.sweep('num_seeds', [1, 2]),
    h.sweep('optimizer.learning_rate', [1e-3, 1e-4]),
    h.sweep('seed', [1, 3, 5]),
  ),
)
def test_what_is_no_sweep_over_seeds_is_left_alone(sweep):
  runs = _runs(sweep)
  assert batching.merge(runs) == runs
