"""The recipes of `docs/fork_your_own_agent.md` do what the framework does."""

import pathlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import plasticity_rl as pl

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = (ROOT / 'docs' / 'fork_your_own_agent.md').read_text()
PYTORCH, FLAX = re.findall(r'```python\n(.*?)```', PAGE, re.DOTALL)

RATE, TAU, STEPS = 0.01, 0.1, 6
_DRAW = np.random.default_rng(0)
X, NEXT = _DRAW.normal(size=(2, 16, 4)).astype(np.float32)
REWARD = _DRAW.normal(size=16).astype(np.float32)


def dense(inputs, outputs):
  w = _DRAW.normal(size=(inputs, outputs)) / np.sqrt(inputs)
  return {
    'w': w.astype(np.float32),
    'b': _DRAW.normal(size=outputs).astype(np.float32),
  }


ENCODER = dense(4, 8)
HEADS = [{'0': dense(8, 5), '2': dense(5, 3)} for _ in range(3)]
HEAD, FRESH, FRESHER = HEADS


def encode(p, x):
  return jax.nn.relu(x @ p['w'] + p['b'])


def value(p, h):
  h = jax.nn.relu(h @ p['0']['w'] + p['0']['b'])
  return h @ p['2']['w'] + p['2']['b']


def loss(apply, params, target):
  """Of temporal differences, so that the target network counts."""
  y = REWARD + 0.9 * jnp.max(apply(target, NEXT), axis=-1)
  return jnp.mean((apply(params, X)[:, 0] - y) ** 2)


def lag(target, online):
  return jax.tree.map(lambda t, o: t + TAU * (o - t), target, online)


@pytest.fixture(name='ours', scope='module')
def fixture_ours():
  """Q of online and target after training, injections and training."""
  drawn = iter((HEAD, FRESH, FRESH, FRESHER, FRESHER))
  net = pl.SplitNetwork(
    lambda key, x: ENCODER, encode, lambda key, h: next(drawn), value, example=X
  )
  optimizer = pl.grouped(optax.scale_by_adam(), after=optax.scale(-RATE))
  key = jax.random.PRNGKey(0)
  params = target = net.init(key, X)
  state = optimizer.init(params)

  @jax.jit
  def step(params, target, state):
    gradient = jax.grad(lambda p: loss(net.apply, p, target))(params)
    updates, state = optimizer.update(gradient, state, params)
    params = optax.apply_updates(params, updates)
    return params, lag(target, params), state

  found = []
  for injections in range(3):
    if injections:
      params, state = pl.inject(key, net, params, optimizer, state)
      target = pl.inject_params(key, net, target)
    for _ in range(STEPS):
      params, target, state = step(params, target, state)
    found += [net.apply(params, X), net.apply(target, X)]
  return np.array(found)


def test_the_equations(ours):
  """h(old) + (h(new) - h(cancel)); old and cancel are constants."""

  def apply(p, x):
    h = encode(p['encoder'], x)
    total = value(p['heads'][0], h)
    for new, cancel in zip(p['heads'][1::2], p['heads'][2::2], strict=True):
      total = total + value(new, h) - value(cancel, h)
    return total

  # The newest head learns: 0, then 1, then 3 of the list.
  newest = (0, 1, 3)
  params = target = {'encoder': ENCODER, 'heads': [HEAD]}
  adam = optax.adam(RATE)
  of_encoder = adam.init(ENCODER)
  found = []
  for at, fresh in zip(newest, (HEAD, FRESH, FRESHER), strict=True):
    if at:
      params, target = (
        {**old, 'heads': [*old['heads'], fresh, fresh]}
        for old in (params, target)
      )
    of_head = adam.init(fresh)  # Moments and count begin anew, of it alone.

    @jax.jit
    def step(params, target, of_encoder, of_head, at=at):
      gradient = jax.grad(lambda p: loss(apply, p, target))(params)
      updates, of_encoder = adam.update(gradient['encoder'], of_encoder)
      encoder = optax.apply_updates(params['encoder'], updates)
      updates, of_head = adam.update(gradient['heads'][at], of_head)
      heads = list(params['heads'])
      heads[at] = optax.apply_updates(heads[at], updates)
      params = {'encoder': encoder, 'heads': heads}
      return params, lag(target, params), of_encoder, of_head

    for _ in range(STEPS):
      params, target, of_encoder, of_head = step(
        params, target, of_encoder, of_head
      )
    found += [apply(params, X), apply(target, X)]
  np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-5)
  # The numbers tell an injection from none.
  assert np.abs(ours[2] - ours[0]).max() > 0.01


def test_the_recipe_in_pytorch(ours):
  """Skipped where there is no PyTorch, which nothing here needs."""
  torch = pytest.importorskip('torch')
  names = {}
  exec(compile(PYTORCH, 'fork_your_own_agent.md', 'exec'), names)

  def tensor(array):
    return torch.tensor(array.tolist(), dtype=torch.float32)

  def layer(p):
    found = torch.nn.Linear(*p['w'].shape)
    with torch.no_grad():
      found.weight.copy_(tensor(p['w'].T))
      found.bias.copy_(tensor(p['b']))
    return found

  def head(p):
    return torch.nn.Sequential(layer(p['0']), torch.nn.ReLU(), layer(p['2']))

  class Net(torch.nn.Module):
    def __init__(self):
      super().__init__()
      self.encoder = torch.nn.Sequential(layer(ENCODER), torch.nn.ReLU())
      self.head = head(HEAD)

    def forward(self, x):
      return self.head(self.encoder(x))

  x, following, reward = map(tensor, (X, NEXT, REWARD))
  net, target = Net(), Net()
  optimizer = torch.optim.Adam(net.parameters(), lr=RATE)

  def step():
    with torch.no_grad():
      y = reward + 0.9 * target(following).max(-1).values
    optimizer.zero_grad()
    ((net(x)[:, 0] - y) ** 2).mean().backward()
    # As agents do; what is frozen must not count.
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1e6)
    optimizer.step()
    with torch.no_grad():
      for t, o in zip(target.parameters(), net.parameters(), strict=True):
        t += TAU * (o - t)

  found = []
  for fresh in (None, FRESH, FRESHER):
    if fresh is not None:
      before = net(x).tolist(), target(x).tolist()
      names['inject'](net, target, optimizer, lambda p=fresh: head(p))
      assert (net(x).tolist(), target(x).tolist()) == before
      assert all(p.grad is None for p in net.head.old.parameters())
      learn = {id(p) for g in optimizer.param_groups for p in g['params']}
      assert learn == {id(p) for p in net.parameters() if p.requires_grad}
    for _ in range(STEPS):
      step()
    found += [net(x).tolist(), target(x).tolist()]
  np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-5)


def test_the_recipe_in_pytorch_is_code():
  compile(PYTORCH, 'fork_your_own_agent.md', 'exec')


def test_the_recipe_in_flax():
  exec(compile(FLAX, 'fork_your_own_agent.md', 'exec'), {})
