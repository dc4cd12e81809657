"""The file of a talk."""

import pytest

from plasticity_rl.analysis.study import cases
from plasticity_rl.analysis.study import talk as talks
from plasticity_rl.errors import UserError
from tests.analysis.study import made

FILE = '''"""Is it so?

More.
"""
PARTS = ('one', 'two', 'three')
'''


@pytest.fixture(name='source')
def fixture_source(tmp_path):
  path = tmp_path / 'talk.py'
  path.write_text(FILE)
  return str(path)


def test_parts_in_order_with_the_variant_of_the_talk(source):
  talk = talks.read(f'{source}:small')
  assert talk.title == 'Is it so?' and talk.source == f'{source}:small'
  folder = source.removesuffix('.py') + '_parts'
  assert talk.parts == {
    name: f'{folder}/{name}.py:small' for name in ('one', 'two', 'three')
  }
  assert talk.chosen == ('one', 'two', 'three') and talk.cases == ()


def test_some_parts_alone(source):
  """They are of the same talk: the folder's source does not name them."""
  talk = talks.read(f'{source}:three,small,one')
  assert talk.chosen == ('one', 'three')
  assert talk.source == f'{source}:small' and len(talk.parts) == 3
  config = talks.config(('one', 'two'), 'two,tiny')
  assert config.parts == ('two',) and config.variant == 'tiny'
  config.parts = ('one',)  # As the command line may.
  assert talks.read(source, config).chosen == ('one',)


def test_the_name_of_an_installed_talk():
  assert talks.part_source('studies/talk', 'a', 'x') == 'studies/talk_parts/a:x'
  talk = talks.read('studies/talk:tiny')
  from launch import study as study_lib

  for source in talk.parts.values():
    assert study_lib.load(source).CLAIMS


@pytest.mark.parametrize(
  'parts', ('()', '["one"]', '("one", "one")', '("one", 2)', 'None')
)
def test_parts_that_are_none(source, parts):
  with open(source, 'w') as file:
    file.write(f'PARTS = {parts}')
  with pytest.raises(UserError, match='PARTS is a tuple of unlike names'):
    talks.read(source)


def test_a_part_that_is_not_there(source):
  with pytest.raises(UserError, match="unknown part 'on'; did you mean 'one'"):
    talks.read(source, talks.config(('on',), ''))


def test_a_case_is_one_place():
  study = made.study(
    made.sample('injection', [1.0], rate=1),
    made.sample('control', [1.0], rate=1),
    made.sample('control', [2.0], rate=2),
  )

  def samples(**facts):
    return cases.samples(
      talks.Case('lost', part='p', claim='c', **facts), study
    )

  assert [*samples(at={'rate': 1})] == ['control', 'injection']
  assert [*samples(at={'rate': 1}, arms=('injection',))] == ['injection']
  for facts, message in (
    ({}, "case 'lost': 2 places of part 'p' agree"),
    ({'at': {'rate': 3}}, '0 places'),
    ({'at': {'rate': 2}, 'arms': ('injection',)}, "unknown arm 'injection'"),
  ):
    with pytest.raises(UserError, match=message):
      samples(**facts)
