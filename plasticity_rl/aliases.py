"""Names of earlier versions, which configs and saved runs may still hold.

The one place that knows them: nothing else says an old name.
"""

from collections.abc import Mapping
from typing import Any

# Interventions, old name -> new name. A label stays what it was, since it names
# folders and seeds the intervention's randomness.
INTERVENTIONS = {'rekey': 'reseed'}
# Keys of a config that had no effect on numbers, and are gone.
REMOVED_KEYS = frozenset({'compile_ahead'})
# Modules that study files import from `plasticity_rl.analysis`.
ANALYSIS_MODULES = {
  'study_figures': 'plasticity_rl.analysis.pages.study_figures'
}


def without_removed_keys(config: Mapping[str, Any]) -> dict[str, Any]:
  """A config without keys that an earlier version knew."""
  return {k: v for k, v in config.items() if k not in REMOVED_KEYS}
