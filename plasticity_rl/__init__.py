"""Plasticity loss in deep reinforcement learning: measure, judge, and cure it.

    import plasticity_rl as pl

On arrays and networks of your own:

- `pl.measures`: how many units are dead, what rank the features have, ...
- `pl.losses`: penalties that keep a network plastic.
- `pl.redo`, `pl.regrama`, `pl.continual_backprop`,
  `pl.self_normalized_resets`, `pl.continuous_partial_resets`,
  `pl.reset_layers`, `pl.reset_weights`, `pl.selective_weight_reinitialization`,
  `pl.shrink_and_perturb`, `pl.fire`: units and weights of a network are drawn
  again, or made plastic otherwise. `pl.declare_layers` says where they are.
- `pl.SplitNetwork`, `pl.inject`, `pl.inject_params`, `pl.masked`, `pl.grouped`:
  plasticity injection on the parameters and optimizer of any JAX library.
- `pl.verdict`: whether scores of two arms say that plasticity was lost;
  `pl.verdict_of_curves`: the same of learning curves in files of any program.

Whole experiments, from a config:

- `pl.default_config`, `pl.train`, `pl.diagnose`.

Names are imported when they are first used, so that `import plasticity_rl`
waits for nothing, jax included.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # For editors; at run time `__getattr__` finds them.
  from plasticity_rl import losses as losses
  from plasticity_rl import measures as measures
  from plasticity_rl.api import diagnose as diagnose
  from plasticity_rl.api import train as train
  from plasticity_rl.api import verdict as verdict
  from plasticity_rl.api import verdict_of_curves as verdict_of_curves
  from plasticity_rl.errors import UserError as UserError
  from plasticity_rl.injection import SplitNetwork as SplitNetwork
  from plasticity_rl.injection import grouped as grouped
  from plasticity_rl.injection import inject as inject
  from plasticity_rl.injection import inject_params as inject_params
  from plasticity_rl.injection import masked as masked
  from plasticity_rl.layers import Layer as Layer
  from plasticity_rl.layers import declare_layers as declare_layers
  from plasticity_rl.methods.continual_backprop import (
    continual_backprop as continual_backprop,
  )
  from plasticity_rl.methods.continuous_partial_resets import (
    continuous_partial_resets as continuous_partial_resets,
  )
  from plasticity_rl.methods.fire import fire as fire
  from plasticity_rl.methods.redo import redo as redo
  from plasticity_rl.methods.regrama import regrama as regrama
  from plasticity_rl.methods.resets import reset_layers as reset_layers
  from plasticity_rl.methods.resets import reset_weights as reset_weights
  from plasticity_rl.methods.selective_weight_reinitialization import (
    selective_weight_reinitialization as selective_weight_reinitialization,
  )
  from plasticity_rl.methods.self_normalized_resets import (
    self_normalized_resets as self_normalized_resets,
  )
  from plasticity_rl.methods.shrink_and_perturb import (
    shrink_and_perturb as shrink_and_perturb,
  )
  from plasticity_rl.settings import default_config as default_config

__version__ = '0.1.0'  # setup.py reads it here.

__all__ = [
  'Layer',
  'SplitNetwork',
  'UserError',
  '__version__',
  'continual_backprop',
  'continuous_partial_resets',
  'declare_layers',
  'default_config',
  'diagnose',
  'fire',
  'grouped',
  'inject',
  'inject_params',
  'losses',
  'masked',
  'measures',
  'redo',
  'regrama',
  'reset_layers',
  'reset_weights',
  'selective_weight_reinitialization',
  'self_normalized_resets',
  'shrink_and_perturb',
  'train',
  'verdict',
  'verdict_of_curves',
]

_MODULES = ('losses', 'measures')
_ROOMS = {
  'Layer': 'layers',
  'SplitNetwork': 'injection',
  'UserError': 'errors',
  'continual_backprop': 'methods.continual_backprop',
  'continuous_partial_resets': 'methods.continuous_partial_resets',
  'declare_layers': 'layers',
  'default_config': 'settings',
  'diagnose': 'api',
  'fire': 'methods.fire',
  'grouped': 'injection',
  'inject': 'injection',
  'inject_params': 'injection',
  'masked': 'injection',
  'redo': 'methods.redo',
  'regrama': 'methods.regrama',
  'reset_layers': 'methods.resets',
  'reset_weights': 'methods.resets',
  'selective_weight_reinitialization': (
    'methods.selective_weight_reinitialization'
  ),
  'self_normalized_resets': 'methods.self_normalized_resets',
  'shrink_and_perturb': 'methods.shrink_and_perturb',
  'train': 'api',
  'verdict': 'api',
  'verdict_of_curves': 'api',
}


def __getattr__(name: str) -> Any:
  if name in _MODULES:
    return importlib.import_module(f'{__name__}.{name}')
  if name in _ROOMS:
    room = importlib.import_module(f'{__name__}.{_ROOMS[name]}')
    return getattr(room, name)
  raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> list[str]:
  return sorted({*globals(), *__all__})
