"""A SAC in Equinox that finds out whether its critics lose plasticity.

  python -m examples.equinox_sac [FOLDER]

A point is pushed to a goal; every task turns the pushes by another angle. After
some tasks every seed is forked into three arms: control, an injection into both
critics, and their dormant units recycled. Their curves go to the verdict.
"""

import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

import plasticity_rl as pl
from examples import equinox_networks
from examples.curves import Curves

REPLAY, BATCH, EPISODE, TAU = 4000, 64, 20, 0.005
STATE, ACTION = 4, 2  # Where the point is and where the goal; a push.


NET, LAYERS = equinox_networks.make_critic(STATE + ACTION)
CRITIC = pl.grouped(optax.scale_by_adam(), after=optax.scale(-1e-3))
ACTOR = optax.adam(1e-3)


def make_policy(key):
  """Arrays and the rest of a policy: means and logarithms of scales."""
  policy = equinox_networks.make_policy(key, STATE, 2 * ACTION)
  return eqx.partition(policy, eqx.is_array)


STATIC = make_policy(jax.random.key(0))[1]


def act(params, s, key):
  """Pushes `[B, 2]` of a squashed Gaussian, and their log-probabilities."""
  mean, scale = jnp.split(jax.vmap(eqx.combine(params, STATIC))(s), 2, -1)
  scale = jnp.exp(jnp.clip(scale, -5, 2))
  u = mean + scale * jax.random.normal(key, mean.shape)
  log_p = -((u - mean) ** 2) / (2 * scale**2) - jnp.log(scale)
  log_p -= 0.5 * jnp.log(2 * jnp.pi)
  log_p -= 2 * (jnp.log(2) - u - jax.nn.softplus(-2 * u))
  return jnp.tanh(u), log_p.sum(-1)


def value(critics, s, a):
  """Of each critic, `[2, B]`."""
  x = jnp.concatenate([s, a], -1)
  return jax.vmap(lambda p: NET.apply(p, x).outputs)(critics)


def start(key):
  """All that an agent goes on with: two arms may begin from the same."""
  keys = jax.random.split(key, 4)
  critics = jax.vmap(NET.init)(jax.random.split(keys[0]))
  actor = {
    'policy': make_policy(keys[1])[0],
    'log_alpha': jnp.zeros([]),
  }
  s, a, r = (jnp.zeros([REPLAY, *n]) for n in ([STATE], [ACTION], []))
  return {
    'critics': critics,
    'targets': critics,
    'critic_state': jax.vmap(CRITIC.init)(critics),
    'actor': actor,
    'actor_state': ACTOR.init(actor),
    'replay': (s, a, r, s),
    's': jax.random.uniform(keys[2], [STATE], minval=-1),
    'step': jnp.int32(0),
    'key': keys[3],
  }


def losses(actor, critics, targets, batch, keys):
  """Of critics and actor: equations 5, 7 and 18 of Haarnoja et al., 2018."""
  s, a, r, after = batch
  alpha = jnp.exp(actor['log_alpha'])
  fixed = jax.lax.stop_gradient
  a_t, log_p_t = act(fixed(actor['policy']), after, keys[0])
  y = value(targets, after, a_t).min(0) - fixed(alpha) * log_p_t
  y = fixed(r + 0.95 * y)
  of_critics = ((value(critics, s, a) - y) ** 2).mean(-1).sum()
  new, log_p = act(actor['policy'], s, keys[1])
  of_policy = fixed(alpha) * log_p - value(fixed(critics), s, new).min(0)
  of_alpha = -alpha * fixed(log_p - ACTION)  # Target entropy: -ACTION.
  return of_critics + of_policy.mean() + of_alpha.mean()


