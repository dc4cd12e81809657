"""The notebooks run, and keep what they showed."""

import pathlib
import re

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What the cell of parameters says in a test.
NOTEBOOKS = {
  'diagnose_catch': "VARIANT = 'tiny'",
  'inject_into_flax': 'SEEDS, TASKS, STEPS = 2, 1, 60',
}


def read(name):
  return nbformat.read(ROOT / 'notebooks' / f'{name}.ipynb', as_version=4)


def code(notebook):
  return [cell for cell in notebook.cells if cell.cell_type == 'code']


def printed(notebook):
  """All that the cells of a notebook have printed."""
  outputs = [output for cell in code(notebook) for output in cell.outputs]
  return ''.join(o.text for o in outputs if o.output_type == 'stream')


def test_every_notebook_is_run():
  names = {path.stem for path in (ROOT / 'notebooks').glob('*.ipynb')}
  assert names == {*NOTEBOOKS}


@pytest.mark.slow
@pytest.mark.parametrize('name', NOTEBOOKS)
def test_a_notebook_runs(name, tmp_path):
  notebook = read(name)
  (cell,) = (
    c for c in notebook.cells if 'parameters' in c.metadata.get('tags', ())
  )
  assert cell.source.split(' = ')[0] == NOTEBOOKS[name].split(' = ')[0]
  cell.source = NOTEBOOKS[name]
  nbclient.NotebookClient(
    notebook,
    kernel_name='python3',
    resources={'metadata': {'path': str(tmp_path)}},
    timeout=300,
  ).execute()
  text = printed(notebook)
  assert 'Undecided' in text and 'injection' in text
  assert 'predictions are the same: False' not in text


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_what_is_kept_is_small_and_whole(name):
  path = ROOT / 'notebooks' / f'{name}.ipynb'
  assert path.stat().st_size < 80_000
  cells = code(read(name))
  # Each cell ran once, one after the other, and none failed.
  assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
  assert not any(
    output.output_type == 'error' or output.get('name') == 'stderr'
    for cell in cells
    for output in cell.outputs
  )
  assert re.search('losing plasticity: .* seeds', printed(read(name)))


@pytest.mark.parametrize('name', NOTEBOOKS)
def test_the_first_cell_installs(name):
  assert '%pip install' in code(read(name))[0].source
