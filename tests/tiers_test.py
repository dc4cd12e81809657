"""The names by which tests are left out are those of tests."""

import pathlib

import pytest

from tests import tiers

TESTS = pathlib.Path(__file__).parent


@pytest.mark.parametrize('name', (*tiers.SLOW, *tiers.EXHAUSTIVE, *tiers.FIRST))
def test_a_name_begins_that_of_a_test(name):
  path, _, test = name.partition('::')
  files = [
    file
    for file in TESTS.rglob('*.py')
    if file.relative_to(TESTS).as_posix().startswith(path)
  ]
  assert files
  function = f'\ndef {test.partition("[")[0]}'
  assert not test or any(function in file.read_text() for file in files)
