"""What was decided beforehand, in a repository of its own."""

import subprocess

import pytest

from plasticity_rl import revision
from plasticity_rl.analysis.study import decided


@pytest.fixture(name='path')
def fixture_path(tmp_path, monkeypatch):
  monkeypatch.setenv('GIT_CONFIG_GLOBAL', '/dev/null')
  path = tmp_path / 'part.py'
  path.write_text('one')
  git(path, 'init', '--quiet')
  commit(path)
  return path


def git(path, *words):
  done = subprocess.run(
    ['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *words],
    cwd=path.parent,
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout.strip()


def commit(path, name='part.py'):
  git(path, 'add', name)
  git(path, 'commit', '--quiet', '-m', 'x')
  return git(path, 'rev-parse', 'HEAD')


def test_a_file_that_stayed_as_it_was(path):
  stamp = decided.stamp(path, ['a'])
  found = decided.compare(stamp, path, ['a'])
  assert found.doubts == ()
  assert (
    found.commit.revision == stamp['commit'] == git(path, 'rev-parse', 'HEAD')
  )
  # A later commit of another file is none of this file.
  (path.parent / 'other.py').write_text('')
  later = commit(path, 'other.py')
  assert decided.compare(stamp, path, ['a']).commit.revision != later


def test_a_claim_that_was_changed_after_the_runs_began(path):
  stamp = decided.stamp(path, ['a'])
  path.write_text('two')
  [doubt] = decided.compare(stamp, path, ['b']).doubts
  assert doubt == 'its claims were changed after its runs began'
  assert decided.compare(stamp, path, ['b']).commit is None
  commit(path)
  found = decided.compare(stamp, path, ['b'])
  assert found.doubts == (doubt,)  # Committing it is no excuse.
  assert found.commit.revision == git(path, 'rev-parse', 'HEAD')


def test_a_file_that_was_changed_but_for_its_claims(path):
  stamp = decided.stamp(path, ['a'])
  path.write_text('two')
  [doubt] = decided.compare(stamp, path, ['a']).doubts
  assert 'but no claim' in doubt


def test_a_file_that_was_not_committed(path):
  path.write_text('two')
  stamp = decided.stamp(path, ['a'])
  commit(path)
  [doubt] = decided.compare(stamp, path, ['a']).doubts
  assert 'not committed when its runs began' in doubt


def test_runs_without_a_stamp(path):
  [doubt] = decided.compare(None, path, ['a']).doubts
  assert doubt == 'its runs began before it had claims'


def test_a_file_that_git_does_not_know(tmp_path):
  path = tmp_path / 'x.py'
  path.write_text('')
  assert revision.of_file(path) is None
