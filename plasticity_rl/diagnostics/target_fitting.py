"""How well the network still learns something new, beside a fresh one."""

import jax
import jax.numpy as jnp
import optax

from plasticity_rl.diagnostics.base import Probe


def target_fitting(
  probe: Probe, steps: int = 2000, draws: int = 10
) -> dict[str, jax.Array]:
  """Loss after fitting random targets, from the weights now and from fresh.

      y(x) = a + sin(1e5 f(x; w_0)),  a = mean over x of the network's output

  f is a fresh network of the same architecture, each output with its own a;
  the loss is the mean squared error over the probe batch and the outputs. Lyle
  et al., "Understanding Plasticity in Neural Networks", 2023, with their
  steps and draws: the direct measure of plasticity, where others are proxies.

  Both fits make full-batch updates with the network's own optimizer, freshly
  initialised (its schedule starts anew), on what learns: frozen heads go on
  contributing to the function and are not trained. The fresh start is the
  network as it was before any injection, drawn again for every draw. Targets
  are centred on the trained network, so that where its outputs are large the
  fresh one has further to go.

  Nothing of it is kept. It costs 2 * steps * draws updates on the probe batch.

  Args:
    probe: of the network.
    steps: updates of each fit.
    draws: of targets.

  Returns:
    'current' and 'fresh', final losses averaged over the draws, and
    'relative', current / fresh: above 1 where the network learns less than a
    fresh one would.
  """
  network, optimizer = probe.net.network, probe.net.optimizer
  offset = jax.tree.map(
    lambda y: y.mean(0, keepdims=True), probe.output.outputs
  )

  def fit(learns, build, targets):
    """The loss after `steps` updates of `learns`; `build` adds the frozen."""

    def loss(p):
      outputs = network.apply(build(p), probe.inputs).outputs
      errors = jax.tree.leaves(jax.tree.map(jnp.subtract, outputs, targets))
      return jnp.square(jnp.concatenate([e.ravel() for e in errors])).mean()

    def step(carry, _):
      p, opt_state = carry
      updates, opt_state = optimizer.update(jax.grad(loss)(p), opt_state, p)
      return (optax.apply_updates(p, updates), opt_state), None

    carry = learns, optimizer.init(learns)
    (p, _), _ = jax.lax.scan(step, carry, None, length=steps)
    return loss(p)

  def draw(key):
    target_key, fresh_key = jax.random.split(key)
    random = network.apply(network.init(target_key), probe.inputs).outputs
    targets = jax.tree.map(lambda a, f: a + jnp.sin(1e5 * f), offset, random)
    return (
      fit(probe.learns, probe.with_learning, targets),
      fit(network.init(fresh_key), lambda p: p, targets),
    )

  keys = jax.random.split(probe.key_for('target_fitting'), draws)
  current, fresh = jax.tree.map(jnp.mean, jax.vmap(draw)(keys))
  return {'current': current, 'fresh': fresh, 'relative': current / fresh}
