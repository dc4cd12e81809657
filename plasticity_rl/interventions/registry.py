"""Every intervention by its name."""

import inspect

from plasticity_rl import errors
from plasticity_rl.interventions import acting
from plasticity_rl.interventions import mean_output
from plasticity_rl.interventions import on_sphere
from plasticity_rl.interventions.base import Intervention
from plasticity_rl.interventions.continual_backprop import continual_backprop
from plasticity_rl.interventions.continuous_partial_resets import (
  continuous_partial_resets,
)
from plasticity_rl.interventions.control import control
from plasticity_rl.interventions.control import reseed
from plasticity_rl.interventions.expression import Expression
from plasticity_rl.interventions.fire import fire
from plasticity_rl.interventions.hare_and_tortoise import hare_and_tortoise
from plasticity_rl.interventions.inject import injection
from plasticity_rl.interventions.normalize_and_project import (
  normalize_and_project,
)
from plasticity_rl.interventions.optimizer_reset import optimizer_reset
from plasticity_rl.interventions.redo import redo
from plasticity_rl.interventions.regrama import regrama
from plasticity_rl.interventions.reset import reset
from plasticity_rl.interventions.selective_weight_reinitialization import (
  selective_weight_reinitialization,
)
from plasticity_rl.interventions.self_normalized_resets import (
  self_normalized_resets,
)
from plasticity_rl.interventions.shrink_and_perturb import shrink_and_perturb
from plasticity_rl.interventions.weight_clipping import weight_clipping
from plasticity_rl.types import AgentSpec

REGISTRY = {
  f.__name__: f
  for f in (
    continual_backprop,
    continuous_partial_resets,
    control,
    fire,
    hare_and_tortoise,
    injection,
    normalize_and_project,
    optimizer_reset,
    redo,
    regrama,
    reseed,
    reset,
    selective_weight_reinitialization,
    self_normalized_resets,
    shrink_and_perturb,
    weight_clipping,
  )
}


def make(expression: Expression, spec: AgentSpec) -> Intervention:
  """Builds what the expression names, for this agent."""
  if expression.name not in REGISTRY:
    raise errors.UserError(
      errors.nearest('intervention', expression.name, REGISTRY)
    )
  factory = REGISTRY[expression.name]
  known = [p for p in inspect.signature(factory).parameters if p != 'spec']
  # Options that every intervention takes.
  shared = (*acting.OPTIONS, *mean_output.OPTIONS)
  given = {k: v for k, v in expression.options.items() if k in shared}
  options = {k: v for k, v in expression.options.items() if k not in shared}
  for option in options:
    if option not in known:
      raise errors.UserError(
        errors.nearest(
          f'option of {expression.name}', option, (*known, *shared)
        )
      )
  try:
    intervention = mean_output.with_mean_kept(
      spec,
      on_sphere.kept(spec, factory(spec, **options)),
      given.get('keep_mean', False),
    )
    return acting.with_old_policy(
      intervention, given.get('act_with', 'new'), given.get('act_steps', 0)
    )
  except TypeError as error:
    raise errors.UserError(f'{expression.text}: {error}') from None
