"""How often is a verdict wrong, and how often does it come at all?

Differences of seeds are drawn from fifteen distributions whose mean is known,
and judged by the rule of the tool and by others. All rules move with the data,
so one interval of differences of mean zero tells four rates:

  false losing       it lies above zero: *losing plasticity* of nothing
  false no evidence  it lies below zero: had the mean been the margin, *no
                     evidence* would have been said of a gain of that size
  finds losing       moved up by one standard deviation, it lies above zero
  finds no evidence  it lies below a margin of one standard deviation

  python -m benchmarks.verdict_rules

writes results/verdict_rules/README.md and rates.csv.
"""

import csv
import time
from collections.abc import Mapping

import numpy as np
from scipy import special

from benchmarks import studies
from benchmarks.difference_distributions import DISTRIBUTIONS
from plasticity_rl import revision
from plasticity_rl.analysis.verdict import rules
from plasticity_rl.analysis.verdict import statistics
from plasticity_rl.analysis.verdict import typical_values

DRAWS = 3000
SEEDS = (3, 4, 5, 6, 8, 10, 14, 20, 30)
# Fewer than the tool's, which cost time and move no rate by a percent.
RESAMPLES, PAIRS = 1999, 2000
BLOCK = 200  # Draws at a time.
FAR = 4.0  # Ranges of the data from the mean, where no bootstrap's mean is.

TOOL, EARLIER = 'tool', 'earlier'
FALSE_LOSING, FALSE_NO_EVIDENCE = 'false_losing', 'false_no_evidence'
FINDS_LOSING, FINDS_NO_EVIDENCE = 'finds_losing', 'finds_no_evidence'
EXPLODED = 'exploded'
MEASURES = (
  FALSE_LOSING,
  FALSE_NO_EVIDENCE,
  FINDS_LOSING,
  FINDS_NO_EVIDENCE,
  EXPLODED,
)

# Bounds that decide *losing* (lower) and *no evidence* (upper), `[draws]` each.
Bounds = tuple[np.ndarray, np.ndarray]


def student(d: np.ndarray, confidence: float) -> Bounds:
  """Student's interval of each row of `[draws, n]`."""
  n = d.shape[-1]
  half = special.stdtrit(n - 1, (1 + confidence) / 2)
  half = half * d.std(axis=-1, ddof=1) / n**0.5
  return d.mean(axis=-1) - half, d.mean(axis=-1) + half


def earlier_bootstrap(d: np.ndarray) -> Bounds:
  """The studentised bootstrap of before, of each row of `[draws, n]`.

  Resamples without spread were left out, unless rounding gave them some.
  """
  n = d.shape[-1]
  mean = d.mean(axis=-1, keepdims=True)
  error = d.std(axis=-1, ddof=1, keepdims=True) / n**0.5
  centred = d - mean
  counts = np.random.default_rng(0).multinomial(n, [1 / n] * n, RESAMPLES)
  means = centred @ counts.T / n
  spread = np.maximum(centred**2 @ counts.T / n - means**2, 0.0)
  errors = np.sqrt(spread / (n - 1))
  kept = errors > 1e-9 * error
  t = np.sort(np.where(kept, means / np.where(kept, errors, 1), np.inf), -1)
  last = kept.sum(axis=-1, keepdims=True) - 1
  low, high = (
    np.take_along_axis(t, np.rint(np.maximum(last, 0) * q).astype(int), -1)
    for q in (0.025, 0.975)
  )
  constant = error <= 1e-12 * np.maximum(1, np.abs(mean))
  low, high = (np.where(constant, 0.0, x) for x in (low, high))
  return (mean - high * error)[:, 0], (mean - low * error)[:, 0]


def bounds_of_many(d: np.ndarray) -> dict[str, Bounds]:
  """Of 6 seeds and more, by rule."""
  confidence = statistics.CONFIDENCE
  subsets = typical_values.bounds(
    typical_values.subset_means(d, pairs=PAIRS), confidence
  )

  def bootstrap(floor):
    points = typical_values.studentised(d, resamples=RESAMPLES, floor=floor)
    return typical_values.bounds(points, confidence)

  def wider(one, other):
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])

  with_floor, before = bootstrap(typical_values.FLOOR), earlier_bootstrap(d)
  return {
    TOOL: wider(with_floor, subsets),
    # Both tests had to see a gain; the margin was the bootstrap's alone.
    EARLIER: (np.minimum(before[0], subsets[0]), before[1]),
    'Student': student(d, confidence),
    'sign-flip alone': subsets,
    'bootstrap alone': with_floor,
    'floor of a half': wider(bootstrap(0.5), subsets),
  }


