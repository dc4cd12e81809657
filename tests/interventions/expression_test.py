"""Interventions as text: what is read, and what is refused in a line."""

import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression


def test_what_is_read():
  found = expression.parse(' a.b = reset(scope="head", at_steps=(1, 2)) ')
  assert (found.label, found.name) == ('a.b', 'reset')
  assert found.options == {'scope': 'head'}
  assert found.triggers == {'at_steps': (1, 2)}
  assert found.text == "reset(scope='head')"


def test_settings_are_taken_out_of_the_options():
  found = expression.parse('redo(tau=0, every_updates=5, settings={"a.b": 1})')
  assert found.settings == {'a.b': 1} and found.options == {'tau': 0}
  assert found.scheduled == 'redo(tau=0, every_updates=5)'
  assert found.source == "redo(tau=0, every_updates=5, settings={'a.b': 1})"
  assert expression.parse('redo').settings == {}


@pytest.mark.parametrize(
  'text, message',
  (
    ('reset(settings={})', 'settings are {"section.key": value}, not {}'),
    ('reset(settings={1: 2})', 'settings are .*, not {1: 2}'),
    ('reset(settings=("a.b", 1))', 'settings are .*, not '),
    ('reset("head")', 'options are given by name'),
    # Python's parser lets these pass.
    ('reset(scope="head", scope="last")', 'scope is there twice'),
    ('injection(at_steps=10, at_steps=20)', 'at_steps is there twice'),
    ('reset(**{"scope": "head"})', 'options are given by name'),
    ('reset(scope={[]: 1})', 'unhashable'),
    ('..=reset', "'..' cannot name a folder"),
  ),
)
def test_what_is_refused(text, message):
  with pytest.raises(UserError, match=message):
    expression.parse(text)


def test_a_label_names_a_folder_and_is_not_longer():
  assert expression.parse(f'{"a" * 100}=injection').label == 'a' * 100
  with pytest.raises(UserError, match='has 101 letters, of which 100 are'):
    expression.parse(f'{"a" * 101}=injection')
