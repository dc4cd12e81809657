"""What studies that decide on claims share: seeds, and variants for tests."""

from collections.abc import Mapping
from types import ModuleType

import ml_collections

FIRST_SEED = 1000  # Settings are explored on seeds below 100.


def seeded(
  config: ml_collections.ConfigDict,
  seeds: Mapping[str, int],
  variant: str,
  *,
  first: int = FIRST_SEED,
) -> ml_collections.ConfigDict:
  """Gives a config the seeds of the confirming run, in place.

  Args:
    config: of the setting.
    seeds: how many each variant has.
    variant: one of them.
    first: the seeds count from here.

  Raises:
    ValueError: there is no such variant.
  """
  if variant not in seeds:
    raise ValueError(f'unknown variant {variant!r}; valid: {", ".join(seeds)}')
  config.seed, config.num_seeds = first, seeds[variant]
  return config


def based_on(
  study: ModuleType, seeds: Mapping[str, int], variant: str
) -> ml_collections.ConfigDict:
  """The config of a larger study that a part stands on, with its own seeds.

  Args:
    study: its module. Variants in `seeds` are all its `small`.
    seeds: how many each variant of the part's own has.
    variant: one of them, or another one of the study's.
  """
  if variant not in seeds:
    config = study.get_config(variant)
    config.seed = FIRST_SEED
    return config
  config = seeded(study.get_config('small'), seeds, variant)
  config.diagnostics.names = ('dormant_units',)
  return config


def make_tiny(config: ml_collections.ConfigDict) -> None:
  """Makes a run that is forked one of seconds, for tests, in place."""
  config.network.hidden = (8,) * len(config.network.hidden)
  config.segment_steps = config.num_steps = config.fork.horizon = 200
  config.evaluation.every_steps = config.diagnostics.every_steps = 200
  config.evaluation.max_steps = 20
  config.replay.min_size = 50
  config.replay.capacity = min(config.replay.capacity, 200)
