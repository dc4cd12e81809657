"""Runs environments in a separate thread."""

import atexit
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import numpy as np

from plasticity_rl.environments.host import HostEnvironments
from plasticity_rl.environments.host import Step


class ThreadedEnv:
  """`HostEnvironments` that are made, stepped and closed by one thread.

  An OpenGL context belongs to the thread that uses it first, but these
  environments may be stepped from any thread. They are closed at exit at the
  latest.

  Raises:
    RuntimeError: a method is called after `close`.
  """

  def __init__(self, build: Callable[[], HostEnvironments]):
    self._calls = queue.SimpleQueue()
    self._closed = False
    # A thread of an executor would end before contexts are freed at exit.
    threading.Thread(target=_serve, args=(self._calls,), daemon=True).start()
    try:
      self._envs = self._run(build)
    except BaseException:
      self._calls.put(None)
      raise
    # Registered after the contexts' own handlers, so called before them.
    atexit.register(self.close)
    self.spaces = self._envs.spaces
    self.num_envs = self._envs.num_envs
    self.return_range = self._envs.return_range
    self.range_frames = self._envs.range_frames
    self.frames_per_step = self._envs.frames_per_step
    self.can_copy = self._envs.can_copy

  def _run(self, function: Callable[..., Any], *arguments: Any) -> Any:
    if self._closed:  # The thread has ended; the call would wait for ever.
      raise RuntimeError('these environments are closed')
    future = Future()
    self._calls.put((future, function, arguments))
    return future.result()

  def begin(self, seeds: np.ndarray) -> np.ndarray:
    return self._run(self._envs.begin, seeds)

  def step(self, actions: np.ndarray) -> Step:
    return self._run(self._envs.step, actions)

  def get_state(self) -> dict[str, np.ndarray]:
    return self._run(self._envs.get_state)

  def set_state(self, state: dict[str, np.ndarray]) -> None:
    self._run(self._envs.set_state, state)

  def close(self) -> None:
    if self._closed:
      return
    atexit.unregister(self.close)
    try:
      self._run(self._envs.close)
    finally:
      self._closed = True
      self._calls.put(None)


def _serve(calls: queue.SimpleQueue) -> None:
  while (call := calls.get()) is not None:
    future, function, arguments = call
    try:
      future.set_result(function(*arguments))
    except BaseException as error:  # Raised again in the calling thread.
      future.set_exception(error)
    # References kept while waiting would delay the freeing of objects.
    del call, future, function, arguments