def bounds_of_few(d: np.ndarray) -> dict[str, Bounds]:
  """Of 3 to 5 seeds, which show no loss, by rule."""
  never = np.full(len(d), -np.inf)
  tie = np.ptp(d, axis=-1) <= statistics.ROUNDING * np.abs(d).max(axis=-1)
  upper = {c: student(d, c)[1] for c in (0.95, rules.FEW_CONFIDENCE, 0.995)}
  return {
    TOOL: (never, np.where(tie, np.inf, upper[rules.FEW_CONFIDENCE])),
    EARLIER: (never, upper[0.95]),
    'at 99.5 %': (never, np.where(tie, np.inf, upper[0.995])),
  }


def bounds(d: np.ndarray) -> dict[str, Bounds]:
  """By rule, of differences `[draws, n]`, 3 seeds or more."""
  few = d.shape[-1] < statistics.STUDENT_BELOW
  of = bounds_of_few if few else bounds_of_many
  blocks = [of(d[at : at + BLOCK]) for at in range(0, len(d), BLOCK)]
  return {
    rule: tuple(np.concatenate([b[rule][i] for b in blocks]) for i in (0, 1))
    for rule in blocks[0]
  }


def rates(d: np.ndarray) -> dict[str, dict[str, float]]:
  """Percent of each of `MEASURES` by rule, of differences `[draws, n]`."""
  some = d.any(axis=-1)  # The tool says nothing of arms that are the same.
  mean, reach = d.mean(axis=-1), FAR * np.ptp(d, axis=-1) + 1e-9
  found = {}
  for rule, (low, high) in bounds(d).items():
    said = some if rule == TOOL else np.full(len(d), True)
    far = np.isfinite(low) & (low < mean - reach)
    far |= np.isfinite(high) & (high > mean + reach)
    if d.shape[-1] < statistics.STUDENT_BELOW:  # Student's has other bounds.
      far = np.full(len(d), np.nan)
    shares = (low > 0, high < 0, low > -1, said & (high < 1), far)
    found[rule] = {
      m: 100 * float(np.mean(share))
      for m, share in zip(MEASURES, shares, strict=True)
    }
  return found


def seeds_that_decide(
  pilot: int, mean: float, margin: float, *, pilots: int = 150, draws: int = 40
) -> dict[str, str]:
  """How often the numbers of seeds that the tool names decide.

  Normal differences of deviation one. A pilot that is undecided names two
  numbers; as many seeds are drawn anew, with the mean that the pilot had, as
  the numbers are for that mean.
  """
  rng = np.random.default_rng([pilot, round(100 * mean)])

  def decides(d):
    low, high = bounds(d)[TOOL]
    return (low > 0) | (high < margin)  # *Hurts* is below the margin too.

  decided: dict[bool, list[float]] = {False: [], True: []}
  while len(decided[True]) < pilots:
    d = mean + rng.normal(size=pilot)
    if decides(d[None])[0]:
      continue
    for most in (False, True):
      spread = statistics.largest_spread(d) if most else None
      n = statistics.seeds_to_decide(d, margin, spread=spread, at_most=1000)
      again = d.mean() + rng.normal(size=(draws, n or 1000))
      decided[most].append(float(np.mean(decides(again))))
  row = {
    'pilot seeds': str(pilot),
    'mean of pilots': f'{mean:g}',
    'margin': f'{margin:g}',
  }
  for most, name in ((False, 'first number'), (True, 'second number')):
    low, high = np.quantile(decided[most], [0.1, 0.9])
    row[f'{name} decides'] = (
      f'{np.mean(decided[most]):.0%} ({low:.0%} to {high:.0%})'
    ).replace('%', ' %')
  return row


Rates = Mapping[tuple[str, int], Mapping[str, Mapping[str, float]]]


def _simulated() -> Rates:
  found = {}
  for i, (name, draw) in enumerate(DISTRIBUTIONS.items()):
    for n in SEEDS:
      rng = np.random.default_rng([i, n])
      found[name, n] = rates(draw(rng, (DRAWS, n)))
    print(name, flush=True)
  return found


