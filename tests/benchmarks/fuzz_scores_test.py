"""A few odd files; `benchmarks.fuzz_scores` tries thousands."""

from benchmarks import fuzz_scores


def test_whatever_comes_is_right_or_refused_in_a_line():
  tally = fuzz_scores.files(60)
  assert not tally.findings
  assert tally.taken > 3 and tally.refused > 3
