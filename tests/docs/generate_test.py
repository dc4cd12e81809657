"""Docstrings of methods say what a page of the site needs."""

import inspect

import pytest

from docs import generate


@pytest.mark.parametrize('kind', generate.KINDS)
def test_every_method_says_what_its_options_do(kind):
  for name, function in generate.KINDS[kind].items():
    text = inspect.getdoc(function)
    options = [
      p
      for p in inspect.signature(function).parameters
      if p not in ('spec', 'probe')
    ]
    missing = [option for option in options if option not in text]
    assert not missing, (name, missing)