def play(state, task, steps):
  """Steps of a task, each with an update: the state, and the rewards."""
  turn = jax.random.uniform(jax.random.key(task), maxval=2 * jnp.pi)
  c, d = jnp.cos(turn), jnp.sin(turn)
  begun = state['step']  # What is older in the replay is of another task.
  turned = 0.2 * jnp.array([[c, -d], [d, c]])

  def step(state, _):
    n, s = state['step'], state['s']
    key, act_key, reset_key, draw, *keys = jax.random.split(state['key'], 6)
    a = act(state['actor']['policy'], s[None], act_key)[0][0]
    point = jnp.clip(s[:2] + turned @ a, -1, 1)
    r = -jnp.linalg.norm(point - s[2:])
    after = jnp.concatenate([point, s[2:]])
    replay = jax.tree.map(
      lambda x, y: x.at[n % REPLAY].set(y), state['replay'], (s, a, r, after)
    )
    last = jnp.minimum(n - begun + 1, REPLAY)
    at = (n - jax.random.randint(draw, [BATCH], 0, last)) % REPLAY
    batch = jax.tree.map(lambda x: x[at], replay)
    actor, critics, targets = (
      state[k] for k in ('actor', 'critics', 'targets')
    )
    of_actor, of_critics = jax.grad(losses, (0, 1))(
      actor, critics, targets, batch, keys
    )
    updates, actor_state = ACTOR.update(of_actor, state['actor_state'])
    actor = optax.apply_updates(actor, updates)
    updates, critic_state = jax.vmap(CRITIC.update)(
      of_critics, state['critic_state'], critics
    )
    critics = optax.apply_updates(critics, updates)
    targets = jax.tree.map(lambda t, o: t + TAU * (o - t), targets, critics)
    fresh = jax.random.uniform(reset_key, [STATE], minval=-1)
    new = {'critics': critics, 'targets': targets, 'actor': actor}
    new |= {'critic_state': critic_state, 'actor_state': actor_state}
    new |= {'replay': replay, 'step': n + 1, 'key': key}
    return new | {'s': jnp.where((n + 1) % EPISODE == 0, fresh, after)}, r

  return jax.lax.scan(step, state, length=steps)


def features(critic, state):
  """Of a critic's layers, on what the replay holds."""
  s, a, *_ = state['replay']
  return NET.apply(critic, jnp.concatenate([s, a], -1)).layers


def inject(key, state):
  """An injection into each critic, and the same into its target."""

  def one(key, critic, target, critic_state):
    critic, critic_state = pl.inject(key, NET, critic, CRITIC, critic_state)
    return critic, pl.inject_params(key, NET, target), critic_state

  return _on_critics(one, key, state)


def recycle(key, state):
  """Dormant units of each critic are drawn again, of its target too."""

  def one(key, critic, target, critic_state):
    h = features(critic, state)
    kept = {'target': target, 'opt_state': critic_state}
    new = pl.redo(key, critic, h, LAYERS, init=NET.init, tau=0.1, **kept)
    return new.params, new.target, new.opt_state

  return _on_critics(one, key, state)


def _on_critics(one, key, state):
  names = 'critics', 'targets', 'critic_state'
  changed = jax.vmap(one)(jax.random.split(key), *(state[n] for n in names))
  return state | dict(zip(names, changed, strict=True))


def diagnose(state):
  """Effective rank and dormant units of the critics' last hidden layer."""
  h = jax.vmap(lambda p: features(p, state)['second'])(state['critics'])
  return jax.vmap(pl.measures.srank)(h), jax.vmap(pl.measures.dormancy)(h)


def main(out='runs/equinox_sac', *, tasks=3, steps=1000, seeds=8):
  """Trains, diagnoses, forks and judges; returns the verdict."""
  keys = jax.random.split(jax.random.key(1), seeds)
  run = jax.jit(jax.vmap(lambda s, t: play(s, t, steps), (0, None)))
  state, curves = jax.jit(jax.vmap(start))(keys), Curves()
  for task in range(tasks):
    state, rewards = run(state, task)
    mean = curves.add(None, rewards * EPISODE, steps)
    srank, dormant = map(jnp.mean, jax.jit(jax.vmap(diagnose))(state))
    print(f'task {task}: {mean:.2f}, srank {srank:.0f}, dormant {dormant:.2f}')
  arms = {'control': lambda key, s: s, 'injection': inject, 'redo': recycle}
  for name, change in arms.items():
    forked = jax.jit(jax.vmap(change))(keys, state)
    curves.add(name, run(forked, tasks)[1] * EPISODE, steps)
  return curves.verdict(out, margin=1.0)


if __name__ == '__main__':
  verdict = main(*sys.argv[1:])
  print(verdict.table())
  print(f'verdict: {verdict.line}')
