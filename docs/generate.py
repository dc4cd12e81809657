"""Writes docs/methods/: a page for each method, from its docstring.

  python -m docs.generate

The docstrings are the documentation: they state equation, defaults, source and
deviations, and are read where the code is changed. A test says whether the
pages are of the docstrings of today.
"""

import inspect
import pathlib
import re
from collections.abc import Callable

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
from plasticity_rl.networks.layer_norm import layer_norm
from plasticity_rl.networks.simba import residual_block
from plasticity_rl.weight_norm import weight_normalization

FOLDER = pathlib.Path(__file__).parent / 'methods'
KINDS = {
  'Interventions': interventions.REGISTRY,
  'Diagnostics': diagnostics.REGISTRY,
  'Regularizers': regularizers.REGISTRY,
  'Architectures': {
    f.__name__: f
    for f in (crelu, fourier, layer_norm, residual_block, weight_normalization)
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
# What is said of a kind before its methods.
ABOUT = {
  'Diagnostics': """\
These look at a network as it is. What the past costs it is one fork away,
*regret against fresh*: how much more would an agent have had that goes on from
here, with the same replay and environment, but with a network that has learned
nothing yet?

```
python -m plasticity_rl.diagnose --config=configs/continual_catch.py \\
  --workdir=runs/regret \\
  --config.fork.arms='("control", "injection",
    "fresh=reset(scope=\\"everything\\")")'
```

The difference of the arm `fresh` in the report, of mean scores over the
horizon, times `config.fork.horizon` is the regret; above zero the trained
network learns worse than a fresh one. Fork where a task ends
(`config.fork.step`): in the middle of one the fresh network is behind by what
it does not know, and the regret is negative however much plasticity was lost.
The injection keeps predictions, and so separates the two. `reset(...,
act_with="old", act_steps=N)` lets the trained network collect the data, so that
what is compared is learning alone.""",
}
_SECTION = re.compile(
  r'^(Args|Returns|Raises|Attributes|Yields|Example):$', re.M
)
# Of every intervention and diagnostic: no choice of the user.
_GIVEN = ('spec', 'probe')


def _options(function: Callable) -> str:
  """`name(option=default, ...)`, as a config would write it."""
  options = [
    p.name if p.default is p.empty else f'{p.name}={p.default!r}'
    for p in inspect.signature(function).parameters.values()
    if p.name not in _GIVEN
  ]
  return f'{function.__name__}({", ".join(options)})'


def _items(text: str) -> list[str]:
  """The entries of a section, a bullet each; an example as it is."""
  if '>>> ' in text:
    return ['```python', *inspect.cleandoc(text).splitlines(), '```']
  lines = []
  for line in inspect.cleandoc(text).splitlines():
    match = re.match(r'^(\*{0,2}\w+): (.*)$', line)
    if match and match.group(1) not in _GIVEN:
      lines.append(f'- `{match.group(1)}`: {match.group(2)}')
    elif match:
      lines.append('')
    elif lines and lines[-1]:
      lines.append(f'  {line.strip()}')
    elif not lines:
      lines.append(line)
  return [line for line in lines if line]


def _plain(text: str) -> list[str]:
  """A docstring with its sections as bullets."""
  parts = _SECTION.split(text)
  lines = [parts[0].strip()]
  for name, body in zip(parts[1::2], parts[2::2], strict=True):
    lines += ['', f'{name}:', '', *_items(body.strip('\n'))]
  return lines


def page(function: Callable) -> str:
  """The page of one method, Markdown."""
  text = inspect.getdoc(function) or ''
  parts = _SECTION.split(text)
  lines = [
    f'# {function.__name__}',
    '',
    f'    {_options(function)}',
    '',
    parts[0].strip(),
  ]
  for name, body in zip(parts[1::2], parts[2::2], strict=True):
    title = 'Options' if name == 'Args' else name
    items = _items(body.strip('\n'))
    if items:
      lines += ['', f'## {title}', '', *items]
  module = inspect.getmodule(function)
  with_pages = {name for registry in KINDS.values() for name in registry}
  for name, helper in inspect.getmembers(module, inspect.isfunction):
    # What the method is computed by, where the equation stands.
    if (
      helper.__module__ == module.__name__
      and helper is not function
      and not name.startswith('_')
      and name not in with_pages
    ):
      lines += ['', f'## {name}', '', *_plain(inspect.getdoc(helper) or '')]
  about = (module.__doc__ or '').strip().splitlines() if module else []
  lines += ['', '## Source', '', f'`{module.__name__}`: {about[0]}']
  return '\n'.join(lines) + '\n'


def pages() -> dict[str, str]:
  """All pages by file name, the index among them."""
  found = {}
  index = [
    '# Methods',
    '',
    'Generated from docstrings by `python -m docs.generate`.',
    '',
  ]
  for kind, registry in KINDS.items():
    index += [f'## {kind}', '']
    if kind in ABOUT:
      index += [ABOUT[kind], '']
    for name, function in sorted(registry.items()):
      found[f'{name}.md'] = page(function)
      first = (inspect.getdoc(function) or '').split('\n\n')[0]
      index.append(f'- [{name}]({name}.md): {" ".join(first.split())}')
    index.append('')
  found['README.md'] = '\n'.join(index)
  return found


def main() -> None:
  """Writes the pages and removes those of methods that are gone."""
  FOLDER.mkdir(exist_ok=True)
  wanted = pages()
  for old in FOLDER.glob('*.md'):
    if old.name not in wanted:
      old.unlink()
  for name, text in wanted.items():
    (FOLDER / name).write_text(text)
  print(f'{len(wanted)} pages in {FOLDER}')


if __name__ == '__main__':
  main()
