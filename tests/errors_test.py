"""The commands that messages give work where the package is."""

import pytest

from plasticity_rl import errors


@pytest.mark.parametrize(
  'extra, expected',
  [
    ('', 'pip install -e .'),
    ('atari', "pip install -e '.[atari]'"),
  ],
)
def test_in_a_checkout_its_folder_is_installed(
  tmp_path, monkeypatch, extra, expected
):
  (tmp_path / 'setup.py').write_text('')
  monkeypatch.chdir(tmp_path)
  assert errors.install_command(extra, root=tmp_path) == expected


def test_outside_of_the_checkout_its_folder_is_named(tmp_path):
  root = tmp_path / 'my code'
  root.mkdir()
  (root / 'setup.py').write_text('')
  expected = f"pip install -e '{root}[dmc]'"
  assert errors.install_command('dmc', root=root) == expected


@pytest.mark.parametrize(
  'extra, expected',
  [
    ('', 'pip install plasticity_rl'),
    ('atari', "pip install 'plasticity_rl[atari]'"),
  ],
)
def test_where_a_wheel_is_installed_its_name_is_enough(
  tmp_path, extra, expected
):
  assert errors.install_command(extra, root=tmp_path) == expected
