"""Paths that no file can have are refused, all others are left alone."""

import os
import pathlib

import pytest

from plasticity_rl import paths
from plasticity_rl.errors import UserError


@pytest.mark.parametrize(
  'path, message',
  (
    ('', "--workdir must be a path: ''"),
    ('a\0b', '--workdir must be a path'),
    ('x/' + 'a' * 256, '--workdir has a name of 256 bytes'),
    # Bytes count, not letters.
    ('\u00e9' * 128, '--workdir has a name of 256 bytes'),
    ('a/' * 2000, '--workdir must be a path of at most 3796 bytes'),
  ),
)
def test_no_file_can_have_it(path, message):
  with pytest.raises(UserError, match='^' + message) as caught:
    paths.given('--workdir', path)
  assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
  'path', ('a' * 255, 'new/b', '/dev/null/x', '.', 'a\nb', '\u00e9' * 127)
)
def test_what_need_not_exist_is_taken(path):
  assert paths.given('--workdir', path) == pathlib.Path(path)
  assert paths.given('--workdir', pathlib.Path(path)) == pathlib.Path(path)


def test_what_the_system_does_not_show(monkeypatch):
  def refuse(self, **_):
    raise PermissionError(13, 'Permission denied', os.fspath(self))

  with monkeypatch.context() as patch:
    patch.setattr(pathlib.Path, 'stat', refuse)
    with pytest.raises(UserError, match='--from: cannot look at .*Permission'):
      paths.given('--from', 'secret/run')
