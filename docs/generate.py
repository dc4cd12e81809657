"""Pages of the site that are made: from docstrings, and from results/.

The docstrings are the documentation: they state equation, defaults, source and
deviations, and are read where the code is changed. Here is only what a page
puts around them; Sphinx's autodoc shows them. `docs/stage.py` writes the pages.
"""

import functools
import inspect
import pathlib
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import plasticity_rl as pl
from plasticity_rl.agents.sam import sam
from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.interventions import registry as interventions
from plasticity_rl.learner.adam_per_weight import scale_by_adam_per_weight
from plasticity_rl.learner.muon import scale_by_muon
from plasticity_rl.learner.regularizers import registry as regularizers
from plasticity_rl.learner.trac import scale_by_trac
from plasticity_rl.learner.upgd import scale_by_upgd
from plasticity_rl.networks.crelu import crelu
from plasticity_rl.networks.fourier import fourier
from plasticity_rl.networks.hyperspherical import spherical_block
from plasticity_rl.networks.layer_norm import layer_norm
from plasticity_rl.networks.multi_skip import multi_skip
from plasticity_rl.networks.simba import residual_block
from plasticity_rl.weight_norm import weight_normalization

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / 'results'
KINDS = {
  'Interventions': interventions.REGISTRY,
  'Diagnostics': diagnostics.REGISTRY,
  'Regularizers': regularizers.REGISTRY,
  'Architectures': {
    f.__name__: f
    for f in (
      crelu,
      fourier,
      layer_norm,
      multi_skip,
      residual_block,
      spherical_block,
      weight_normalization,
    )
  },
  'Optimizers': {
    f.__name__: f
    for f in (
      sam,
      scale_by_adam_per_weight,
      scale_by_muon,
      scale_by_trac,
      scale_by_upgd,
    )
  },
}

# Where the pages of a kind are.
FOLDERS = {kind: 'methods' for kind in KINDS} | {'Diagnostics': 'measures'}

# Files of results/ that are no pages.
NOTES = ('EXPLORED.md', 'NOTES.md')
# The results, by what they are about.
FINDINGS = {
  'What was found': (
    'talk/README',
    'continual_catch/README',
    'when_to_inject/README',
    'injection_over_games/README',
    'fire_vs_injection/README',
    'methods/README',
    'methods/continual_catch',
    'methods/random_labels',
    'methods/continual_control',
    'simba_vs_sac/README',
    'proxies_continual_catch/README',
    'proxies_random_labels/README',
    'priming/README',
    'illustration/README',
  ),
  'Can the verdict be trusted?': (
    'calibration',
    'null',
    'verdict_rules/README',
    'mutants',
    'durability',
    'boundaries',
    'every_environment',
  ),
  'Do the agents learn?': (
    'control/README',
    'sac_dmc/README',
    'dqn/README',
    'drq/README',
  ),
  'What does it cost?': (
    'time_to_verdict',
    'train_speed',
    'minatar_speed',
    'sac_update',
    'batching_seeds',
    'diagnostics_cost',
    'logging_cost',
    'environments_speed',
    'replay_speed',
    'device_replay',
    'scaling',
  ),
}

# The public face, a page for each part of it.
FACE = {
  'experiments': (
    'Experiments and verdicts',
    (
      'default_config',
      'train',
      'diagnose',
      'verdict',
      'verdict_of_curves',
      'UserError',
    ),
  ),
  'injection': (
    'Injection',
    ('SplitNetwork', 'inject', 'inject_params', 'masked', 'grouped'),
  ),
  'methods': (
    'Methods on your own network',
    (
      'Layer',
      'declare_layers',
      'redo',
      'regrama',
      'continual_backprop',
      'self_normalized_resets',
      'continuous_partial_resets',
      'selective_weight_reinitialization',
      'reset_layers',
      'reset_weights',
      'shrink_and_perturb',
      'fire',
    ),
  ),
  'measures': (
    'Measures',
    tuple(f'measures.{name}' for name in pl.measures.__all__),
  ),
  'losses': ('Losses', tuple(f'losses.{name}' for name in pl.losses.__all__)),
}

