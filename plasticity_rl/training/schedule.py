"""What happens when: everything on the grid of segments."""

import dataclasses
import functools

from absl import logging

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.training import criteria


def on_grid(steps: int, segment: int, what: str) -> int:
  """`steps` rounded up to whole segments; says so where it changes."""
  rounded = -(-steps // segment) * segment
  if rounded != steps:
    _tell(
      f'{what} = {steps} is rounded up to {rounded}, a multiple of '
      f'segment_steps = {segment}'
    )
  return rounded


@functools.cache  # A schedule is asked for more than once in a run.
def _tell(text: str) -> None:
  logging.warning('%s', text)


@dataclasses.dataclass(frozen=True)
class ScheduledIntervention:
  """An intervention of the config, and when it happens.

  One of these is set.

  Attributes:
    expression: the intervention.
    at_steps: steps of the grid.
    every_steps: a period on the grid.
    every_updates: a period of updates, inside the compiled loop.
    when: what it waits for, each seed by itself.
  """

  expression: expressions.Expression
  at_steps: tuple[int, ...] = ()
  every_steps: int = 0
  every_updates: int = 0
  when: criteria.Criterion | None = None

  def due(self, step: int) -> bool:
    """Whether it happens at `step`, a point of the grid after the start."""
    periodic = self.every_steps and step % self.every_steps == 0
    return step in self.at_steps or bool(periodic)


@dataclasses.dataclass(frozen=True)
class EventSchedule:
  """When to do what, in steps; every value is on the grid.

  Attributes:
    num_steps: end of the run.
    segment: length of a segment.
    evaluate: between evaluations.
    measure: between diagnostics.
    save: between checkpoints.
    prime: when the replay is primed; 0 for never.
    interventions: those of the config.
  """

  num_steps: int
  segment: int
  evaluate: int
  measure: int
  save: int
  prime: int
  interventions: tuple[ScheduledIntervention, ...]


def _intervention(text, expression, segment, last):
  """What `text` asks for; `last` is the last point before the end."""
  triggers = dict(expression.triggers)
  kinds = [kind for kind in expressions.TRIGGERS if kind in triggers]
  if len(kinds) != 1:
    raise UserError(
      f'config.interventions: {text!r} needs one of '
      f'{", ".join(expressions.TRIGGERS)}'
    )
  value = triggers.pop(kinds[0])
  if kinds == ['when']:
    return ScheduledIntervention(
      expression, when=criteria.parse(value, **triggers)
    )
  if triggers:
    raise UserError(
      f'config.interventions: {text!r}: {", ".join(triggers)} goes with when'
    )
  if kinds == ['every_updates']:
    if type(value) is not int or value < 1:
      raise UserError(
        f'config.interventions: {text!r}: every_updates must be a positive '
        f'whole number: {value!r}'
      )
    return ScheduledIntervention(expression, every_updates=value)
  asked = tuple(value) if isinstance(value, (tuple, list)) else (value,)
  if not asked or (kinds == ['every_steps'] and len(asked) > 1):
    raise UserError(
      f'config.interventions: {text!r}: at_steps is a step or several, '
      'every_steps is one'
    )
  for step in asked:
    # What is rounded up to the end would not happen either.
    if type(step) is not int or not 0 < step <= last:
      raise UserError(
        f'config.interventions: {text!r} happens at step {step!r}, but '
        f'the last point before the end is {last}'
      )
  steps = tuple(on_grid(s, segment, f'{kinds[0]} of {text}') for s in asked)
  if kinds == ['every_steps']:
    return ScheduledIntervention(expression, every_steps=steps[0])
  return ScheduledIntervention(expression, at_steps=steps)


def schedule(settings: settings_lib.Settings) -> EventSchedule:
  """The schedule of a run; refuses events that could never happen."""
  segment = settings.segment_steps
  num_steps = on_grid(settings.num_steps, segment, 'num_steps')
  interventions = []
  labels = set()
  for text in settings.interventions:
    expression = expressions.parse(text)
    if expression.label in labels:
      raise UserError(
        f'config.interventions: {expression.label!r} is there twice; label '
        f'one: "other={expression.text}"'
      )
    labels.add(expression.label)
    interventions.append(
      _intervention(text, expression, segment, num_steps - segment)
    )
  prime = 0
  if getattr(settings.replay, 'priming_updates', 0):
    prime = on_grid(settings.replay.min_size, segment, 'replay.min_size')
    if prime > num_steps:
      raise UserError(
        'config.replay.priming_updates: the replay is primed at step '
        f'{prime}, when it holds min_size transitions, but the run ends at '
        f'{num_steps}'
      )
  return EventSchedule(
    num_steps=num_steps,
    segment=segment,
    evaluate=on_grid(
      settings.evaluation.every_steps, segment, 'evaluation.every_steps'
    ),
    measure=on_grid(
      settings.diagnostics.every_steps, segment, 'diagnostics.every_steps'
    ),
    save=on_grid(
      settings.checkpoint.every_steps, segment, 'checkpoint.every_steps'
    ),
    prime=prime,
    interventions=tuple(interventions),
  )
