"""One of our commands in this process, and where its seconds went.

  python -m benchmarks.timed_command OUT.json CACHE plasticity_rl.diagnose ...

CACHE is the folder of compiled programs. `import` is until the command's own
code begins, without the interpreter's start; tracing, lowering and compiling
(or reading what was compiled) are what JAX reports of itself, nested events
counted once, by the outermost; all else, training above all, is `running`.
Writing is what threads spend in saving checkpoints, beside the rest.
"""

import collections
import json
import pathlib
import resource
import runpy
import sys
import time

from plasticity_rl import compilation_cache

_PARTS = {
  '/jax/core/compile/jaxpr_trace_duration': 'tracing',
  '/jax/core/compile/jaxpr_to_mlir_module_duration': 'lowering',
  '/jax/core/compile/backend_compile_duration': 'compiling',
}


class Spans:
  """Seconds by part, each instant counted for its outermost event alone.

  JAX reports an event when it ends, so that those inside come first.
  """

  def __init__(self) -> None:
    self._spans: list[tuple[float, float, str]] = []

  def add(self, event: str, duration: float, **_) -> None:
    """A listener of `jax.monitoring`."""
    if event not in _PARTS:
      return
    end = time.perf_counter()
    begin = end - duration
    self._spans = [span for span in self._spans if span[0] < begin]
    self._spans.append((begin, end, _PARTS[event]))

  def seconds(self) -> dict[str, float]:
    """By part."""
    found: dict[str, float] = collections.defaultdict(float)
    for begin, end, part in self._spans:
      found[part] += end - begin
    return dict(found)


def main() -> None:
  """Runs the command, and writes its times whatever its exit code."""
  out, cache, module, *arguments = sys.argv[1:]
  begun = time.perf_counter()
  compilation_cache.start(cache)  # Before jax is imported.
  import jax

  from plasticity_rl.run import checkpoint

  spans, writing = Spans(), [0.0]
  jax.monitoring.register_event_duration_secs_listener(spans.add)
  write = checkpoint.Checkpoints._write

  def timed_write(*args):
    at = time.perf_counter()
    try:
      return write(*args)
    finally:
      writing[0] += time.perf_counter() - at

  checkpoint.Checkpoints._write = timed_write
  imported = time.perf_counter() - begun
  sys.argv = [module, f'--compilation_cache={cache}', *arguments]
  try:
    runpy.run_module(module, run_name='__main__', alter_sys=True)
  finally:
    whole = time.perf_counter() - begun
    parts = {'import': imported, **spans.seconds()}
    usage = resource.getrusage(resource.RUSAGE_SELF)
    record = {
      **parts,
      'running': whole - sum(parts.values()),
      'writing': writing[0],
      'whole': whole,
      'processor': usage.ru_utime + usage.ru_stime,
    }
    pathlib.Path(out).write_text(json.dumps(record))


if __name__ == '__main__':
  main()
