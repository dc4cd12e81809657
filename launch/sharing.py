"""Finds prefixes that several runs share. Each is trained once.

An intervention at step T changes nothing before T. So runs with an identical
prefix train it once, in `prefixes/HASH`, and share it: each run continues from
the prefix's checkpoint, with the same results to the bit. Diagnoses share
everything before their fork; runs share everything before their interventions.

The hash covers the settings that have an effect before that step, the step, and
the code: the sources of the package and the versions of its numerical
dependencies.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import plasticity_rl
from plasticity_rl import settings as settings_lib
from plasticity_rl.training import schedule as schedule_lib

from . import study as study_lib
from .study import Run
from .study import Study

_COMPUTES = ('jax', 'jaxlib', 'dm-haiku', 'optax', 'rlax', 'numpy', 'pgx')


@dataclasses.dataclass(frozen=True)
class Prefix:
  """A prefix that several runs share.

  Attributes:
    digest: the hash, which names its folder.
    overrides: of the study's config, to train it.
    step: the last step.
    num_seeds: seeds in its program.
    parent: digest of the shorter prefix from which it continues, or ''.
  """

  digest: str
  overrides: Mapping[str, Any]
  step: int
  num_seeds: int
  parent: str = ''


@dataclasses.dataclass(frozen=True)
class PrefixPlan:
  """The shared prefixes of a study.

  Attributes:
    prefixes: by digest, each after its parent.
    of_run: the digest of a run's prefix, by the run's name.
    asked: seed-steps if each run trained its whole prefix.
    trained: seed-steps when prefixes are shared.
  """

  prefixes: Mapping[str, Prefix]
  of_run: Mapping[str, str]
  asked: int
  trained: int


def plan(study: Study) -> PrefixPlan:
  """Finds the prefixes that runs of a study share."""
  diagnoses = study.command == study_lib.DIAGNOSE
  points: dict[tuple[str, int], list[tuple[Run, list[str]]]] = {}
  candidates = {r.name: _candidates(r.settings, diagnoses) for r in study.runs}
  families: dict[str, list[Run]] = {}
  for run in study.runs:
    key = _without_interventions(run.settings)
    families.setdefault(key, []).append(run)
  ends: dict[str, list[tuple[int, str]]] = {}  # By run: (step, digest).
  for family in families.values():
    steps = sorted({p for run in family for p in candidates[run.name]})
    for run in family:
      for step in steps:
        if diagnoses and step > max(candidates[run.name], default=0):
          continue
        if not 0 < step < _end(run.settings, diagnoses):
          continue
        kept = _in_effect(run.settings, step, diagnoses)
        digest = _digest(run.settings, kept, step)
        points.setdefault((digest, step), []).append((run, kept))
        ends.setdefault(run.name, []).append((step, digest))
  shared = {key for key, runs in points.items() if len(runs) > 1}
  prefixes, of_run, asked = {}, {}, 0
  for run in study.runs:
    usable = [at for at in ends.get(run.name, []) if at[::-1] in shared]
    if diagnoses and usable:
      # A diagnosis needs a prefix up to its own fork, which continues the
      # shared one.
      usable.append(max(ends[run.name]))
    parent = ''
    for step, digest in sorted(set(usable)):
      if digest not in prefixes:
        kept = points[digest, step][0][1]
        prefixes[digest] = Prefix(
          digest,
          _overrides(run, kept, diagnoses),
          step,
          run.settings.num_seeds,
          parent,
        )
      parent = digest
    if parent:
      of_run[run.name] = parent
      asked += prefixes[parent].step * run.settings.num_seeds
  trained = sum(
    (p.step - (prefixes[p.parent].step if p.parent else 0)) * p.num_seeds
    for p in prefixes.values()
  )
  order = dict(sorted(prefixes.items(), key=lambda item: item[1].step))
  return PrefixPlan(order, of_run, asked, trained)


@functools.cache
def code() -> str:
  """A hash of the code that computes a prefix."""
  root = pathlib.Path(plasticity_rl.__file__).parent
  digest = hashlib.sha256()
  for path in sorted(root.rglob('*.py')):
    digest.update(f'{path.relative_to(root)}\0'.encode())
    digest.update(path.read_bytes())
  for package in _COMPUTES:
    try:
      digest.update(f'{package}{importlib.metadata.version(package)}'.encode())
    except importlib.metadata.PackageNotFoundError:
      continue
  return digest.hexdigest()


def _end(settings, diagnoses):
  """A bound on the steps at which a shared prefix may end (exclusive)."""
  end = on_grid(settings.num_steps, settings)
  return end + 1 if diagnoses else end


def on_grid(steps: int, settings: settings_lib.Settings) -> int:
  """Rounds steps up to whole segments, as a run does."""
  segment = settings.segment_steps
  return -(-steps // segment) * segment


def _candidates(settings, diagnoses):
  """Steps up to which this run might share a prefix."""
  if diagnoses:
    step = settings.fork.step
    return [on_grid(settings.num_steps if step < 0 else step, settings)]
  found = []
  for one in schedule_lib.schedule(settings).interventions:
    found += [
      step - settings.segment_steps
      for step in (*one.at_steps, one.every_steps)
      if step
    ]
  return [step for step in found if step > 0]


def _at_steps(triggers):
  value = triggers.get('at_steps', ())
  return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _in_effect(settings, step, diagnoses):
  """Expressions of the interventions before or at `step`, in standard form.

  A diagnosis keeps all of them, because its arms continue them.
  """
  if diagnoses:
    return list(settings.interventions)
  kept = []
  for when in schedule_lib.schedule(settings).interventions:
    one, triggers = when.expression, dict(when.expression.triggers)
    if when.every_steps:
      if when.every_steps > step:
        continue
    elif when.at_steps:
      prefix = tuple(
        at for at in _at_steps(triggers) if on_grid(at, settings) <= step
      )
      if not prefix:
        continue
      triggers['at_steps'] = prefix
    listed = {**one.options, **triggers}
    inner = ', '.join(f'{k}={v!r}' for k, v in listed.items())
    kept.append(f'{one.label}={one.name}({inner})')
  return kept


def _tree(settings):
  tree = settings_lib.to_dict(settings)
  del tree['fork'], tree['log'], tree['interventions']
  return tree


def _without_interventions(settings):
  return json.dumps(_tree(settings), sort_keys=True)


def _digest(settings, kept, step):
  record = [_tree(settings), kept, step, code()]
  text = json.dumps(record, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def _overrides(run, kept, diagnoses):
  """The overrides of a prefix, which are equal for all runs that share it."""
  overrides = {
    k: v for k, v in run.overrides.items() if not k.startswith('fork.')
  }
  if not diagnoses:
    overrides['interventions'] = tuple(kept)
  return overrides


def describe(found: PrefixPlan, seconds_per_step: float | None = None) -> str:
  """Describes in a line what sharing saves; '' if nothing is shared."""
  saved = found.asked - found.trained
  if saved <= 0:
    return ''
  count = len(found.prefixes)
  line = (
    f'{count} shared prefix{"es" * (count > 1)} for {len(found.of_run)} runs: '
    f'{found.trained:,} seed-steps instead of {found.asked:,}, '
    f'{saved / found.asked:.0%} saved'
  )
  if seconds_per_step:
    line += f' (about {saved * seconds_per_step / 3600:.2g} h)'
  return line
