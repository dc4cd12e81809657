"""What is built of settings, and what does not fit together."""

import pytest

from plasticity_rl.diagnostics import registry as diagnostics
from plasticity_rl.errors import UserError
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.training import event_keys
from plasticity_rl.training import experiment as experiment_lib
from tests.training import small


@pytest.mark.parametrize(
  'changes, message',
  (
    ({'network.split': 7}, '2 layers can be split at -2 to 1'),
    ({'network.convolutions': ((4, 2, 1),)}, 'needs images'),
    ({'replay.updates_per_step': 0.75}, 'one over a whole number'),
    ({'replay.updates_per_step': -1.0}, 'must be positive'),
    ({'diagnostics.names': ('srnk',)}, "'srnk'; did you mean 'srank'"),
    (
      {'network.split': -1, 'network.sized_for_injections': 1},
      "'head', but the head has no hidden layer",
    ),
    ({'network.split': 0, 'regularizer.infer': 0.1}, 'needs an encoder'),
    ({'environment.rows': 1}, 'rows must be an integer of 2 or more'),
    ({'environment.permute': 'channels'}, "use permute='inputs'"),
  ),
)
def test_what_does_not_fit_is_refused(changes, message):
  with pytest.raises(UserError, match=message):
    experiment_lib.build(small.dqn(**changes))


@pytest.mark.parametrize(
  'text, message',
  (
    ('injektion', "did you mean 'injection'"),
    ('injection(third_trem=False)', "did you mean 'third_term'"),
    ('injection(nets=("critic",))', "network of this agent 'critic'.* q"),
    ('reset(scope="tail")', "unknown scope 'tail'"),
    ('reset(scope="last", layers=3)', 'layers must be 1 to 2'),
  ),
)
def test_interventions_that_do_not_fit_are_refused(text, message):
  experiment = small.build(small.dqn())
  with pytest.raises(UserError, match=message):
    experiment.intervene(expressions.parse(text))


def test_events_have_keys_of_their_own():
  """By seed, name and step, so that no event moves another one."""
  experiment = small.build(small.supervised())
  state = experiment.init()
  later = state._replace(counters=state.counters._replace(step=5))
  keys = [
    tuple(k)
    for s in (state, later)
    for name in ('evaluate', 'intervene reset')
    for k in event_keys.event_keys(s, name).tolist()
  ]
  assert len(set(keys)) == 8
  # Training's keys do not enter.
  moved = state._replace(keys=state.keys._replace(run=state.keys.event))
  assert (
    event_keys.event_keys(moved, 'evaluate').tolist()
    == event_keys.event_keys(state, 'evaluate').tolist()
  )


def test_every_diagnostic_of_a_config_is_a_column():
  names = diagnostics.FOR_ALL
  experiment = experiment_lib.build(
    small.dqn(
      **{
        'diagnostics.names': names,
        'diagnostics.target': True,
      }
    )
  )
  columns = experiment.metrics()
  parts = {tuple(c.split('/')[1:3]) for c in columns if 'plasticity/' in c}
  assert parts == {
    *(('q', name) for name in names),
    *(('q_target', name) for name in names if name in diagnostics.OF_TARGETS),
  }


def test_diagnostics_are_given_their_settings(monkeypatch):
  seen = {}

  def make(spec, update, names, options, *, target):
    seen.update(options, target=target)
    return real(spec, update, names, options, target=target)

  real = diagnostics.make
  monkeypatch.setattr(diagnostics, 'make', make)
  experiment_lib.build(
    small.dqn(
      **{
        'diagnostics.tau': 0.5,
        'diagnostics.delta': 0.25,
        'diagnostics.covariance_examples': 3,
        'diagnostics.target': True,
        'diagnostics.hessian_iterations': 4,
        'diagnostics.fit_steps': 5,
        'diagnostics.fit_draws': 6,
      }
    )
  )
  assert seen == {
    'dormant_units': {'tau': 0.5},
    'dormant_overlap': {'tau': 0.5},
    'srank': {'delta': 0.25},
    'gradient_covariance': {'examples': 3},
    'ntk_rank': {'examples': 3},
    'ntk_condition': {'examples': 3},
    'hessian': {'iterations': 4},
    'target': True,
    'target_fitting': {'steps': 5, 'draws': 6},
  }


def test_a_target_that_is_not_there_is_refused():
  with pytest.raises(UserError, match='diagnostics.target: no network'):
    experiment_lib.build(small.supervised(**{'diagnostics.target': True}))
