"""The examples run, and hand curves to the verdict that pair its arms."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from examples import equinox_sac
from examples import flax_dqn

EXAMPLES = {
  'linen': lambda out: flax_dqn.main('linen', out, tasks=1, steps=60, seeds=2),
  'nnx': lambda out: flax_dqn.main('nnx', out, tasks=1, steps=60, seeds=2),
  'equinox': lambda out: equinox_sac.main(out, tasks=1, steps=60, seeds=2),
}


@pytest.mark.parametrize('name', EXAMPLES)
def test_an_example_ends_in_a_verdict(name, tmp_path, capsys):
  verdict = EXAMPLES[name](tmp_path)
  assert verdict.seeds == 2 and verdict.verdict == 'undecided'
  assert [arm.arm for arm in verdict.arms] == ['injection', 'redo']
  # It has diagnosed itself on the way.
  assert 'task 0: ' in capsys.readouterr().out
  record = json.loads((tmp_path / 'verdict.json').read_text())
  assert not any('differ before' in note for note in record['notes'])
  with (tmp_path / 'curves.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert {row['arm'] for row in rows} == {'control', 'injection', 'redo'}
  assert {int(row['step']) for row in rows} == set(range(6, 121, 6))
  before = [row for row in rows if int(row['step']) <= 60]
  of = {
    arm: [r['return'] for r in before if r['arm'] == arm]
    for arm in ('control', 'injection', 'redo')
  }
  assert of['control'] == of['injection'] == of['redo']


def test_an_injection_of_the_example_changes_no_value():
  state = equinox_sac.start(jax.random.key(0))
  s, a = jax.random.normal(jax.random.key(1), [2, 5, 4])
  new = equinox_sac.inject(jax.random.key(2), state)
  for name in ('critics', 'targets'):
    np.testing.assert_array_equal(
      equinox_sac.value(new[name], s, a[:, :2]),
      equinox_sac.value(state[name], s, a[:, :2]),
    )
  heads = [new[n]['head'].trainable for n in ('critics', 'targets')]
  jax.tree.map(np.testing.assert_array_equal, *heads)
  one, other = heads[0]['second']['w']
  assert not jnp.allclose(one, other)  # Each critic has a draw of its own.
