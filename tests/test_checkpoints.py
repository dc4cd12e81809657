"""The command `checkpoints`, and a diagnosis of what it lists."""

import json

import pytest

from plasticity_rl.aged import names
from plasticity_rl.aged import store
from tests.run import commands


@pytest.fixture(autouse=True)
def fixture_home(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def test_a_list_with_digests_and_origins():
  result = commands.call('checkpoints')
  assert result.code == 0 and not result.err
  for name in names.ABOUT:
    (line,) = [x for x in result.out.splitlines() if x.startswith(f'{name}: ')]
    one = store.find(name)
    if one is None:
      assert 'not made yet' in line
    else:
      assert f'verified, {one.path.stat().st_size / 1e6:.2f} MB' in line
      assert one.origin() in result.out


def test_a_changed_file_is_shown_as_such(tmp_path, monkeypatch):
  folder = tmp_path / 'shipped'
  folder.mkdir()
  store.put(folder, 'catch_12', sha256='0', step=1, seeds=1, made_by={})
  (folder / 'catch_12.zip').write_text('x')
  monkeypatch.setattr(store, 'SHIPPED', folder)
  assert 'catch_12: HAS CHANGED' in commands.call('checkpoints').out


@pytest.mark.parametrize(
  'words, message',
  (
    (['mkae'], "unknown word 'mkae'; did you mean 'make'? valid: make"),
    (['make'], 'valid: all, catch_12, labels_20'),
    (['make', 'catch'], "unknown checkpoint 'catch'; did you mean 'catch_12'"),
    (['make', 'catch_12', 'labels_20'], 'unknown checkpoint'),
    (['--out=x'], '--out goes with make'),
  ),
)
def test_bad_words(words, message):
  result = commands.call('checkpoints', *words)
  assert (result.code, result.out) == (2, '')
  assert result.err.startswith('error: ') and result.err.count('\n') == 1
  assert message in result.err


def test_what_is_there_is_not_made_again():
  result = commands.call('checkpoints', 'make', 'catch_12')
  assert result.code == 0
  assert result.out.startswith('catch_12: there already, and verified: ')


@pytest.mark.parametrize(
  'name, message',
  (
    ('catch_13', "unknown checkpoint 'catch_13'; did you mean 'catch_12'"),
    ('space_invaders_400k', 'checkpoints make space_invaders_400k` makes it'),
  ),
)
def test_a_diagnosis_of_none(tmp_path, name, message):
  result = commands.call(
    'diagnose', f'--from=checkpoint:{name}', f'--workdir={tmp_path / "out"}'
  )
  assert (result.code, result.out) == (2, '')
  assert result.err.startswith('error: ') and result.err.count('\n') == 1
  assert message in result.err
  assert not (tmp_path / 'out').exists()


@pytest.mark.slow
def test_a_fork_of_a_shipped_one(tmp_path):
  """The smallest one, for a whole task: it is over in seconds."""
  arguments = (
    'diagnose',
    '--from=checkpoint:labels_20',
    f'--workdir={tmp_path / "out"}',
    "--config.fork.arms=('control','injection')",
  )
  result = commands.call(*arguments)
  assert result.code == 0, result.err
  found = json.loads((tmp_path / 'out' / 'verdict.json').read_text())
  assert (found['verdict'], found['seeds']) == ('losing plasticity', 6)
  fork = json.loads(
    (tmp_path / 'out' / 'arms' / 'control' / 'fork.json').read_text()
  )
  assert (fork['source'], fork['step']) == ('labels_20', 10_000)
  # The same command again finds all there, and says the same.
  assert commands.call(*arguments).out == result.out
