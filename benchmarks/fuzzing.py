"""What the scripts that try odd inputs share: they count and report."""

import argparse
import dataclasses
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import hypothesis
from absl import logging
from hypothesis import strategies as st

from plasticity_rl.errors import UserError
from plasticity_rl.errors import shown


@dataclasses.dataclass
class Tally:
  """What came of the inputs of a section.

  Attributes:
    taken: inputs that were taken, and were right.
    refused: inputs that were refused in a line.
    findings: other inputs, with what happened.
  """

  taken: int = 0
  refused: int = 0
  findings: list[str] = dataclasses.field(default_factory=list)

  @property
  def tried(self) -> int:
    """The number of inputs."""
    return self.taken + self.refused + len(self.findings)


class Part(NamedTuple):
  """A value, and whether it must be taken, must be refused, or may be either.

  Attributes:
    value: what an environment returns in some place.
    fits: True, False or None.
  """

  value: Any
  fits: bool | None


def mostly(
  usual: st.SearchStrategy, *others: st.SearchStrategy
) -> st.SearchStrategy:
  """Nine times of ten the first: a case has many parts, and all must fit."""
  return st.integers(0, 9).flatmap(lambda i: usual if i else st.one_of(*others))


def check_line(error: UserError, name: str) -> None:
  """Checks that a message is one line and names what is at fault."""
  message = str(error)
  assert '\n' not in message and name in message, f'unclear: {message}'


def run(
  examples: int, strategy: st.SearchStrategy, check: Callable[[Any], bool]
) -> Tally:
  """Tries inputs, and stops at none.

  Args:
    examples: how many.
    strategy: makes them.
    check: returns True if an input was taken and came out right, False if it
      was refused in a line, and raises otherwise.
  """
  tally = Tally()

  @hypothesis.settings(
    max_examples=examples,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
  )
  @hypothesis.given(strategy)
  def one(value):
    try:
      with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Of gymnasium and numpy.
        taken = check(value)
    except Exception as error:  # Whatever it is, it is a finding.
      text = f'{shown(value, 300)}: {type(error).__name__}: {error}'
      tally.findings.append(' '.join(text.split())[:500])
    else:
      tally.taken += taken
      tally.refused += not taken

  one()
  return tally


def main(sections: Mapping[str, Callable[[int], Tally]], about: str) -> None:
  """Runs all sections and prints their counts; exits with 1 for findings.

  Args:
    sections: by name, `(examples) -> Tally`.
    about: the help of the command.
  """
  parser = argparse.ArgumentParser(
    description=about, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--examples', type=int, default=2000)
  examples = parser.parse_args().examples
  logging.set_verbosity(logging.ERROR)
  sys.exit(report((name, run(examples)) for name, run in sections.items()))


def report(sections: Iterable[tuple[str, Tally]]) -> int:
  """Prints the counts of sections as they come, then all findings.

  Returns:
    1 if there are findings, else 0.
  """
  print('| section | inputs | taken, and right | refused in a line | others |')
  print('| --- | --- | --- | --- | --- |')
  findings = []
  for name, tally in sections:
    counts = (tally.tried, tally.taken, tally.refused, len(tally.findings))
    print(f'| {name} | {" | ".join(map(str, counts))} |', flush=True)
    findings += tally.findings
  for finding in findings:
    print(f'- {finding}')
  return int(bool(findings))
