"""What does not exist is refused before anything is computed."""

import jax
import pytest

from plasticity_rl.errors import UserError
from plasticity_rl.interventions import registry
from tests.properties import cases

each_agent = pytest.mark.parametrize('agent_name', list(cases.AGENTS))
# An expression, and what the message has to name.
REFUSED = {
  'injectoin': ['injectoin', "'injection'", 'reset'],
  'injection(optimizer_state="rest")': ['reset_head', 'keep', 'reset_all'],
  'injection(third_term="no")': ['third_term', 'True', 'False'],
  'injection(freeze_original=None)': ['freeze_original', 'True', 'False'],
  'injection(fresh="first")': ['fresh', 'drawn', 'first_draw'],
  'injection(target="onlin")': ["'online'", 'own'],
  'optimizer_reset(groups="heads")': ["'head'", 'encoder'],
  'optimizer_reset(groups=("head", "tail"))': ['tail', 'encoder', 'head'],
  'optimizer_reset(groups=())': ['group', 'encoder', 'head'],
  'redo(tau="low")': ['tau', 'number', 'low'],
  'redo(tau=True)': ['tau', 'number', 'True'],
  'redo(count="kept")': ["'keep'", 'reset'],
  'regrama(tau="low")': ['regrama: tau', 'number', 'low'],
  'regrama(count="kept")': ["'keep'", 'reset'],
  'fire(iterations=0)': ['fire: iterations', 'at least 1', '0'],
  'fire(iterations=2.5)': ['fire: iterations', 'whole', '2.5'],
  'fire(dense="projct")': ["'project'", 'reset', 'keep'],
  'fire(optimizer="kept")': ["'keep'", 'reset'],
  'fire(dense="keep")': ['no convolutions in q', 'dense="project"'],
  'continual_backprop(rate=-0.1)': ['rate', '0 to 1', '-0.1'],
  'continual_backprop(rate=1.5)': ['rate', '0 to 1', '1.5'],
  'continual_backprop(maturity=-1)': ['maturity', 'at least 0', '-1'],
  'continual_backprop(maturity=1.5)': ['maturity', 'whole', '1.5'],
  'continual_backprop(decay=1)': ['decay', '0 to below 1: 1'],
  'continual_backprop(count=0)': ['keep', 'reset'],
  'continuous_partial_resets(rate=1.5)': ['rate', '0 to 1', '1.5'],
  'continuous_partial_resets(sharpness=-1)': ['sharpness', '0 to inf', '-1'],
  'continuous_partial_resets(threshold="x")': ['threshold', 'number', 'x'],
  'continuous_partial_resets(decay=1)': ['decay', '0 to below 1: 1'],
  'continuous_partial_resets(period=0)': ['period', 'at least 1', '0'],
  'self_normalized_resets(eta=1)': ['eta', '0 to below 1: 1'],
  'self_normalized_resets(eta=-1)': ['eta', '0 to below 1', '-1'],
  'self_normalized_resets(decay=2)': ['decay', '0 to 1', '2'],
  'self_normalized_resets(count="no")': ['keep', 'reset'],
  'hare_and_tortoise(period=0)': ['period', 'at least 1', '0'],
  'hare_and_tortoise(momentum=1.1)': ['momentum', '0 to 1', '1.1'],
  'hare_and_tortoise(optimizer="kept")': ["'keep'", 'reset'],
  'weight_clipping(kappa=0)': ['kappa', 'above 0'],
  'weight_clipping(kappa=-1)': ['kappa', '0 to inf', '-1'],
  'weight_clipping(kappa=None)': ['kappa', 'number', 'None'],
  'reset(scope="random", fraction=2)': ['fraction', '0 to 1', '2'],
  'reset(scope="random", fraction="x")': ['fraction', '0 to 1', 'x'],
  'reset(scope="top")': ['head', 'last', 'all_but_encoder', 'everything'],
  'reset(scope=3)': ['head', 'last', 'all_but_encoder', 'everything'],
  'reset(optimizer="rset")': ["'reset'", 'keep'],
  'reset(scope="last", layers=0)': ['layers', '1 to 3', '0'],
  'reset(scope="last", layers=4)': ['layers', '1 to 3', '4'],
  'reset(scope="last", layers=1.5)': ['layers', '1 to 3', '1.5'],
  'reset(scope="last", layers="all")': ['layers', '1 to 3', 'all'],
  'shrink_and_perturb(noise="gauss")': ['gaussian', 'initializer'],
  'shrink_and_perturb(optimizer=None)': ['reset', 'keep'],
  'shrink_and_perturb(shrink=1.5)': ['shrink', '0 to 1', '1.5'],
  'shrink_and_perturb(shrink=-0.1)': ['shrink', '0 to 1', '-0.1'],
  'shrink_and_perturb(shrink="a")': ['shrink', 'number', '0 to 1', "'a'"],
  'shrink_and_perturb(shrink={"encoder": 2, "head": 0})': ['shrink', '0 to 1'],
  'shrink_and_perturb(shrink={"encoder": "a", "head": 0})': ['number', "'a'"],
  'shrink_and_perturb(perturb={"tail": 1})': ['perturb', 'encoder', 'head'],
  'shrink_and_perturb(perturb={"head": 1})': ['perturb', 'encoder', 'head'],
  'shrink_and_perturb(perturb=-1)': ['perturb', '0 to inf', '-1'],
  'shrink_and_perturb(perturb=None)': ['perturb', 'number', 'None'],
  'selective_weight_reinitialization(utility="random")': [
    'gradient',
    'magnitude',
  ],
  'selective_weight_reinitialization(pruning="top")': [
    'threshold',
    'proportional',
  ],
  'selective_weight_reinitialization(factor=-1)': ['factor', '0 to inf', '-1'],
  'selective_weight_reinitialization(factor=2, pruning="proportional")': [
    'factor of proportional pruning',
    '0 to 1',
    '2',
  ],
  'selective_weight_reinitialization(count=None)': ['keep', 'reset'],
  'reseed(salt=-1)': ['salt', '-1'],
  'reseed(salt=1.5)': ['salt', '1.5'],
  'reseed(salt=4294967296)': ['salt', '4294967296'],
}
TAKING_NETS = [n for n in registry.REGISTRY if n not in ('control', 'reseed')]


