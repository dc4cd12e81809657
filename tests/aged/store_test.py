"""Aged checkpoints: packed, verified, found by name, forked, made again."""

import dataclasses
import json
import pathlib
import shutil

import pytest

from plasticity_rl import settings as settings_lib
from plasticity_rl.aged import archive
from plasticity_rl.aged import making
from plasticity_rl.aged import names
from plasticity_rl.aged import store
from plasticity_rl.configs import aged
from plasticity_rl.errors import UserError
from plasticity_rl.forks import diagnosis
from plasticity_rl.run import run_folder
from plasticity_rl.run.checkpoint import Checkpoints
from tests.run import commands
from tests.training import small

MEGABYTE = 10**6
NAME = 'catch_12'


@pytest.fixture(name='home', autouse=True)
def fixture_home(tmp_path_factory, monkeypatch):
  """The user's folder of checkpoints, empty."""
  cache = tmp_path_factory.mktemp('cache')
  monkeypatch.setenv('XDG_CACHE_HOME', str(cache))
  return cache / 'plasticity_rl' / 'checkpoints'


@pytest.fixture(name='made', scope='module')
def fixture_made(tmp_path_factory):
  """A folder with a checkpoint of a tiny run, called `catch_12`."""
  folder = tmp_path_factory.mktemp('made')
  config = settings_lib.to_dict(small.dqn())
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(aged, 'get_config', lambda name: config)
    patch.chdir(folder.parent)
    one = making.make(NAME, pathlib.Path(folder.name))
  assert (one.step, one.seeds) == (80, 2)
  assert sorted(p.name for p in folder.iterdir()) == [
    f'{NAME}.zip',
    store.INDEX,
  ]
  return folder


@pytest.fixture(name='only')
def fixture_only(home, made, monkeypatch, tmp_path):
  """The folder of the only checkpoint that there is, of this user."""
  monkeypatch.setattr(store, 'SHIPPED', tmp_path / 'none')
  shutil.copytree(made, home)
  return home


def refusal(text=f'{store.PREFIX}{NAME}'):
  with pytest.raises(UserError) as error:
    store.source('--from', text)
  return str(error.value)


def test_unpacked_it_is_the_run_to_the_bit(tmp_path, only):
  experiment = small.build(small.dqn())
  whole = small.run(experiment, tmp_path / 'run')
  source = store.source('--from', f'{store.PREFIX}{NAME}')
  assert source.name == NAME
  assert small.metrics(source) == small.metrics(whole)
  small.assert_equal(
    small.saved(experiment, source, 80), small.saved(experiment, whole, 80)
  )
  # Once a process.
  assert store.source('--from', f'{store.PREFIX}{NAME}') == source


def test_a_path_stays_a_path(tmp_path):
  assert store.source('--from', str(tmp_path)) == tmp_path
  assert store.source('source', tmp_path) == tmp_path


def test_an_unknown_name():
  line = refusal('checkpoint:catch_13')
  assert "unknown checkpoint 'catch_13'; did you mean 'catch_12'" in line
  assert all(name in line for name in names.ABOUT)


def test_one_that_was_not_made(monkeypatch, tmp_path):
  monkeypatch.setattr(store, 'SHIPPED', tmp_path)
  assert f'`plasticity-rl checkpoints make {NAME}` makes it' in refusal()


def test_an_altered_file(only):
  path = only / f'{NAME}.zip'
  raw = bytearray(path.read_bytes())
  raw[len(raw) // 2] ^= 1
  path.write_bytes(raw)
  assert f'{path} has changed since it was made' in refusal()
  path.unlink()
  assert f'{path} is missing' in refusal()


@pytest.mark.parametrize('text', ('{', '[]', '{"catch_12": {"step": 3}}'))
def test_a_damaged_index(only, text):
  (only / store.INDEX).write_text(text)
  assert f'{only / store.INDEX} is damaged' in refusal()


def test_an_intact_one_comes_before_one_that_is_not(
  home, only, made, monkeypatch, tmp_path
):
  shipped = tmp_path / 'shipped'
  shutil.copytree(made, shipped)
  monkeypatch.setattr(store, 'SHIPPED', shipped)
  assert store.find(NAME).path.parent == shipped
  (shipped / f'{NAME}.zip').write_bytes(b'')
  assert store.find(NAME).path.parent == home


def test_another_structure_is_refused(tmp_path, only):
  """Such as after a change of the package: the digest is right all the same."""
  run = tmp_path / 'run'
  shutil.copytree(store.source('--from', f'{store.PREFIX}{NAME}'), run)
  recorded = json.loads((run / run_folder.CONFIG).read_text())
  recorded['config']['network']['hidden'] = [16]
  (run / run_folder.CONFIG).write_text(json.dumps(recorded))
  digest = archive.pack(run, Checkpoints(run).path(80), only / f'{NAME}.zip')
  facts = dataclasses.asdict(store.find(NAME)) | {'sha256': digest}
  del facts['name'], facts['path']
  store.put(only, NAME, **facts)
  result = commands.call(
    'diagnose', f'--from=checkpoint:{NAME}', f'--workdir={tmp_path / "out"}'
  )
  assert result.code == 2 and result.err.count('\n') == 1
  assert 'is of another agent or config' in result.err


def test_what_made_it_is_recorded(made):
  one = store.read_index(made)[NAME]
  assert set(one.made_by) == {'plasticity_rl', 'jax', 'python', 'commit'}
  assert f'jax {one.made_by["jax"]}' in one.origin()


def test_the_shipped_ones():
  shipped = store.read_index(store.SHIPPED)
  assert {NAME, 'labels_20', 'pendulum_32'} <= {*shipped} <= {*names.ABOUT}
  assert {p.name for p in store.SHIPPED.iterdir()} == {
    store.INDEX,
    *(f'{name}.zip' for name in shipped),
  }
  for one in shipped.values():
    assert not one.problem()
    assert one.path.stat().st_size < 2 * MEGABYTE
    assert '(changed)' not in one.made_by['commit']


@pytest.mark.parametrize('name', (NAME, 'labels_20', 'pendulum_32'))
def test_a_shipped_one_is_of_its_config_and_can_be_forked(name):
  """Shapes alone: nothing is run."""
  settings = settings_lib.resolve(aged.get_config(name))
  source = store.source('--from', f'{store.PREFIX}{name}')
  plan = diagnosis.plan(settings, source)
  assert plan.step == settings.num_steps
  assert settings.num_seeds >= 6  # Below, no loss can be shown.


def test_every_config_can_be_made():
  for name in names.ABOUT:
    settings_lib.resolve(aged.get_config(name))
  with pytest.raises(UserError, match="unknown checkpoint 'x'"):
    aged.get_config('x')
