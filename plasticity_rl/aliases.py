"""Names of earlier versions, which configs and saved runs may still contain.

No other module contains old names.
"""

from collections.abc import Mapping
from typing import Any

# Interventions, old name -> new name. Labels are not renamed, since a label
# names folders and seeds the intervention's randomness.
INTERVENTIONS = {'rekey': 'reseed'}
# Removed keys of a config. They had no effect on results.
REMOVED_KEYS = frozenset({'compile_ahead'})
# Modules that study files import from `plasticity_rl.analysis`.
ANALYSIS_MODULES = {
  'study_figures': 'plasticity_rl.analysis.pages.study_figures'
}


def without_removed_keys(config: Mapping[str, Any]) -> dict[str, Any]:
  """Drops keys that only earlier versions had."""
  return {k: v for k, v in config.items() if k not in REMOVED_KEYS}
