"""Fixtures of the analysis tests."""

import importlib.util
import pathlib

import pytest

_HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope='session')
def synthetic():
  """The module beside this file, which writes small folders."""
  # By path: an installed package named `tests` would hide this one.
  spec = importlib.util.spec_from_file_location(
    'synthetic', _HERE / 'synthetic.py'
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope='session')
def check_page():
  """The function that checks what must hold of every page."""
  spec = importlib.util.spec_from_file_location(
    'page_test', _HERE / 'pages' / 'page_test.py'
  )
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.check


@pytest.fixture(scope='session')
def data():
  return _HERE.parent / 'data'
