"""The package's face: what it exports, and that every example runs."""

import ast
import doctest
import inspect
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import plasticity_rl as pl
from plasticity_rl import api
from plasticity_rl.split import InjectedHead

ROOT = pathlib.Path(__file__).resolve().parent.parent
LAZY = sorted(set(pl.__all__) - {'__version__'})


def public():
  """Every public function and class, by its dotted name."""
  found = {}
  for name in LAZY:
    value = getattr(pl, name)
    if inspect.ismodule(value) and name in ('losses', 'measures'):
      found |= {f'{name}.{n}': getattr(value, n) for n in value.__all__}
    elif name in ('train', 'diagnose', 'verdict'):
      found[name] = getattr(api, name)  # `pl.train` may be the module by now.
    else:
      found[name] = value
  return found


PUBLIC = public()
WITH_EXAMPLE = sorted(set(PUBLIC) - {'UserError', 'default_config'})


def run(code):
  return subprocess.run(
    [sys.executable, '-c', code],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
  )


# --- What is exported -------------------------------------------------------


def test_importing_the_package_imports_nothing_heavy():
  result = run(
    'import sys, plasticity_rl\n'
    'import plasticity_rl.api\n'
    "heavy = {'jax', 'haiku', 'optax', 'chex', 'scipy', 'matplotlib'}\n"
    'assert not heavy & {*sys.modules}, heavy & {*sys.modules}\n'
    'assert plasticity_rl.measures.srank\n'
    "assert 'jax' in sys.modules"
  )
  assert result.returncode == 0, result.stderr


def test_every_name_is_there_and_listed():
  assert sorted(pl.__all__) == sorted(set(pl.__all__))
  for name in pl.__all__:
    assert getattr(pl, name) is not None
    assert name in dir(pl)


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="no attribute 'measure'"):
    pl.measure  # noqa: B018


def test_editors_are_told_of_the_names_that_are_there():
  tree = ast.parse((ROOT / 'plasticity_rl/__init__.py').read_text())
  (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
  told = {alias.asname for node in guarded.body for alias in node.names}
  assert sorted(told) == LAZY


def test_the_version_is_the_installed_one_and_written_once():
  text = (ROOT / 'setup.py').read_text()
  assert pl.__version__ not in re.findall(r"'([\d.]+)'", text)
  result = subprocess.run(
    [sys.executable, 'setup.py', '--version'],
    cwd=ROOT,
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert result.stdout.split()[-1] == pl.__version__, result.stderr


@pytest.mark.parametrize('command', ('train', 'diagnose'))
@pytest.mark.parametrize('before', ('', 'import plasticity_rl.{0}\n'))
def test_a_command_can_be_called_whatever_was_imported(command, before):
  """An imported submodule takes its name's place in the package."""
  result = run(
    before.format(command)
    + 'import plasticity_rl as pl\n'
    + f"try: pl.{command}('no config', 'folder')\n"
    + 'except pl.UserError as error: print(error)\n'
    + f'import plasticity_rl.{command}\n'
    + f"try: pl.{command}('no config', 'folder')\n"
    + 'except pl.UserError as error: print(error)\n'
  )
  line = 'config: expected what default_config gives, found str\n'
  assert result.stdout == 2 * line, result.stderr


def test_verdict_can_be_called_whatever_was_imported():
  result = run(
    'import plasticity_rl.verdict\n'
    'import plasticity_rl as pl\n'
    'print(pl.verdict([1, 2], [2, 3], margin=1).seeds)\n'
    "try: pl.verdict_of_curves('c.csv', 'x', margins=1)\n"
    'except pl.UserError as error: print(error)\n'
  )
  told = "2\nunknown argument 'margins'; did you mean 'margin'? valid: "
  assert result.stdout.startswith(told), result.stderr


# --- Docstrings -------------------------------------------------------------


@pytest.mark.parametrize('name', WITH_EXAMPLE)
def test_a_docstring_says_all(name):
  text = inspect.getdoc(PUBLIC[name])
  assert 'Raises:\n' in text
  assert 'Example:\n' in text
  if inspect.isfunction(PUBLIC[name]):
    assert 'Returns:\n' in text
    for parameter in inspect.signature(PUBLIC[name]).parameters:
      assert re.search(rf'^  \*{{0,2}}{parameter}: ', text, re.M), parameter


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(n, marks=pytest.mark.slow) if n == 'train' else n
    for n in WITH_EXAMPLE
  ],
)
def test_an_example_runs(name):
  (test,) = doctest.DocTestFinder(recurse=False).find(PUBLIC[name], name)
  assert test.examples
  told = []
  result = doctest.DocTestRunner().run(test, out=told.append)
  assert result.failed == 0, ''.join(told)


# --- What is refused --------------------------------------------------------

_OF_FEATURES = (
  pl.measures.active_units,
  pl.measures.dead_units,
  pl.measures.dormancy,
  pl.measures.effective_rank,
  pl.measures.feature_rank,
  pl.measures.srank,
  pl.measures.stable_rank,
  pl.losses.feature_norm,
  lambda x: pl.measures.dormant_overlap(x, np.ones([2, 3])),
)
_OF_TREES = (
  pl.measures.weight_norm,
  pl.losses.l2,
  pl.losses.parseval,
  pl.losses.spectral_norm,
)
_OF_TWO_TREES = (
  pl.losses.l2_init,
  pl.measures.distance_from_init,
  pl.measures.update_ratio,
  pl.measures.weight_growth,
)


