"""Fixtures of the analysis tests."""

import functools
import importlib.util
import pathlib

import pytest

from plasticity_rl.analysis.study import study as studies
from tests.analysis import study_writer

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
def data():
  return _HERE.parent / 'data'


@pytest.fixture(name='write', scope='session')
def fixture_write(synthetic):
  """Writes the folder of a study; see `study_writer.write`."""
  return functools.partial(study_writer.write, synthetic=synthetic)


@pytest.fixture(name='folder', scope='session')
def fixture_folder(write, tmp_path_factory):
  """A study of two arms on two games at two rates; a ninth run has failed."""
  late = ('control', {'optimizer.learning_rate': 1.0}, 'catch', [1.0], 1)
  return write(
    tmp_path_factory.mktemp('study') / 's',
    study_writer.two_games() | {'late': late},
    failed=('late',),
  )


@pytest.fixture(name='study', scope='session')
def fixture_study(folder):
  return studies.load(folder)
