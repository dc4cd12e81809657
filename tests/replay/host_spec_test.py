"""What a replay is to be, what it will take, and what is refused."""

import dataclasses

import numpy as np
import pytest

from plasticity_rl.environments.spaces import Continuous
from plasticity_rl.environments.spaces import Discrete
from plasticity_rl.environments.spaces import Spaces
from plasticity_rl.errors import UserError
from plasticity_rl.replay import host_ring
from plasticity_rl.replay import host_spec
from plasticity_rl.replay.device_ring import Row
from plasticity_rl.replay.host_spec import HostReplaySpec

ATARI = HostReplaySpec(
  capacity=1_000_000,
  num_envs=8,
  spaces=Spaces((84, 84, 4), np.uint8, Discrete(18)),
  discount=0.99,
  stack=4,
)
CHEETAH = HostReplaySpec(
  capacity=3000,
  num_envs=2,
  spaces=Spaces((17,), np.float32, Continuous(6)),
  discount=0.99,
)


def test_atari_as_the_talk_asks_for():
  """A million frames of 7056 bytes; four million compressed."""
  needed = host_spec.bytes_needed(ATARI)
  assert 7.1e9 < needed < 7.2e9
  more = dataclasses.replace(ATARI, capacity=4_000_000, compress=True)
  assert host_spec.bytes_needed(more) < 4e6 * 1000


def test_the_estimate_is_what_a_full_ring_takes():
  """Vectors in episodes of 200 steps."""
  ring = host_ring.HostRing(CHEETAH)
  rng = np.random.default_rng(0)
  s_t, last = None, np.array([True, True])
  for t in range(2500):
    fresh = rng.normal(size=(2, 17)).astype(np.float32)
    s_tm1 = fresh if last[0] else s_t
    s_t = rng.normal(size=(2, 17)).astype(np.float32)
    last = np.full(2, t % 200 == 199)
    ring.add(
      Row(
        s_tm1, np.zeros((2, 6), np.float32), np.zeros(2), np.ones(2), s_t, last
      )
    )
  estimate = host_spec.bytes_needed(CHEETAH)
  assert abs(ring.nbytes / estimate - 1) < 0.04


def test_a_replay_larger_than_memory_is_refused_with_what_fits():
  with pytest.raises(UserError, match='needs about 7.16 GB') as caught:
    host_spec.check_fits(ATARI, 4 * 10**9)
  message = str(caught.value)
  assert 'compress it' in message
  fits = int(message.split(' transitions would fit')[0].split()[-1])
  assert fits % 8 == 0
  host_spec.check_fits(dataclasses.replace(ATARI, capacity=fits), 4 * 10**9)
  with pytest.raises(UserError):
    host_spec.check_fits(
      dataclasses.replace(ATARI, capacity=fits + 1000), 4 * 10**9
    )


def test_with_no_memory_nothing_fits():
  with pytest.raises(UserError, match=' 0 transitions would fit'):
    host_spec.check_fits(dataclasses.replace(ATARI, compress=True), 1000)


def test_floats_are_not_promised_to_compress():
  plain = host_spec.bytes_needed(CHEETAH)
  compressed = dataclasses.replace(CHEETAH, compress=True)
  assert host_spec.bytes_needed(compressed) > 0.9 * plain


def test_every_environment_has_the_same_share_rounded_down():
  assert dataclasses.replace(CHEETAH, capacity=101).num_rows == 50


@pytest.mark.parametrize(
  ('changes', 'message'),
  (
    ({'capacity': 0}, 'capacity=0 is not a positive integer'),
    ({'capacity': 1e6}, 'capacity=1000000.0 is not a positive integer'),
    ({'num_envs': 0}, 'num_envs=0'),
    ({'n_step': 0}, 'n_step=0'),
    ({'stack': 3}, r'\(84, 84, 4\) does not hold stack=3'),
    ({'discount': 1.5}, r'discount=1.5 is not in \[0, 1\]'),
    ({'capacity': 23, 'n_step': 3}, 'less than the 24 of n_step=3'),
  ),
)
def test_settings_that_make_no_sense_are_refused(changes, message):
  with pytest.raises(UserError, match=message):
    dataclasses.replace(ATARI, **changes)
