"""What imports what: the rooms, the weight of the core, the commands' help."""

import ast
import graphlib
import importlib.metadata
import json
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / 'plasticity_rl'

# A room imports itself and rooms before it. `cli` is what commands share.
ROOMS = (
  'aliases',
  'errors',
  'paths',
  'diagnosis_folder',
  'configs',
  'config_files',
  'compilation_cache',
  'output',
  'process',
  'revision',
  'shard',
  'weight_norm',
  'sphere',
  'layers',
  'types',
  'environments',
  'settings',
  'distributed',
  'split',
  'checks',
  'measures',
  'injection',
  'losses',
  'methods',
  'networks',
  'diagnostics',
  'interventions',
  'agents',
  'learner',
  'replay',
  'training',
  'run',
  'aged',
  'forks',
  'videos',
  'analysis',
  'api',
  'cli',
  'train',
  'report',
  'verdict',
  'diagnose',
  'checkpoints',
  'watch',
  'doctor',
  'launch',
  '__main__',
)
MAX_LINES = 400


def _module_name(path: pathlib.Path) -> str:
  parts = path.relative_to(ROOT).with_suffix('').parts
  return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


FILES = {_module_name(path): path for path in sorted(PACKAGE.rglob('*.py'))}


def _commands() -> list[str]:
  """Modules that can be run, and that have come to exist."""
  paths = [
    PACKAGE / f'{n}.py'
    for n in ('train', 'diagnose', 'report', 'verdict', 'checkpoints', 'watch')
  ]
  paths += [PACKAGE / 'doctor.py', *sorted((ROOT / 'launch').glob('*.py'))]
  return [
    _module_name(path)
    for path in paths
    if path.exists() and "__name__ == '__main__'" in path.read_text()
  ]


def _is_for_type_checking(node: ast.AST) -> bool:
  return isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.dump(node.test)


def _imports(name: str, *, at_import: bool = False) -> Iterator[str]:
  """Absolute names of modules that a module of ours imports.

  Args:
    name: the module.
    at_import: leave out imports inside functions and for type checking.

  Yields:
    Module names; for `from a import b`, `a.b` if that is a module of ours.
  """
  todo = [ast.parse(FILES[name].read_text())]
  while todo:
    node = todo.pop()
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      base = node.module or ''
      if node.level:
        package = name.split('.')
        keep = len(package) - node.level
        keep += FILES[name].name == '__init__.py'
        base = '.'.join(package[:keep] + ([base] if base else []))
      for alias in node.names:
        full = f'{base}.{alias.name}'
        yield full if full in FILES else base
    elif at_import and (
      isinstance(node, ast.FunctionDef) or _is_for_type_checking(node)
    ):
      continue
    todo.extend(ast.iter_child_nodes(node))


def _room(module: str) -> str:
  parts = module.split('.')
  return parts[1] if len(parts) > 1 else ''


def _run(*arguments: str) -> subprocess.CompletedProcess:
  return subprocess.run(
    [sys.executable, *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
  )


def test_every_room_has_its_place_in_the_order():
  rooms = {_room(name) for name in FILES} - {''}
  assert rooms <= set(ROOMS)


@pytest.mark.parametrize('name', FILES)
def test_a_room_imports_only_rooms_before_it(name):
  if name == 'plasticity_rl':  # Its names are the package's face.
    allowed = set(ROOMS)
  else:
    allowed = set(ROOMS[: ROOMS.index(_room(name)) + 1])
  wrong = [
    target
    for target in _imports(name)
    if target.split('.')[0] == 'plasticity_rl'
    and _room(target) not in allowed | {''}
  ]
  assert not wrong


def test_regularizers_import_no_intervention():
  """Their room may, since the learner runs some after an update."""
  names = [n for n in FILES if '.learner.regularizers' in n]
  assert names
  for name in names:
    assert 'interventions' not in {_room(target) for target in _imports(name)}


def test_no_module_imports_itself_by_a_detour():
  graph = {
    name: {
      target for target in _imports(name, at_import=True) if target in FILES
    }
    for name in FILES
  }
  # Raises CycleError, which names the modules of the cycle.
  graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize('name', FILES)
def test_haiku_is_imported_by_networks_alone(name):
  if _room(name) != 'networks':
    assert 'haiku' not in {t.split('.')[0] for t in _imports(name)}


@pytest.mark.parametrize('name', FILES)
def test_a_file_can_be_read_in_one_sitting(name):
  lines = FILES[name].read_text().count('\n')
  assert lines <= MAX_LINES


@pytest.mark.skipif(
  'plasticity_rl.injection' not in FILES, reason='not written yet'
)
def test_the_core_needs_jax_and_optax_only():
  code = """
import json, sys
import jax, jax.numpy, optax
roots = lambda: {name.split('.')[0] for name in sys.modules}
before = roots()
import plasticity_rl.injection
print(json.dumps(sorted(roots() - before - sys.stdlib_module_names)))
"""
  result = _run('-c', code)
  assert result.returncode == 0, result.stderr
  assert json.loads(result.stdout) == ['plasticity_rl']


@pytest.mark.parametrize('command', _commands())
def test_help_succeeds_without_jax(command):
  result = _run('-X', 'importtime', '-m', command, '--help')
  assert result.returncode == 0, result.stderr[-2000:]
  assert command.rsplit('.', maxsplit=1)[-1] in result.stdout + result.stderr
  # Lines of importtime are: self [us] | cumulative | imported package.
  imported = set(re.findall(r'\| +\d+ \| +([\w.]+)$', result.stderr, re.M))
  assert 'argparse' in imported or 'absl' in imported  # The trace was read.
  assert not imported & {'jax', 'jaxlib', 'haiku', 'matplotlib', 'scipy'}


def _requirements() -> dict[str, str]:
  """What setup.py asks for, base and extras: name -> bounds."""
  found = {}
  for line in importlib.metadata.requires('plasticity_rl'):
    # An extra of another package, such as jax[tpu], is a bound on it.
    name, bounds = re.match(r'([\w.-]+)(?:\[.*?\])?\s*([^;]*)', line).groups()
    found[_canonical(name)] = bounds.strip()
  return found


def _canonical(name: str) -> str:
  return re.sub('[-_.]+', '-', name).lower()


def _pins(name: str) -> dict[str, str]:
  lines = (ROOT / 'constraints' / name).read_text().splitlines()
  pairs = [x.split('==') for x in lines if x and not x.startswith('#')]
  return {_canonical(package): version for package, version in pairs}


def test_every_requirement_has_two_bounds():
  for name, bounds in _requirements().items():
    signs = {re.match('[<>=]+', part).group() for part in bounds.split(',')}
    assert signs == {'>=', '<'}, name


def test_the_lowest_versions_are_the_lower_bounds():
  lower = {
    name: re.search('>=([^,]+)', bounds).group(1)
    for name, bounds in _requirements().items()
  }
  assert _pins('lowest.txt') == lower


@pytest.mark.parametrize('name', ['py311.txt', 'py312.txt'])
def test_every_requirement_is_pinned(name):
  assert set(_requirements()) <= set(_pins(name))
