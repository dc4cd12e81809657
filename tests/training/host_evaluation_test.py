"""What is evaluated on the host, where there are several tasks."""

from types import SimpleNamespace

import numpy as np

from plasticity_rl.environments import vector
from plasticity_rl.environments.task_sequence import TaskSequence
from plasticity_rl.training import host_evaluation
from tests.environments import task_sequence_test


def environments(num_envs, evaluation):
  """Two endless tasks of 20 steps, with rewards of 0 and of 1."""
  return TaskSequence(
    ('a', 'b'),
    [
      vector.SyncVectorEnv(
        [task_sequence_test.Endless(task) for _ in range(num_envs)],
        task_sequence_test.SPACES,
        return_range=(0, 1),
      )
      for task in range(2)
    ],
    20,
    evaluation=evaluation,
  )


def test_a_sequence_is_evaluated_in_the_task_that_is_learned():
  """Of three environments each takes a third of the steps."""
  num_seeds, episodes = 2, 3
  evaluation = host_evaluation.HostEvaluation(
    SimpleNamespace(
      seed=0,
      environment=SimpleNamespace(num_envs=3),
      evaluation=SimpleNamespace(episodes=episodes, max_steps=50),
    ),
    environments,
    SimpleNamespace(
      num_seeds=num_seeds,
      by_seed=lambda x: x.reshape(num_seeds, episodes, *x.shape[1:]),
    ),
    SimpleNamespace(
      act_greedily=lambda *_: np.zeros((num_seeds, episodes), np.int32)
    ),
  )
  for step, task in ((0, 0), (57, 0), (60, 0), (63, 1), (120, 1), (123, 0)):
    state = SimpleNamespace(
      counters=SimpleNamespace(step=np.int32(step)),
      nets=None,
      env=SimpleNamespace(statistics={}),
    )
    metrics = evaluation.play(None, state)
    np.testing.assert_array_equal(metrics['eval/return'], 50 * task)
    np.testing.assert_array_equal(metrics['eval/steps'], 150)
