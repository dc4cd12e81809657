"""Agents and states for the tests of interventions; no environment.

A new agent is one more entry of `AGENTS`, a new intervention one or more rows
of `PROMISES`: every test here then runs over it, fresh, injected before, and
with slots (`with_promises` says which of these `make test` takes). A state has
`SEEDS` seeds, in the layout of a run.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
import pytest

from plasticity_rl import injection
from plasticity_rl import settings
from plasticity_rl.agents import base
from plasticity_rl.agents import dqn
from plasticity_rl.agents import drq
from plasticity_rl.agents import sac
from plasticity_rl.agents import supervised
from plasticity_rl.interventions import expression as expressions
from plasticity_rl.interventions import registry
from plasticity_rl.learner import optimizers
from plasticity_rl.learner.regularizers import registry as regularizers
from plasticity_rl.networks import actor_critic
from plasticity_rl.networks import pixels
from plasticity_rl.networks import sequential
from plasticity_rl.training import trainer as trainer_lib
from plasticity_rl.types import Counters
from plasticity_rl.types import Keys
from plasticity_rl.types import NetSpec
from plasticity_rl.types import TrainState
from plasticity_rl.types import Transition

SEEDS, BATCH, ACTIONS, ACTION_SIZE = 2, 6, 3, 2
HISTORIES = ('fresh', 'injected', 'slots')
# DrQ is SAC on images; the others are DQN with a network or optimizer.
FEWER = {
  'drq_conv': ('fresh',),
  'dqn_simba': ('fresh', 'injected'),
  'dqn_trac': ('injected',),
  'sac_sphere': ('fresh', 'injected'),
}
# What does not apply: it moves mean features into biases, which are not there.
REFUSES = {'sac_sphere': ('continual_backprop',)}
INPUTS = (6,)
IMAGES = (5, 4, 2)


@functools.cache
def split_network(shape, **config):
  """The same object for the same network, whose draws are compiled once."""
  network, layers = sequential.build(
    sequential.Sequential(
      observation_shape=shape, num_outputs=ACTIONS, **config
    )
  )
  network = dataclasses.replace(
    network,
    encoder_init=jax.jit(network.encoder_init),
    head_init=jax.jit(network.head_init),
  )
  return network, layers


@functools.cache
def actor_critic_network(of, shape, **config):
  """'critic' or 'actor', on vectors or images; one object as above."""
  config = sequential.Sequential(
    observation_shape=shape,
    num_outputs=1,
    initializer='orthogonal',
    **config,
  )
  if config.convolutions:
    arguments = config, 3, ACTION_SIZE
    network, layers = (
      pixels.critic(*arguments, 2)
      if of == 'critic'
      else pixels.actor(*arguments)
    )
  elif of == 'critic':
    network, layers = actor_critic.critic(
      actor_critic.critic_config(config, ACTION_SIZE), ACTION_SIZE, 2
    )
  else:
    network, layers = actor_critic.actor(
      actor_critic.actor_config(config, ACTION_SIZE)
    )
  return dataclasses.replace(
    network,
    encoder_init=jax.jit(network.encoder_init),
    head_init=jax.jit(network.head_init),
  ), layers


def actor_critic_nets(shape, **config):
  on_sphere = config.get('hyperspherical', False)
  optimizer = optimizers.make(
    settings.OptimizerConfig(name='adam'), on_sphere=on_sphere
  )
  nets = {
    name: NetSpec(
      *_swap(optimizer, actor_critic_network(name, shape, **config)),
      has_target=name == 'critic',
      on_sphere=on_sphere,
    )
    for name in ('critic', 'actor')
  }
  return {
    **nets,
    'temperature': NetSpec(
      actor_critic.temperature(0.5), optimizer, (), has_target=False
    ),
  }


def _swap(optimizer, built):
  network, layers = built
  return network, optimizer, layers


def mlp(has_target, **optimizer):
  network, layers = split_network(
    INPUTS, convolutions=(), hidden=(5, 4), split=1
  )
  config = settings.OptimizerConfig(**optimizer)
  return NetSpec(network, optimizers.make(config), layers, has_target)


def conv(has_target, **optimizer):
  network, layers = split_network(
    IMAGES, convolutions=((3, 2, 1),), hidden=(4,), split=-2
  )
  config = settings.OptimizerConfig(**optimizer)
  return NetSpec(network, optimizers.make(config), layers, has_target)


def dqn_mlp(slots):
  net = mlp(True, name='adam', decay_updates=100)
  return INPUTS, dqn.DQN(
    net, settings.DQNConfig(target_period_updates=3), slots=slots
  )


def dqn_conv(slots):
  net = conv(True, name='rmsprop_centered', max_gradient_norm=1.0)
  return IMAGES, dqn.DQN(net, settings.DQNConfig(), slots=slots)


def dqn_normed(slots):
  network, layers = split_network(
    INPUTS,
    convolutions=(),
    hidden=(6, 4),
    split=1,
    activation='crelu',
    layer_norm=True,
    weight_norm=True,
  )
  optimizer = optimizers.make(settings.OptimizerConfig(name='upgd'))
  net = NetSpec(network, optimizer, layers, has_target=True)
  return INPUTS, dqn.DQN(net, settings.DQNConfig(), slots=slots)


def dqn_simba(slots):
  network, layers = split_network(
    INPUTS, convolutions=(), hidden=(4,), residual_blocks=2, split=2
  )
  optimizer = optimizers.make(settings.OptimizerConfig(name='muon'))
  net = NetSpec(network, optimizer, layers, has_target=True, sam_radius=0.05)
  return INPUTS, dqn.DQN(net, settings.DQNConfig(), slots=slots)


def dqn_trac(slots):
  network, layers = split_network(
    INPUTS,
    convolutions=(),
    hidden=(5, 4),
    residual_blocks=1,
    multi_skip=True,
    split=1,
  )
  config = settings.OptimizerConfig(name='trac')
  net = NetSpec(
    network,
    optimizers.make(config, remember=True),
    layers,
    has_target=True,
    penalty=regularizers.make(
      settings.RegularizerConfig(c_chain=0.1), network, layers
    ),
    has_reference=True,
  )
  return INPUTS, dqn.DQN(net, settings.DQNConfig(), slots=slots)


def classifier(slots):
  net = mlp(False, name='adamw', weight_decay=0.1)
  return INPUTS, supervised.Supervised(net, slots=slots)


def sac_mlp(slots):
  nets = actor_critic_nets(INPUTS, convolutions=(), hidden=(5, 4), split=1)
  return INPUTS, sac.SAC(
    nets, settings.SACConfig(tau=0.5), ACTION_SIZE, slots=slots
  )


def sac_sphere(slots):
  nets = actor_critic_nets(
    INPUTS,
    convolutions=(),
    hidden=(4,),
    residual_blocks=1,
    hyperspherical=True,
    split=-2,
  )
  return INPUTS, sac.SAC(
    nets, settings.SACConfig(tau=0.5), ACTION_SIZE, slots=slots
  )


def drq_conv(slots):
  nets = actor_critic_nets(
    IMAGES, convolutions=((3, 2, 1),), hidden=(4,), split=1
  )
  return IMAGES, drq.DrQ(
    nets, settings.DrQConfig(shift=1), ACTION_SIZE, slots=slots
  )


# `(slots) -> (shape of an observation, agent)`, by name.
AGENTS: dict[str, Callable[[int], tuple[tuple[int, ...], base.Agent]]] = {
  f.__name__: f
  for f in (
    dqn_mlp,
    dqn_conv,
    dqn_normed,
    dqn_simba,
    dqn_trac,
    classifier,
    sac_mlp,
    sac_sphere,
    drq_conv,
  )
}


def pairs(names=None):
  """Agents with histories; of those that differ little from others, fewer."""
  return [
    pytest.param(agent_name, history)
    for agent_name in names or AGENTS
    for history in FEWER.get(agent_name, HISTORIES)
  ]


class Case(NamedTuple):
  """An agent and a state in the middle of training.

  Attributes:
    agent: the agent.
    state: of `SEEDS` seeds, every leaf another than at the start.
    batch: transitions, the same for all seeds.
  """

  agent: base.Agent
  state: TrainState
  batch: Transition


class Promise(NamedTuple):
  """What an intervention says of itself.

  Attributes:
    text: the intervention, as in a config.
    changes: what of the part that learns becomes another: 'encoder', 'head',
      'last' for the last layer, 'weights', 'biases' and 'gains' (of weight
      normalisation) of all layers, 'layers' for all of them,
      'recycled' for what `zeroed='recycled'` names, 'mixed' for the weights
      (and gains) among it, 'fed' for the biases of layers that units which can
      be recycled feed.
    frozen: what becomes of frozen heads: 'kept', 'dropped', or 'added'.
    groups: optimizer groups that start anew.
    by_weight: whether groups start anew weight by weight: what an optimizer
      keeps of no single one (the scale of TRAC) goes on, counts apart.
    zeroed: moments that become zero, apart from those, as in `changes`:
      'recycled' for the weights into and out of every unit that can be
      recycled.
    counts: whether groups with such moments count anew.
    same_draw: whether what changes is equal in online and target afterwards.
    predicts: whether predictions stay.
    redraws: whether weights are drawn again though frozen heads stay.
    unseen_by: agents whose predictions may stay all the same: their weights are
      normalised, and two normalised units are as good as constant.
    elsewhere: what changes, and which groups start anew, of networks that the
      agent does not act on by default, which otherwise stay; and of those that
      do not train the encoder, where that is more.
  """

  text: str
  changes: tuple[str, ...] = ()
  frozen: str = 'kept'
  groups: tuple[str, ...] = ()
  by_weight: bool = False
  zeroed: tuple[str, ...] = ()
  counts: bool = False
  same_draw: bool = False
  predicts: bool = False
  redraws: bool = False
  unseen_by: tuple[str, ...] = ()
  elsewhere: tuple[str, ...] = ()


BOTH = ('encoder', 'head')
_reset = functools.partial(Promise, frozen='dropped', same_draw=True)
_inject = functools.partial(
  Promise, changes=('head',), frozen='added', same_draw=True
)
_recycle = functools.partial(
  Promise, changes=('recycled',), zeroed=('recycled',), redraws=True
)
PROMISES = (
  Promise('control', predicts=True),
  Promise('reseed', predicts=True),
  _inject('injection', groups=('head',), predicts=True),
  _inject('injection(optimizer_state="keep")', predicts=True),
  _inject('injection(optimizer_state="reset_all")', groups=BOTH, predicts=True),
  _inject('injection(third_term=False)', groups=('head',)),
  _inject('injection(fresh="first_draw")', groups=('head',), predicts=True),
  Promise('optimizer_reset', groups=BOTH, predicts=True),
  Promise('optimizer_reset(groups="head")', groups=('head',), predicts=True),
  _recycle('redo(tau=1e9)', counts=True),
  _recycle('redo(tau=1e9, count="keep")'),
  Promise('redo(tau=-1e-9)', predicts=True),
  _recycle('regrama(tau=1e9)', counts=True),
  _recycle('regrama(tau=1e9, count="keep")'),
  Promise('regrama(tau=-1e-9)', predicts=True),
  # Of a first call with every unit mature, all of them.
  Promise(
    'continual_backprop(rate=1, maturity=0)',
    changes=('recycled', 'fed'),
    zeroed=('recycled',),
    redraws=True,
    unseen_by=('dqn_normed',),
  ),
  Promise('continual_backprop(rate=0, maturity=0)', predicts=True),
  Promise(
    'continuous_partial_resets(period=1, rate=1, sharpness=0)',
    changes=('mixed',),
  ),
  # Not yet at a first call.
  Promise('continuous_partial_resets', predicts=True),
  Promise('continuous_partial_resets(period=1, rate=0)', predicts=True),
  # Nothing can have been silent for long at a first call, and nothing has
  # moved since; `tests/interventions` makes many calls.
  Promise('self_normalized_resets', predicts=True),
  Promise('fire', changes=('weights', 'gains'), groups=BOTH, same_draw=True),
  Promise(
    'fire(optimizer="keep", iterations=3)',
    changes=('weights', 'gains'),
    same_draw=True,
  ),
  Promise('hare_and_tortoise(period=1)', predicts=True),
  Promise(
    'normalize_and_project', changes=('weights',), unseen_by=('dqn_normed',)
  ),
  Promise('weight_clipping(kappa=0.01)', changes=('weights', 'biases')),
  Promise('weight_clipping(kappa=1e9)', predicts=True),
  _reset('reset', changes=('head',), groups=('head',)),
  _reset('reset(optimizer="keep")', changes=('head',)),
  _reset('reset(scope="last")', changes=('last',), groups=('head',)),
  _reset(
    'reset(scope="all_but_encoder")',
    changes=('head',),
    groups=('head',),
    elsewhere=BOTH,
  ),
  _reset(
    'reset(scope="everything")', changes=BOTH, groups=BOTH, elsewhere=BOTH
  ),
  Promise(
    'reset(scope="random", fraction=1)',
    changes=BOTH,
    groups=BOTH,
    by_weight=True,
    same_draw=True,
    redraws=True,
  ),
  Promise('reset(scope="random", fraction=0)', predicts=True),
  Promise(
    'selective_weight_reinitialization(factor=1e9)',
    changes=BOTH,
    groups=BOTH,
    by_weight=True,
    same_draw=True,
    redraws=True,
  ),
  Promise(
    'selective_weight_reinitialization(utility="magnitude", '
    'pruning="proportional", factor=1, count="keep")',
    changes=BOTH,
    zeroed=('layers',),
    same_draw=True,
    redraws=True,
  ),
  # No weight is exactly zero.
  Promise(
    'selective_weight_reinitialization(utility="magnitude", factor=0)',
    predicts=True,
  ),
  Promise('shrink_and_perturb', changes=BOTH, groups=BOTH),
  Promise(
    'shrink_and_perturb(noise="gaussian", perturb=0.01, optimizer="keep")',
    changes=BOTH,
  ),
  Promise(
    'shrink_and_perturb(shrink=0, perturb=1)',
    changes=BOTH,
    groups=BOTH,
    same_draw=True,
  ),
  Promise(
    'shrink_and_perturb(shrink={"encoder": 1, "head": 0}, '
    'perturb={"encoder": 0, "head": 1}, optimizer="keep")',
    changes=('head',),
    same_draw=True,
  ),
  Promise(
    'shrink_and_perturb(shrink=1, perturb=0, optimizer="keep")',
    predicts=True,
  ),
)


def applies(agent_name, text):
  """Whether an agent takes the intervention of this text."""
  return text.split('(')[0] not in REFUSES.get(agent_name, ())


def with_promises(names=None, promises=PROMISES):
  """(agent, history, promise): all of them, for `make test-exhaustive`.

  `make test` takes every promise of the first agent after every history. Of
  another agent it takes one promise of each intervention and of what it
  changes, and those about networks beside the default ones, its histories in
  turn: how another argument acts is the same code for every agent. Those that
  differ little from others (`FEWER`) share these, two and two in turn.
  """
  kinds = {(p.text.split('(')[0], p.changes): p for p in reversed(promises)}
  found = []
  for is_other, name in enumerate(names or AGENTS):
    histories = FEWER.get(name, HISTORIES)
    turn = list(FEWER).index(name) if name in FEWER else None
    for i, promise in enumerate(promises):
      if not applies(name, promise.text):
        continue
      covers = promise in kinds.values() or bool(promise.elsewhere)
      covers &= turn is None or (i + turn) % 2 == 0
      for j, history in enumerate(histories):
        left_out = is_other and not (covers and j == i % len(histories))
        found.append(
          pytest.param(
            name,
            history,
            promise,
            marks=[pytest.mark.exhaustive] if left_out else [],
            id=f'{name}-{history}-{promise.text}',
          )
        )
  return found


def make(text, agent):
  """`(key, state of one seed, batch) -> state`."""
  intervention = registry.make(expressions.parse(text), agent.spec)

  def apply(key, state, batch):
    return intervention.apply(key, state, intervention.init(state), batch)[0]

  return apply


def over_seeds(apply):
  """The same over a state of all seeds, as an experiment does it."""
  return jax.vmap(
    apply, in_axes=(0, trainer_lib.AXES, None), out_axes=trainer_lib.AXES
  )


def stack(trees):
  return jax.tree.map(lambda *x: np.stack(x), *trees)


def seed_by_seed(apply):
  """The same as `over_seeds`, without vmap and without a compiler."""

  def all_seeds(keys, state, batch):
    results = [
      apply(key, one_seed(state, seed), batch) for seed, key in enumerate(keys)
    ]
    return TrainState(
      *(
        trees[0] if axis is None else stack(trees)
        for axis, *trees in zip(trainer_lib.AXES, *results, strict=True)
      )
    )

  return all_seeds


def one_seed(state, seed=0):
  """The state of one seed."""
  return TrainState(
    *(
      tree if axis is None else jax.tree.map(lambda x: x[seed], tree)
      for tree, axis in zip(state, trainer_lib.AXES, strict=True)
    )
  )


def keys(number):
  """A key for each seed."""
  return jax.random.split(jax.random.PRNGKey(number), SEEDS)


def moved(state, seed):
  """As after some training: all that learns and every moment is another."""
  rng = np.random.default_rng(seed)

  def noise(x):
    # Away from zero, so that nothing is equal by chance.
    return rng.uniform(0.1, 0.3, x.shape).astype(np.float32)

  def move(params):
    return jax.tree.map(
      lambda p, learns: p + noise(p) if learns else p,
      params,
      injection.trainable_mask(params),
    )

  nets = {}
  for name, one in state.nets.items():
    nets[name] = one._replace(
      params=move(one.params),
      target=None if one.target is None else move(one.target),
      opt_state=jax.tree.map(
        # Second moments above the squares of the first, as they are.
        lambda x: (
          (0.4 + noise(x))
          if x.dtype == np.float32
          else np.full(x.shape, 7, x.dtype)
        ),
        one.opt_state,
      ),
    )
  return jax.tree.map(np.asarray, state._replace(nets=nets))


@functools.cache
def case(agent_name, history):
  """The case; made once in a process."""
  shape, agent = AGENTS[agent_name](2 if history == 'slots' else 0)
  counters = Counters(*(np.array(n, np.int32) for n in (50, 40, 50, 0)))
  state = TrainState(
    nets=stack([agent.init(key) for key in keys(0)]),
    replay=np.ones((SEEDS, 2), np.float32),
    env=np.ones((SEEDS, 2), np.float32),
    keys=Keys(keys(1), keys(2)),
    counters=counters,
    interventions={},
  )
  rng = np.random.default_rng(0)
  actions = (
    rng.uniform(-1, 1, (BATCH, ACTION_SIZE)).astype(np.float32)
    if 'actor' in agent.spec.nets
    else rng.integers(0, ACTIONS, BATCH).astype(np.int32)
  )
  batch = Transition(
    s_tm1=rng.standard_normal((BATCH, *shape), np.float32),
    a_tm1=actions,
    r_t=rng.standard_normal(BATCH, np.float32),
    discount_t=np.full(BATCH, 0.9, np.float32),
    s_t=rng.standard_normal((BATCH, *shape), np.float32),
  )
  state = moved(state, 0)
  if history != 'fresh':
    inject = seed_by_seed(make('injection', agent))
    state = moved(inject(keys(3), state, batch), 1)
  return Case(agent, state, batch)


@functools.cache
def outcome(agent_name, history, text):
  """The state of all seeds after an intervention.

  Not compiled, one seed after another: see `compiled_outcomes`.
  """
  agent, state, batch = case(agent_name, history)
  return seed_by_seed(make(text, agent))(keys(4), state, batch)


def compiled_outcomes(agent_name, history, texts):
  """That of `outcome` by text, under jit and vmap as in an experiment.

  All in one program, since compiling is what takes time.
  """
  agent, state, batch = case(agent_name, history)

  def all_of_them(keys, state):
    return {
      text: over_seeds(make(text, agent))(keys, state, batch) for text in texts
    }

  return jax.jit(all_of_them)(keys(4), state)
