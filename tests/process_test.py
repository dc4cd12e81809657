"""A run does not depend on the process it is in; what cannot run is refused."""

import csv
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import plasticity_rl as pl
from plasticity_rl import process
from plasticity_rl import settings as settings_lib

ODD = {
  'jax_enable_x64': True,
  'jax_default_prng_impl': 'rbg',
  'jax_enable_custom_prng': True,
  'jax_legacy_prng_key': 'error',
  'jax_numpy_dtype_promotion': 'strict',
  'jax_numpy_rank_promotion': 'raise',
  'jax_transfer_guard': 'disallow',
}


@pytest.fixture(name='odd')
def fixture_odd():
  """Sets flags of jax, all odd by default; puts them back."""
  before = {name: getattr(jax.config, name) for name in ODD}

  def set_flags(flags=ODD):
    for name, value in flags.items():
      jax.config.update(name, value)

  yield set_flags
  set_flags(before)


def config(agent, environment):
  found = settings_lib.default_config(agent, environment)
  found.num_steps, found.segment_steps = 40, 20
  found.evaluation.every_steps = found.diagnostics.every_steps = 20
  found.evaluation.episodes, found.diagnostics.probe_size = 2, 8
  found.replay.min_size, found.replay.batch_size = 8, 4
  found.replay.capacity = 40
  found.network.hidden = (8, 8)
  found.interventions = ('injection(at_steps=20)', 'redo(every_updates=5)')
  found.log.progress = False
  return found


def results(folder):
  """The metrics without seconds, and the process of config.json."""
  with (folder / 'metrics.csv').open(newline='') as file:
    rows = [{**row, 'seconds': ''} for row in csv.DictReader(file)]
  return rows, json.loads((folder / 'config.json').read_text())['process']


def device():
  return config('dqn', 'catch')


def host():
  found = config('dqn', 'tests.environments.scripted:CopiedGymEnv')
  found.environment.overlap = False
  return found


@pytest.mark.slow
@pytest.mark.parametrize('make', (device, host))
def test_a_run_is_the_same_in_every_process(make, odd, tmp_path):
  pl.train(make(), tmp_path / 'plain')
  odd()
  pl.train(make(), tmp_path / 'odd')
  for name, value in ODD.items():  # The caller's process is as it was.
    assert getattr(jax.config, name) == value
  plain, odd_one = results(tmp_path / 'plain'), results(tmp_path / 'odd')
  assert plain[0] == odd_one[0]
  flags = odd_one[1]['flags']
  assert flags['jax_enable_x64'] is False
  assert flags['jax_default_prng_impl'] == 'threefry2x32'
  assert odd_one[1]['backend'] == jax.default_backend()
  assert odd_one[1]['devices']


def test_what_was_set_is_told_and_put_back(odd, monkeypatch):
  heard = []
  monkeypatch.setattr(
    process.logging, 'warning', lambda text, *args: heard.append(text % args)
  )
  with process.settled():
    pass
  assert heard == []
  odd({'jax_enable_x64': True})
  with pytest.raises(ZeroDivisionError), process.settled():
    assert jnp.zeros(1).dtype == jnp.float32
    assert 1 / 0
  assert jax.config.jax_enable_x64
  assert heard == [
    'jax_enable_x64 is True, but False during the run: a run computes in '
    'float32'
  ]


def test_a_context_that_cannot_be_undone_is_refused(tmp_path):
  with jax.enable_x64(True):
    with pytest.raises(pl.UserError, match='jax_enable_x64 is True by a con'):
      pl.train(device(), tmp_path / 'run')
  assert not jax.config.jax_enable_x64
  assert not (tmp_path / 'run').exists()


