"""From run folders to a verdict and a page: no jax, no pandas.

- tables, runs: metrics.csv as numpy columns; run folders, and what they cost
- verdict: a fork judged
- study: many runs summarised
- pages: figures, and self-contained pages of them
- wording: numbers as text
- files, report: what is written, all or nothing
"""

import importlib
from types import ModuleType

from plasticity_rl import aliases


def __getattr__(name: str) -> ModuleType:
  """A module by the name that study files of earlier versions import."""
  if name in aliases.ANALYSIS_MODULES:
    return importlib.import_module(aliases.ANALYSIS_MODULES[name])
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
