"""The catalogue fits the code; that its mutants are caught, `run.py` tells."""

import pathlib

import pytest

from tests.mutants import catalogue

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def test_names_are_unique():
  names = [mutant.name for mutant in catalogue.MUTANTS]
  assert len(set(names)) == len(names)


@pytest.mark.parametrize(
  'mutant', catalogue.MUTANTS, ids=[m.name for m in catalogue.MUTANTS]
)
def test_a_mutant_can_be_made(mutant):
  """A line that was rewritten takes its mutant along."""
  text = (ROOT / mutant.file).read_text()
  mutated, count = mutant.apply(text)
  assert count == 1
  assert mutated != text
  compile(mutated, mutant.file, 'exec')
  for test in mutant.tests:
    path, name = test.split('[')[0].split('::')
    assert f'def {name}(' in (ROOT / path).read_text()
