"""Bytes on the wire, by hand."""

import pytest

from benchmarks import collectives

TEXT = """
  %all-reduce.1 = (f32[8,3]{1,0}, f32[3]{0}, /*index=2*/bf16[]) \
all-reduce(%a, %b, %c), replica_groups={{0,1}}
  %get = f32[8,3]{1,0} get-tuple-element(%all-reduce.1), index=0
  %g = u8[2,16]{1,0:T(8,128)} all-gather(%d), dimensions={1}
  %s = (f32[4]{0}, f32[4]{0}) all-reduce-start(%e)
  %done = f32[4]{0} all-reduce-done(%s)
"""


def test_bytes_of_results():
  assert collectives.bytes_of(TEXT) == {
    'all-reduce': 4 * (24 + 3) + 2 + 4 * 4,
    'all-gather': 32,
  }
  assert collectives.count(TEXT) == 3


@pytest.mark.parametrize('text', ('', '%x = f32[3]{0} add(%all-reduce.1)'))
def test_nothing_is_sent(text):
  assert collectives.bytes_of(text) == {}
