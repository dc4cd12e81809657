"""The schedule of events. Events happen between segments."""

import dataclasses
import functools

from absl import logging

from plasticity_rl import settings as settings_lib
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.training import criteria


def on_grid(steps: int, segment: int, what: str) -> int:
  """Rounds `steps` up to a multiple of `segment`, with a warning if needed.

  Args:
    steps: number of steps.
    segment: steps of a segment.
    what: the setting, for the warning.
  """
  rounded = -(-steps // segment) * segment
  if rounded != steps:
    _warn_once(
      f'{what} = {steps} is rounded up to {rounded}, a multiple of '
      f'segment_steps = {segment}'
    )
  return rounded


@functools.cache  # A run computes its schedule several times.
def _warn_once(text: str) -> None:
  logging.warning('%s', text)


@dataclasses.dataclass(frozen=True)
class ScheduledIntervention:
  """An intervention of the config, with the time at which it happens.

  Exactly one of `at_steps`, `every_steps`, `every_updates` and `when` is set.

  Attributes:
    expression: the intervention.
    at_steps: steps at which it happens, multiples of a segment.
    every_steps: period in steps, a multiple of a segment.
    every_updates: period in updates, inside the compiled loop.
    when: criterion that triggers it, separately for each seed.
  """

  expression: expressions.Expression
  at_steps: tuple[int, ...] = ()
  every_steps: int = 0
  every_updates: int = 0
  when: criteria.Criterion | None = None

  def due(self, step: int) -> bool:
    """Whether it happens at `step`, the end of a segment."""
    periodic = self.every_steps and step % self.every_steps == 0
    return step in self.at_steps or bool(periodic)


@dataclasses.dataclass(frozen=True)
class EventSchedule:
  """The times of all events, in steps, as multiples of a segment.

  Attributes:
    num_steps: the last step of the run.
    segment: steps of a segment.
    evaluate: period of evaluations.
    measure: period of diagnostics.
    save: period of checkpoints.
    prime: step of heavy priming; 0 for never.
    interventions: the interventions of the config.
  """

  num_steps: int
  segment: int
  evaluate: int
  measure: int
  save: int
  prime: int
  interventions: tuple[ScheduledIntervention, ...]


def _intervention(text, expression, segment, last):
  """The intervention of `text`; `last` is the end of the last but one segment.

  Raises:
    UserError: it has no time, or one at which it cannot happen.
  """
  if expression.settings:
    raise UserError(
      f'config.interventions: {text!r}: only arms of a fork take settings'
    )
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
    # Steps after `last` would be rounded up to the end of the run.
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
  """The schedule of a run.

  Raises:
    UserError: an event could never happen, an expression cannot be parsed, or
      two interventions have the same label.
  """
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
