"""Files of a checkpoint: damage is noticed and named."""

import json

import pytest

from plasticity_rl.errors import UserError
from tests.run.checkpoints import GROWN
from tests.run.checkpoints import folder_of
from tests.run.checkpoints import state_of
from tests.training import small


def largest_file(folder):
  files = [p for p in folder.rglob('*') if p.is_file()]
  return max(files, key=lambda p: p.stat().st_size)


def flip_a_byte(folder):
  path = largest_file(folder / 'arrays')
  data = bytearray(path.read_bytes())
  data[len(data) // 2] ^= 1
  path.write_bytes(data)
  return f'{path.relative_to(folder)} has changed'


def truncate(folder):
  path = largest_file(folder / 'arrays')
  path.write_bytes(path.read_bytes()[:-1])
  return f'{path.relative_to(folder)} has changed'


def lose_a_file(folder):
  path = largest_file(folder / 'arrays')
  path.unlink()
  return f'{path.relative_to(folder)} is missing'


def change_the_metadata(folder):
  meta = json.loads((folder / 'meta.json').read_text())
  (folder / 'meta.json').write_text(json.dumps({**meta, 'step': 21}))
  return 'meta.json has changed'


def lose_the_manifest(folder):
  (folder / 'manifest.json').unlink()
  return 'no readable manifest.json'


def halve_the_manifest(folder):
  path = folder / 'manifest.json'
  path.write_text(path.read_text()[:40])
  return 'no readable manifest.json'


@pytest.mark.parametrize(
  'damage',
  (
    flip_a_byte,
    truncate,
    lose_a_file,
    change_the_metadata,
    lose_the_manifest,
    halve_the_manifest,
  ),
)
def test_damage_is_named_and_the_one_before_is_used(
  tmp_path, checkpoints, warnings, damage
):
  assert checkpoints.newest() == 20
  assert not warnings
  problem = damage(folder_of(tmp_path, 20))
  assert checkpoints.newest() == 10
  assert len(warnings) == 1
  assert f'step 20 in {tmp_path}' in warnings[0]
  assert problem in warnings[0]
  with pytest.raises(UserError) as caught:
    checkpoints.restore(20, GROWN)
  assert problem in str(caught.value)
  back, _ = checkpoints.restore(10, GROWN)
  small.assert_equal(back, state_of(10 / 3))


def test_all_damaged_is_refused(tmp_path, checkpoints, warnings):
  for step in (10, 20):
    lose_the_manifest(folder_of(tmp_path, step))
  with pytest.raises(UserError, match='every checkpoint in .* is damaged'):
    checkpoints.newest()
  assert len(warnings) == 2
