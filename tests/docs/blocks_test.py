"""Every block of code in the pages that people read."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys

import pytest

from plasticity_rl import __main__ as command
from tests.docs import pages

BLOCKS = pages.blocks()
PYTHON = [block for block in BLOCKS if block.language == 'python']
SHELL = [block for block in BLOCKS if block.language == 'sh']
# Needs PyTorch, which nothing here needs; `fork_page_test` runs it.
ELSEWHERE = 'from torch import'
# What only needs to be there on the reader's machine.
THEIRS = ('apt-get',)


def test_there_are_blocks_of_every_page_that_shows_how():
  shown = {block.page for block in PYTHON}
  assert {
    'README.md',
    'docs/use_in_your_agent.md',
    'docs/own_method.md',
    'docs/environments.md',
    'docs/launching.md',
  } <= shown
  assert len(SHELL) > 20


@pytest.mark.parametrize('block', BLOCKS, ids=[b.id for b in BLOCKS])
def test_every_block_says_what_it_is(block):
  """One without a language would not be tested."""
  assert block.language in ('python', 'sh', 'text')


@pytest.mark.parametrize('block', PYTHON, ids=[b.id for b in PYTHON])
def test_python_runs_as_it_stands(block, tmp_path, monkeypatch):
  code = compile(block.text, block.page, 'exec')
  if ELSEWHERE not in block.text:
    monkeypatch.chdir(tmp_path)
    exec(code, {'__name__': block.page})


def _module(words):
  """The words after `python -m` of a command of ours, else None."""
  if words[0] == 'srun':
    words = words[next(i for i, w in enumerate(words) if w[0] != '-' and i) :]
  if words[:2] == ['python', '-m']:
    return words[2:]
  if words[0] != 'plasticity-rl':
    return None
  if words[1] == 'launch':
    module, rest = command._ENGINES[words[2]][0], words[3:]
  else:
    module, rest = command._COMMANDS[words[1]][0], words[2:]
  return [
    module if module.startswith('launch') else f'plasticity_rl.{module}',
    *rest,
  ]


@pytest.mark.slow
def test_command_lines_of_ours_are_accepted(tmp_path):
  """Flags are parsed, and configs load; nothing is trained."""
  lines = [_module(w) for block in SHELL for w in pages.commands(block)]
  for folder in ('configs', 'launch'):
    (tmp_path / folder).symlink_to(pages.ROOT / folder)
  result = subprocess.run(
    [sys.executable, '-m', 'tests.docs.command_lines'],
    input=''.join(json.dumps(line) + '\n' for line in lines if line),
    cwd=tmp_path,
    env={**os.environ, 'PYTHONPATH': str(pages.ROOT)},
    capture_output=True,
    text=True,
  )
  assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


@pytest.mark.parametrize('block', SHELL, ids=[b.id for b in SHELL])
def test_other_commands_are_there(block):
  targets = re.findall(
    r'^([\w-]+):', (pages.ROOT / 'Makefile').read_text(), re.M
  )
  extras = importlib.metadata.metadata('plasticity_rl').get_all(
    'Provides-Extra'
  )
  for words in pages.commands(block):
    if words[0] == 'make':
      assert all('=' in word or word in targets for word in words[1:]), words
    elif words[:2] == ['pip', 'install']:
      for named in re.findall(r'\[(.*?)\]', words[-1]):
        assert set(named.split(',')) <= {*extras}, words
    else:
      assert _module(words) or words[0] in THEIRS, words