def refuse(text, agent_name='dqn_mlp', slots=0):
  _, agent = cases.AGENTS[agent_name](slots)
  with pytest.raises(UserError) as caught:
    cases.make(text, agent)
  assert '\n' not in str(caught.value)
  return str(caught.value)


@pytest.mark.parametrize('text', REFUSED)
def test_an_unknown_value_is_refused(text):
  message = refuse(text)
  assert [part for part in REFUSED[text] if part not in message] == []


@pytest.mark.parametrize('name', registry.REGISTRY)
def test_an_unknown_option_is_refused(name):
  message = refuse(f'{name}(colour="red")')
  assert 'colour' in message and f'option of {name}' in message
  if name in TAKING_NETS:
    assert 'nets' in message


@each_agent
@pytest.mark.parametrize('name', TAKING_NETS)
@pytest.mark.parametrize('nets', ['actr', ('actr',), 3, ()], ids=str)
def test_an_unknown_network_is_refused(name, nets, agent_name):
  message = refuse(f'{name}(nets={nets!r})', agent_name)
  _, agent = cases.AGENTS[agent_name](0)
  for known in agent.spec.nets:
    assert known in message


@each_agent
@pytest.mark.parametrize('name', TAKING_NETS)
def test_networks_can_be_named(name, agent_name):
  if not cases.applies(agent_name, name):
    pytest.skip('It does not apply.')
  agent, state, batch = cases.case(agent_name, 'fresh')
  by_default = jax.eval_shape(
    cases.make(name, agent), cases.keys(0)[0], cases.one_seed(state), batch
  )
  every = agent.spec.default_nets
  one = [every[0]] if len(every) == 1 else []
  for nets in (*one, every, list(every)):
    named = jax.eval_shape(
      cases.make(f'{name}(nets={nets!r})', agent),
      cases.keys(0)[0],
      cases.one_seed(state),
      batch,
    )
    assert named == by_default


def test_an_original_cannot_go_on_learning_in_slots():
  message = refuse('injection(freeze_original=False)', slots=1)
  assert 'network.slots' in message and 'freeze_original' in message


@pytest.mark.parametrize(
  'name, lacks',
  (
    ('redo', 'hidden units'),
    ('regrama', 'hidden units'),
    ('continual_backprop', 'hidden units'),
    ('continuous_partial_resets', 'hidden units'),
    ('self_normalized_resets', 'hidden units'),
    ('fire', 'layers'),
    ('selective_weight_reinitialization', 'layers'),
    ('weight_clipping', 'layers'),
    ('normalize_and_project', 'layers'),
  ),
)
def test_a_network_with_nothing_to_act_on_is_refused(name, lacks):
  message = refuse(f'{name}(nets=("actor", "temperature"))', 'sac_mlp')
  assert f"'temperature' has no {lacks}; those that have: " in message
  assert message.endswith('critic, actor')