def _table(found: Rates, measure: str, seeds: tuple[int, ...]) -> str:
  """Percent by distribution and seeds, in brackets by the earlier rule."""

  def cell(name, n):
    by_rule = found[name, n]
    now, before = (by_rule[r][measure] for r in (TOOL, EARLIER))
    return f'{now:.1f} ({before:.1f})'

  return studies.table(
    [
      {'differences': name} | {f'n = {n}': cell(name, n) for n in seeds}
      for name in DISTRIBUTIONS
    ]
  )


def _others(found: Rates, n: int) -> str:
  """False *losing* / found *losing* of every rule."""
  return studies.table(
    [
      {'differences': name}
      | {
        rule: f'{r[FALSE_LOSING]:.1f} / {r[FINDS_LOSING]:.0f}'
        for rule, r in found[name, n].items()
      }
      for name in DISTRIBUTIONS
    ]
  )


def _number(value: float) -> str:
  return '' if np.isnan(value) else f'{value:.2f}'


def _csv_rows(found: Rates) -> list[list[object]]:
  return [
    [name, n, rule, *(_number(by_rule[rule][m]) for m in MEASURES)]
    for (name, n), by_rule in found.items()
    for rule in by_rule
  ]


def _page(
  found: Rates, deciding: list[dict[str, str]], commit: str, seconds: float
) -> str:
  few = tuple(n for n in SEEDS if n < statistics.STUDENT_BELOW)
  many = tuple(n for n in SEEDS if n not in few)

  def section(title: str, text: str, table: str) -> list[str]:
    return [f'## {title}', '', text, '', table, '']

  return '\n'.join(
    [
      '# The rules of the verdict, where the truth is known',
      '',
      f'{DRAWS} draws for each distribution and number of seeds n, of'
      ' deviation one; percent of them, in brackets by the earlier rule (a'
      ' studentised bootstrap that left out resamples without spread, which'
      " bounded *no evidence* alone; Student's 95 % below 6 seeds). A rate of"
      ' 2.5 has a standard error of 0.3. `benchmarks/verdict_rules.py` says'
      ' what is simulated, `docs/verdict.md` what the rule is.',
      '',
      *section(
        '*Losing plasticity* where the mean is zero',
        'Promised: 2.5 or less where differences are symmetric, the first six'
        ' rows. *Injection hurts* has the rates of the mirrored distribution.',
        _table(found, FALSE_LOSING, many),
      ),
      *section(
        '*No evidence* where the mean is the margin',
        'Promised: 2.5 or less for the first six rows.',
        _table(found, FALSE_NO_EVIDENCE, (*few, *many)),
      ),
      *section(
        '*Losing plasticity* where the mean is one standard deviation',
        'The power.',
        _table(found, FINDS_LOSING, many),
      ),
      *section(
        '*No evidence* where the mean is zero, the margin one deviation',
        'The power of excluding a gain.',
        _table(found, FINDS_NO_EVIDENCE, (*few, *many)),
      ),
      *section(
        f'Bounds farther than {FAR:g} ranges of the data from the mean',
        'Where no bootstrap can reach.',
        _table(found, EXPLODED, many),
      ),
      *section(
        'Other rules, ten seeds',
        'False *losing* / *losing* found at one standard deviation.',
        _others(found, 10),
      ),
      *section(
        'Seeds that would decide',
        'The tool says "about N to M seeds would decide": of an undecided'
        ' pilot, how often do as many decide, if its mean is the true one?'
        ' Mean over pilots, and the middle 80 % of them. Wanted: 80 %.',
        studies.table(deciding),
      ),
      f'{seconds:.0f} seconds on one core. Machine: {studies.machine()}.'
      f' Commit: {commit}.',
      '',
      '    python -m benchmarks.verdict_rules',
      '',
    ]
  )


def _deciding() -> list[dict[str, str]]:
  return [
    seeds_that_decide(n, mean, 0.5)
    for n in (6, 10)
    for mean in (0.0, 0.25, 0.5)
  ]


def main() -> None:
  # Before it writes: what it changes itself is no change.
  begun, commit = time.monotonic(), revision.of_code()
  found, deciding = _simulated(), _deciding()
  folder = studies.RESULTS / 'verdict_rules'
  folder.mkdir(parents=True, exist_ok=True)
  with (folder / 'rates.csv').open('w', newline='') as file:
    writer = csv.writer(file, lineterminator='\n')
    writer.writerow(['differences', 'seeds', 'rule', *MEASURES])
    writer.writerows(_csv_rows(found))
  page = _page(found, deciding, commit, time.monotonic() - begun)
  (folder / 'README.md').write_text(page)


if __name__ == '__main__':
  main()