# What a column `chosen` of results/methods says of a method of config keys.
_BY_KEY = {
  'network.activation = crelu': 'crelu',
  'network.activation = fourier': 'fourier',
  'network.layer_norm = True': 'layer_norm',
  'network.weight_norm = True': 'weight_normalization',
  'network.residual_blocks = 1': 'residual_block',
  'optimizer.name = muon': 'scale_by_muon',
  'optimizer.name = trac': 'scale_by_trac',
  'optimizer.sam_radius': 'sam',
  'optimizer.name = upgd': 'scale_by_upgd',
  'optimizer.name = adam_upgd': 'scale_by_upgd',
}
_SETTINGS = {
  'continual_catch': 'continual Catch',
  'random_labels': 'random labels',
  'continual_control': 'continual control',
}
# Of every intervention and diagnostic: no choice of the user.
_GIVEN = ('spec', 'probe')
_COMMAND = re.compile(
  r'(?:^    |`)((?:taskset -c \d )?(?:python -m|make) [^`\n]+)', re.M
)


def options(function: Callable) -> str:
  """`name(option=default, ...)` as a config would write it, in lines."""
  found = [
    p.name if p.default is p.empty else f'{p.name}={p.default!r}'
    for p in inspect.signature(function).parameters.values()
    if p.name not in _GIVEN
  ]
  name = function.__name__
  return textwrap.fill(
    f'{name}({", ".join(found)})',
    width=70,
    initial_indent='    ',
    subsequent_indent=' ' * (len(name) + 5),
  )


def helpers(function: Callable) -> list[Callable]:
  """What a method is computed by, where the equation may stand."""
  module = inspect.getmodule(function)
  with_pages = {name for registry in KINDS.values() for name in registry}
  return [
    found
    for name, found in inspect.getmembers(module, inspect.isfunction)
    if found.__module__ == function.__module__
    and not name.startswith('_')
    and name not in with_pages
  ]


def _shown(function: Callable) -> list[str]:
  """What autodoc replaces by the docstring of a function."""
  path = f'{function.__module__}.{function.__qualname__}'
  # What the face has is in the index under the name that it has there.
  lines = [f'.. autofunction:: {path}', '   :no-index:']
  return ['```{eval-rst}', *lines, '```', '']


def method_page(function: Callable, rows: list[str]) -> str:
  """The page of one method, Markdown; `rows` is what was measured of it."""
  name = function.__name__
  lines = [f'# {name}', '', options(function), '']
  for shown in (function, *helpers(function)):
    lines += _shown(shown)
  if rows:
    lines += ['## Measured', '', *_HEADER, *rows, '', _READ, '']
  described = {known for _, names in FACE.values() for known in names}
  for own in (name, f'measures.{name}', f'losses.{name}'):
    if own in described:
      link = f'{{py:func}}`pl.{own} <plasticity_rl.{own}>`'
      lines += ['## On your own network', '', f'{link} does the same.', '']
  module = inspect.getmodule(function)
  about = (module.__doc__ or '').strip().splitlines()[0]
  lines += ['## Source', '', f'`{module.__name__}`: {about}', '']
  return '\n'.join(lines)


_HEADER = (
  '| setting | method | over plain, paired | chosen |',
  '|---' * 4 + '|',
)
_READ = """\
Mean return over the last quarter of the tasks, minus that of the same network
without the method; ten seeds, 95 % intervals, the best of three values of its
option. [All methods](../results/methods/README.md) in the three settings."""


def measured() -> list[tuple[str, str, str, str, str]]:
  """Rows (setting, method, over plain, chosen, page) of results/methods."""
  found = []
  for setting in _SETTINGS:
    text = (RESULTS / 'methods' / f'{setting}.md').read_text()
    for line in text.splitlines():
      cells = [cell.strip() for cell in line.split('|')[1:-1]]
      if len(cells) != 5 or cells[0] in ('method', '---'):
        continue
      method, _, gain, _, chosen = cells
      if gain != '-':  # The plain network itself.
        found.append((setting, method, gain, chosen, _page_of(chosen)))
  return found


