"""A few odd environments; `benchmarks.fuzz_environments` tries thousands."""

import pytest
from hypothesis import strategies as st

from benchmarks import fuzz_environments
from benchmarks import fuzzing
from plasticity_rl.errors import UserError

EXAMPLES = 60


@pytest.mark.parametrize('section', fuzz_environments.SECTIONS)
def test_whatever_comes_is_right_or_refused_in_a_line(section):
  tally = fuzz_environments.SECTIONS[section](EXAMPLES)
  assert not tally.findings
  assert tally.taken > 3 and tally.refused > 3
  assert tally.tried >= EXAMPLES


def test_findings_are_counted_and_do_not_end_the_search():
  def check(value):
    if value == 2:
      raise ZeroDivisionError('two')
    return value > 2

  tally = fuzzing.run(200, st.integers(0, 4), check)
  assert set(tally.findings) == {'2: ZeroDivisionError: two'}
  assert tally.taken and tally.refused


def test_a_message_of_two_lines_is_a_finding():
  fuzzing.check_line(UserError('environment x'), 'x')
  for text in ('environment\nx', 'environment y'):
    with pytest.raises(AssertionError, match='unclear'):
      fuzzing.check_line(UserError(text), 'x')
