import pytest

from plasticity_rl.analysis.pages import units


@pytest.mark.parametrize(
  'value, text', ((2.5e9, '2.5 G'), (999.0, '999'), (-3e15, '-3 P'), (0, '0'))
)
def test_numbers_have_the_largest_prefix_that_they_reach(value, text):
  assert units.prefixed(value) == text


def test_digits_and_prefixes_can_be_chosen():
  assert units.prefixed(1500, 'Mk', spec='g', gap='') == '1.5k'
  assert units.prefixed(2e18, 'EP') == '2 E'