def _page_of(chosen: str) -> str:
  """The page of the method of a cell `chosen`, or ''."""
  if match := re.search(r'interventions = \(.(\w+)\(', chosen):
    return match[1]
  if match := re.search(r'regularizer\.(\w+) =', chosen):
    return match[1]
  return next((page for key, page in _BY_KEY.items() if key in chosen), '')


def methods_table() -> str:
  """The tables of results/methods side by side, Markdown."""
  gains, pages = {}, {}
  for setting, method, gain, _, page in measured():
    gains.setdefault(method, {})[setting] = gain
    pages[method] = page
  header = ['method', *_SETTINGS.values()]
  lines = [f'| {" | ".join(header)} |', '|---' * len(header) + '|']
  for method, by_setting in gains.items():
    page = pages[method]
    name = f'[{method}]({page}.md)' if page else method
    cells = (by_setting.get(s, '-') for s in _SETTINGS)
    lines.append(f'| {name} | {" | ".join(cells)} |')
  return '\n'.join(lines)


def method_pages() -> Iterator[tuple[str, str]]:
  """The path and the text of each page of a method."""
  rows = measured()
  for kind, registry in KINDS.items():
    for name, function in sorted(registry.items()):
      of_it = [
        f'| {_SETTINGS[setting]} | {method} | {gain} | {chosen} |'
        for setting, method, gain, chosen, page in rows
        if page == name
      ]
      yield f'{FOLDERS[kind]}/{name}.md', method_page(function, of_it)


def face_pages() -> Iterator[tuple[str, str]]:
  """The path and the text of each page of the API."""
  index = ['# API', '', '    import plasticity_rl as pl', '']
  for page, (title, names) in FACE.items():
    lines = [f'# {title}', '']
    for name in names:
      kind = 'class' if inspect.isclass(_named(name)) else 'function'
      directive = f'.. auto{kind}:: plasticity_rl.{name}'
      lines += ['```{eval-rst}', directive, '```', '']
    listed = ', '.join(f'`pl.{name}`' for name in names)
    index += [f'- [{title}]({page}.md): {listed}']
    yield f'api/{page}.md', '\n'.join(lines)
  yield 'api/index.md', '\n'.join(index)


def _named(name: str) -> Any:
  """What the face calls so, such as `verdict` or `measures.srank`."""
  return functools.reduce(getattr, name.split('.'), pl)


def command(text: str) -> str:
  """The first command that a page of results/ names, or ''."""
  match = _COMMAND.search(text)
  return match[1] if match else ''


def findings() -> dict[str, tuple[str, ...]]:
  """All pages of results/ by group; at the end those that FINDINGS lacks."""
  named = {name for names in FINDINGS.values() for name in names}
  there = sorted(
    path.relative_to(RESULTS).with_suffix('').as_posix()
    for path in RESULTS.rglob('*.md')
    if path.name not in NOTES
  )
  more = tuple(name for name in there if name not in named)
  return {**FINDINGS, **({'More': more} if more else {})}


def results_index() -> str:
  """All results, each with the command that makes it."""
  lines = [
    '# Results',
    '',
    'What came out, on two cores unless a page says otherwise. Each page has',
    'its commands, of which the first is here, and the commit and machine.',
    '',
  ]
  for group, names in findings().items():
    lines += [f'## {group}', '']
    for name in names:
      text = (RESULTS / f'{name}.md').read_text()
      title = text.partition('\n')[0].removeprefix('# ')
      lines += [f'[{title}]({name}.md)', '', f'    {command(text)}', '']
  return '\n'.join(lines)


def pages() -> dict[str, str]:
  """All pages that are made, by their path on the site."""
  return {
    **dict(method_pages()),
    **dict(face_pages()),
    'results/index.md': results_index(),
  }
