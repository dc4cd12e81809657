import pytest

from plasticity_rl.analysis import wording


@pytest.mark.parametrize(
  'value, text', ((2.5e9, '2.5 G'), (999.0, '999'), (-3e15, '-3 P'), (0, '0'))
)
def test_numbers_have_the_largest_prefix_that_they_reach(value, text):
  assert wording.prefixed(value) == text


def test_digits_and_prefixes_can_be_chosen():
  assert wording.prefixed(1500, 'Mk', spec='g', gap='') == '1.5k'
  assert wording.prefixed(2e18, 'EP') == '2 E'


def test_columns_are_aligned():
  rows = [('arm', 'runs'), ('control', '5')]
  assert wording.aligned(rows, right_from=1) == 'arm      runs\ncontrol     5'
  assert wording.aligned(rows) == 'arm      runs\ncontrol  5'
