"""A DQN in Flax that finds out whether it loses plasticity.

  python -m examples.flax_dqn [linen|nnx] [FOLDER]

It plays one task of Catch after another. Then every seed is forked into three
arms: control, an injection, and dormant units recycled. Their curves go to the
verdict.
"""

import sys

import jax
import jax.numpy as jnp
import optax

import plasticity_rl as pl
from examples import catch
from examples import flax_networks
from examples.curves import Curves

REPLAY, BATCH, PERIOD, EPSILON = 2000, 32, 100, 0.05


def start(key, net, optimizer):
  """All that an agent goes on with: two arms may begin from the same."""
  init_key, ball_key, run_key = jax.random.split(key, 3)
  params = net.init(init_key)
  pictures, numbers = jnp.zeros([REPLAY, catch.PIXELS]), jnp.zeros(REPLAY)
  return {
    'params': params,
    'target': params,
    'opt_state': optimizer.init(params),
    'replay': (pictures, jnp.int32(numbers), numbers, numbers, pictures),
    'ball': catch.reset(ball_key),
    'step': jnp.int32(0),
    'key': run_key,
  }


def loss(params, target, batch, net):
  """Of double Q-learning (van Hasselt et al., 2016)."""
  s, a, r, discount, after = batch
  rows = jnp.arange(len(a))
  best = jnp.argmax(net.apply(params, after).outputs, -1)
  y = r + discount * net.apply(target, after).outputs[rows, best]
  return jnp.mean((y - net.apply(params, s).outputs[rows, a]) ** 2)


def play(state, task, steps, net, optimizer):
  """Steps of a task, each with an update: the state, and the rewards."""
  begun = state['step']  # What is older in the replay is of another task.
  task = catch.permutations(task)

  def step(state, _):
    n = state['step']
    key, explore, act, ball_key, draw = jax.random.split(state['key'], 5)
    s = catch.observe(state['ball'], task)
    greedy = jnp.argmax(net.apply(state['params'], s[None]).outputs[0])
    random = jax.random.randint(act, (), 0, catch.ACTIONS)
    a = jnp.where(jax.random.bernoulli(explore, EPSILON), random, greedy)
    after, ball, r, discount = catch.step(ball_key, state['ball'], a, task)
    item = s, a, r, discount, catch.observe(after, task)
    replay = jax.tree.map(
      lambda x, y: x.at[n % REPLAY].set(y), state['replay'], item
    )
    last = jnp.minimum(n - begun + 1, REPLAY)
    at = (n - jax.random.randint(draw, [BATCH], 0, last)) % REPLAY
    batch = jax.tree.map(lambda x: x[at], replay)
    params, target = state['params'], state['target']
    gradient = jax.grad(loss)(params, target, batch, net)
    updates, opt_state = optimizer.update(gradient, state['opt_state'], params)
    params = optax.apply_updates(params, updates)
    target = jax.tree.map(
      lambda t, o: jnp.where(n % PERIOD == 0, o, t), target, params
    )
    new = {'params': params, 'target': target, 'opt_state': opt_state}
    new |= {'replay': replay, 'ball': ball, 'step': n + 1, 'key': key}
    return new, r

  return jax.lax.scan(step, state, length=steps)


def arms(net, layers, optimizer):
  """What each arm does to a state at the fork."""

  def inject(key, state):
    params, opt_state = pl.inject(
      key, net, state['params'], optimizer, state['opt_state']
    )
    # The same key, so that the target gets the same fresh head.
    target = pl.inject_params(key, net, state['target'])
    return state | {'params': params, 'target': target, 'opt_state': opt_state}

  def recycle(key, state):
    features = net.apply(state['params'], state['replay'][0]).layers
    kept = {k: state[k] for k in ('target', 'opt_state')}
    new = pl.redo(
      key, state['params'], features, layers, init=net.init, tau=0.1, **kept
    )
    return state | {k: getattr(new, k) for k in ('params', *kept)}

  return {'control': lambda key, s: s, 'injection': inject, 'redo': recycle}


def main(library='linen', out='runs/flax_dqn', *, tasks=8, steps=3000, seeds=8):
  """Trains, diagnoses, forks and judges; returns the verdict."""
  net, layers = flax_networks.make(library, catch.PIXELS, catch.ACTIONS)
  optimizer = pl.grouped(optax.scale_by_adam(), after=optax.scale(-3e-3))

  def diagnose(state):
    h = net.apply(state['params'], state['replay'][0]).layers['hidden']
    return pl.measures.srank(h), pl.measures.dormancy(h)

  run = jax.jit(
    jax.vmap(lambda s, t: play(s, t, steps, net, optimizer), (0, None))
  )
  diagnose = jax.jit(jax.vmap(diagnose))
  keys = jax.random.split(jax.random.key(0), seeds)
  state = jax.jit(jax.vmap(lambda key: start(key, net, optimizer)))(keys)
  curves = Curves()
  for task in range(tasks):
    state, rewards = run(state, task)
    mean = curves.add(None, rewards * catch.EPISODE, steps)
    srank, dormant = (float(x.mean()) for x in diagnose(state))
    print(f'task {task}: {mean:.2f}, srank {srank:.0f}, dormant {dormant:.2f}')
  keys = jax.random.split(jax.random.key(1), seeds)
  for name, change in arms(net, layers, optimizer).items():
    forked = jax.jit(jax.vmap(change))(keys, state)
    rewards = run(forked, tasks)[1]
    curves.add(name, rewards * catch.EPISODE, steps)
  return curves.verdict(out, margin=0.2)


if __name__ == '__main__':
  verdict = main(*sys.argv[1:])
  print(verdict.table())
  print(f'verdict: {verdict.line}')