def test_the_record_starts_no_jax():
  code = (
    'import sys; from plasticity_rl import process; print(process.describe());'
    'sys.exit("jax" in sys.modules)'
  )
  environment = {**os.environ, 'JAX_ENABLE_X64': '1'}
  done = subprocess.run(
    [sys.executable, '-c', code],
    env=environment,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert "'JAX_ENABLE_X64': '1'" in done.stdout
  assert "'flags'" not in done.stdout


@pytest.mark.parametrize(
  'flags, variables, message',
  (
    (['-O'], {}, 'error: python -O (or PYTHONOPTIMIZE) is on'),
    (['-OO'], {}, 'error: python -O (or PYTHONOPTIMIZE) is on'),
    ([], {'PYTHONOPTIMIZE': '1'}, 'error: python -O (or PYTHONOPTIMIZE) is on'),
    (
      [],
      {'JAX_PLATFORMS': 'no_such_device'},
      "error: jax finds no device, JAX_PLATFORMS is 'no_such_device'",
    ),
    ([], {'JAX_ENABLE_X64': 'maybe'}, 'error: jax does not start: invalid'),
  ),
)
def test_a_process_that_cannot_run_is_refused(
  flags, variables, message, tmp_path
):
  path = tmp_path / 'config.py'
  path.write_text(
    'from plasticity_rl import settings\n'
    "get_config = lambda: settings.default_config('dqn', 'catch')\n"
  )
  done = subprocess.run(
    [
      *(sys.executable, *flags, '-m', 'plasticity_rl.train'),
      *(f'--config={path}', f'--workdir={tmp_path / "run"}'),
    ],
    env={**os.environ, **variables},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2, done.stderr
  assert done.stderr.startswith(message)
  assert done.stderr.count('\n') == 1
  assert not (tmp_path / 'run').exists()


# --- Functions on arrays: x64 and typed keys are ordinary. ---


def init(key):
  keys = jax.random.split(key)
  return {
    'first': {'w': jax.random.normal(keys[0], [3, 4]), 'b': jnp.zeros(4)},
    'last': {'w': jax.random.normal(keys[1], [4, 2]), 'b': jnp.zeros(2)},
  }


def assert_alike(new, old):
  assert jax.tree.structure(new) == jax.tree.structure(old)
  for n, o in zip(jax.tree.leaves(new), jax.tree.leaves(old), strict=True):
    assert (n.shape, n.dtype) == (o.shape, o.dtype)


def layers():
  return pl.declare_layers({'first': ['first'], 'last': ['last']})


@pytest.mark.parametrize('x64', (False, True))
@pytest.mark.parametrize('implementation', ('threefry2x32', 'rbg'))
@pytest.mark.parametrize(
  'make', (pl.continual_backprop, pl.self_normalized_resets)
)
def test_methods_keep_dtypes_in_a_loop(make, implementation, x64):
  with jax.enable_x64(x64):
    key = jax.random.key(0, impl=implementation)
    params = init(key)
    assert params['first']['w'].dtype == (jnp.float64 if x64 else jnp.float32)
    features = {'first': jnp.maximum(params['first']['w'], 0)}
    method = make(layers(), init=init)

    def step(carry, one):
      new, statistics = method.step(one, carry[1], carry[0], features)
      return (new.params, statistics), None

    begin = (params, method.init(params))
    end, _ = jax.lax.scan(step, begin, jax.random.split(key, 3))
    assert_alike(end, begin)
    assert int(end[1]['first'].drawn.size) == 4


@pytest.mark.parametrize('x64', (False, True))
@pytest.mark.parametrize('implementation', ('threefry2x32', 'rbg'))
def test_injection_and_resets_take_any_key_and_dtype(implementation, x64):
  with jax.enable_x64(x64):
    key = jax.random.key(0, impl=implementation)
    params, optimizer = init(key), optax.adam(1e-2)
    state = optimizer.init(params)
    features = {'first': jnp.maximum(params['first']['w'], 0)}
    new = pl.redo(key, params, features, layers(), init=init, opt_state=state)
    assert_alike((new.params, new.opt_state), (params, state))
    new = pl.reset_layers(key, params, [('last',)], init=init)
    assert_alike(new.params, params)
    new = pl.reset_weights(key, params, 0.25, init=init)
    assert_alike(new.params, params)

    def draw(key, x):
      return jax.random.normal(key, (x.shape[-1], 2))

    def apply(w, x):
      return x @ w

    net = pl.SplitNetwork(draw, apply, draw, apply)
    x = jnp.ones([5, 3])
    params = net.init(key, x)
    optimizer = pl.grouped(optimizer)
    injected, state = pl.inject(
      jax.random.key(1, impl=implementation),
      net,
      params,
      optimizer,
      optimizer.init(params),
    )
    np.testing.assert_allclose(
      net.apply(injected, x), net.apply(params, x), rtol=1e-5
    )
    updates, _ = optimizer.update(injected, state, injected)
    assert_alike(optax.apply_updates(injected, updates), injected)


def test_devices_of_a_jax_that_has_started():
  jax.devices()
  process.divide_cpu(1, {})
  with pytest.raises(pl.UserError, match='=7: jax has started .* with 1: '):
    process.divide_cpu(7, {})


@pytest.mark.parametrize(
  'devices, given, devices_set, threads',
  (
    (1, {}, None, None),
    (1, {'JAX_NUM_CPU_DEVICES': '3'}, '3', 3),
    (1, {'XLA_FLAGS': '-x --xla_force_host_platform_device_count=4'}, None, 4),
    (1, {'JAX_NUM_CPU_DEVICES': '3', 'PJRT_NPROC': '7'}, '3', None),
  ),
)
def test_devices_of_the_cpu_leave_threads_free(
  devices, given, devices_set, threads
):
  environ = dict(given)
  process.divide_cpu(devices, environ)
  assert environ.get('JAX_NUM_CPU_DEVICES') == devices_set
  if threads is None:
    assert environ.get('PJRT_NPROC') == given.get('PJRT_NPROC')
  else:
    assert int(environ['PJRT_NPROC']) == threads + os.cpu_count()


@pytest.mark.parametrize(
  'given, threads',
  (
    ({}, '1'),
    ({'PJRT_NPROC': '3'}, '3'),
    ({'JAX_NUM_CPU_DEVICES': '2'}, None),
    ({'XLA_FLAGS': '--xla_force_host_platform_device_count=2'}, None),
  ),
)
def test_one_thread_where_nothing_else_was_asked(given, threads):
  environ = dict(given)
  process.use_one_thread(environ)
  assert environ.get('PJRT_NPROC') == threads
