"""States and experiments for tests of checkpoints."""

import jax
import jax.numpy as jnp

from plasticity_rl.types import Counters
from plasticity_rl.types import Keys
from plasticity_rl.types import NetState
from plasticity_rl.types import TrainState


def state_of(value, width=3):
  """A state of every dtype that there is, an empty array included."""
  params = {'encoder': {}, 'head': {'w': jnp.full([2, width], value)}}
  net = NetState(params, None, {'count': jnp.array([7], jnp.int32)}, None)
  return TrainState(
    nets={'q': net},
    replay={'board': jnp.array([True, False]), 'none': jnp.zeros([2, 0])},
    env=(jnp.array([-0.0, jnp.nan, jnp.inf]),),
    keys=Keys(jax.random.PRNGKey(1), jax.random.PRNGKey(2)),
    counters=Counters(*(jnp.array(i, jnp.int32) for i in range(4))),
    interventions={'own': {'mean': jnp.array(0.1)}},
  )


class Grown:
  """As an experiment whose head grew by each change in its history."""

  def __init__(self, width=3):
    self._width = width
    self.trainer = self

  def shapes(self, history):
    return jax.eval_shape(lambda: state_of(0.0, self._width + len(history)))

  def shapes_as_saved(self, shapes, leaves):
    del leaves
    return shapes

  def load(self, state, folder):
    del folder
    return jax.tree.map(jnp.asarray, state)


GROWN = Grown()


def folder_of(tmp_path, step):
  return tmp_path / 'checkpoints' / f'{step:010d}'
