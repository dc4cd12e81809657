"""A sweep over the arguments of a user's environment."""

import json
import sys

import numpy as np
import pytest
from absl import flags
from ml_collections import config_flags

from launch import commands
from launch import folder as folder_lib
from launch import sharing
from launch import study as study_lib
from launch import sweep as h
from plasticity_rl import settings as settings_lib
from plasticity_rl.analysis.study import study as results
from plasticity_rl.errors import UserError

NAME = 'tests.environments.scripted:taking'
ARGUMENTS = [({1: (2, [3])},), ({'1': (2, [3])},), ({1: 2, 'a': None},), (4,)]
STUDY = f"""
from plasticity_rl import settings

def get_config():
  return settings.default_config('dqn', {NAME!r})

def get_sweep(h):
  return h.sweep('environment.arguments', %r)
"""


def build(tmp_path, values):
  path = tmp_path / 'study.py'
  path.write_text(STUDY % (values,))
  return study_lib.build(str(path), settings_lib.default_config('dqn', NAME))


def given(words, monkeypatch):
  """The arguments that a command with these words has."""
  monkeypatch.setattr(sys, 'argv', ['train', *words])  # The flag reads it.
  values = flags.FlagValues()
  config_flags.DEFINE_config_dict(
    'config', settings_lib.default_config('dqn', NAME), flag_values=values
  )
  values(sys.argv)
  options = settings_lib.resolve(values.config).environment_options
  return options['arguments']


def test_runs_get_what_the_sweep_says(tmp_path, monkeypatch):
  study = build(tmp_path, ARGUMENTS)
  assert len({run.name for run in study.runs}) == len(ARGUMENTS)
  folder = tmp_path / 's'
  jobs = folder_lib.prepare(folder, study, sharing.plan(study))
  folder_lib.check(folder, study)  # The same study again.
  for run, expected in zip(study.runs, ARGUMENTS, strict=True):
    spec = json.loads(json.dumps(jobs[run.name]))
    found = settings_lib.resolve(spec['config']).environment_options
    assert repr(found['arguments']) == repr(expected)
    assert repr(given(commands.words(run.overrides), monkeypatch)) == repr(
      expected
    )


def test_reports_keep_them_apart(tmp_path):
  study = build(tmp_path, ARGUMENTS)
  folder = tmp_path / 's'
  folder_lib.prepare(folder, study, sharing.plan(study))
  recorded = folder_lib.read_study(folder)['runs']
  settings = [
    results.setting_of(recorded[run.name]['axes']) for run in study.runs
  ]
  assert len(set(settings)) == len(ARGUMENTS)


def test_what_cannot_be_an_argument_is_refused_before_any_run(tmp_path):
  config = settings_lib.default_config('dqn', NAME)
  for value in (np.int64(3), {3}, {(1, 2): 3}):
    (overrides,) = h.sweep('environment.arguments', [(value,)])
    with pytest.raises(UserError, match=r'config.environment.arguments\[0\]'):
      study_lib._run(config, overrides)


def test_keys_of_every_kind_have_a_text():
  values = [{1: 2}, {'1': 2}, {1.0: 2, 'a': 3}, {None: 2}, {(1, 2): 2}]
  assert len({h.canonical(value) for value in values}) == len(values)
  assert h.canonical({'b': (1,), 'a': 2}) == '{"a": 2, "b": [1]}'
