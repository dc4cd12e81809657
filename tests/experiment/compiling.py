"""Who compiles, and when in a run."""

import threading

import jax


class Compiling:
  """While it is open: the step of each program that the main thread compiles.

  Attributes:
    steps: of the segment that began last; -1 before the first one.
    elsewhere: programs that other threads compiled.
  """

  def __init__(self):
    self.steps: list[int] = []
    self.elsewhere = 0
    self._step = -1

  def watching(self, experiment):
    """The experiment, whose segments tell when they begin."""
    def segment(state):
      self._step = int(state.counters.step)
      return experiment.loop.segment(state)

    return experiment._replace(loop=experiment.loop._replace(segment=segment))

  def __enter__(self) -> 'Compiling':
    jax.monitoring.register_event_duration_secs_listener(self._hear)
    return self

  def __exit__(self, *error) -> None:
    jax.monitoring.unregister_event_duration_listener(self._hear)

  def _hear(self, event, duration, **kwargs):
    del duration, kwargs
    if not event.endswith('backend_compile_duration'):
      return
    if threading.current_thread() is threading.main_thread():
      self.steps.append(self._step)
    else:
      self.elsewhere += 1