@pytest.mark.parametrize('function', _OF_FEATURES)
@pytest.mark.parametrize(
  'features, message',
  (
    (np.ones([3]), r'expected a batch of feature vectors.* shape \(3,\)'),
    (np.ones([0, 3]), r'the array is empty, of shape \(0, 3\)'),
    (np.array([[1.0, np.nan, 0.0]]), 'not all values are finite'),
    ('features', 'expected an array of numbers, found str'),
    (np.ones([2, 3], complex), 'expected real numbers'),
  ),
)
def test_bad_features_are_refused(function, features, message):
  with pytest.raises(pl.UserError, match=message) as caught:
    function(features)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('function', _OF_TREES)
@pytest.mark.parametrize(
  'params, message',
  (
    ({}, 'the tree has no array'),
    ({'w': np.ones([0, 3])}, r"\['w'\]: the array is empty"),
    ({'w': np.full([2, 2], np.inf)}, r"\['w'\]: not all values are finite"),
  ),
)
def test_bad_trees_are_refused(function, params, message):
  with pytest.raises(pl.UserError, match=message):
    function(params)


@pytest.mark.parametrize('function', _OF_TWO_TREES)
def test_trees_that_differ_are_refused(function):
  with pytest.raises(pl.UserError, match='different structure'):
    function({'w': np.ones([2])}, {'v': np.ones([2])})
  with pytest.raises(pl.UserError, match='different shapes') as caught:
    function({'w': np.ones([2])}, {'w': np.ones([3])})
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
  'call, message',
  (
    (lambda x: pl.measures.srank(x, delta=1.0), 'delta must be .* below 1'),
    (lambda x: pl.measures.srank(x, delta=-0.1), 'delta must be at least 0'),
    (lambda x: pl.measures.feature_rank(x, eps=-1), 'eps must be at least 0'),
    (lambda x: pl.measures.dormancy(x, tau=-1), 'tau must be at least 0'),
    (lambda x: pl.measures.dormancy(x, tau=np.nan), 'tau must be at least 0'),
    (lambda x: pl.measures.dormant_overlap(x, x[:, :1]), '2 units now and 1'),
    (lambda x: pl.losses.parseval(x, scale=-1), 'scale must be at least 0'),
    (lambda x: pl.losses.parseval({'b': x[0]}), r"\['b'\].*leave biases out"),
    (lambda x: pl.losses.spectral_norm(x, 0), 'iterations must be at least 1'),
    (lambda x: pl.verdict(x[0], x, margin=1), 'different shapes'),
    (lambda x: pl.verdict(x[0, 0], x, margin=1), r'control: .* shape \(\)'),
    (lambda x: pl.verdict(x, 'a', margin=1), 'treated: expected an array'),
    (lambda x: pl.verdict(x, x, margin=0), 'margin must be a positive number'),
    (lambda x: pl.verdict(x, x * np.nan, margin=1), 'seed 0: the score is nan'),
    (lambda x: pl.masked(3), 'core: expected an optax optimizer, found int'),
    (lambda x: pl.grouped(3), 'core: expected an optax optimizer, found int'),
    (
      lambda x: pl.inject_params(jax.random.PRNGKey(0), None, {'w': x}),
      r"expected \{'encoder': ..., 'head': ...\}.* found \['w'\]",
    ),
    (
      lambda x: pl.SplitNetwork(None, None, None, None),
      'encoder_apply: expected a function',
    ),
  ),
)
def test_bad_options_are_refused(call, message):
  with pytest.raises(ValueError, match=message):
    call(np.ones([2, 2]))


def test_checks_do_not_stand_in_the_way_of_transformations():
  x = jnp.arange(12.0).reshape(2, 3, 2)
  ranks = jax.jit(jax.vmap(pl.measures.srank))(x)
  assert ranks.tolist() == [float(pl.measures.srank(h)) for h in x]
  gradient = jax.jit(jax.grad(pl.losses.l2))({'w': x})
  np.testing.assert_allclose(gradient['w'], 2 * x)


# --- What is computed -------------------------------------------------------


def test_of_an_injected_tree_what_learns_counts():
  params = {'encoder': jnp.ones([2, 2]), 'head': jnp.ones([2, 3])}
  head = InjectedHead(params['head'], 7 * jnp.ones([2, 2, 3]), jnp.ones([2]))
  injected = {**params, 'head': head}
  assert pl.losses.l2(injected) == pl.losses.l2(params) == 10
  assert pl.measures.weight_norm(injected) == pl.measures.weight_norm(params)
  assert pl.losses.l2_init(injected, params) == 0
  assert pl.losses.parseval(injected) == pl.losses.parseval(params)


def test_penalties_of_several_layers_are_summed():
  draw = np.random.default_rng(0)
  a, b = draw.normal(size=[4, 3]), draw.normal(size=[3, 5])
  for penalty in (pl.losses.parseval, pl.losses.spectral_norm):
    np.testing.assert_allclose(
      penalty({'a': a, 'b': [b]}), penalty(a) + penalty(b), rtol=1e-6
    )


def test_a_verdict_averages_over_time_and_pairs_seeds():
  control = np.arange(8.0)
  gain = np.array([0.9, 1.1, 1.0, 1.2, 0.8, 1.0, 1.1, 0.9])
  means = pl.verdict(control, control + gain, margin=0.5)
  over_time = pl.verdict(
    control[:, None] + [[-1, 1, 0]],
    (control + gain)[:, None] + [[2, 0, -2]],
    margin=0.5,
  )
  assert means.verdict == over_time.verdict == 'losing plasticity'
  np.testing.assert_allclose(means.effect, 1.0)
  np.testing.assert_allclose(means.p, 2 / 2**8)
  np.testing.assert_allclose(
    (over_time.effect, over_time.low, over_time.high),
    (means.effect, means.low, means.high),
    rtol=1e-6,
  )
