"""What methods refuse, each in one line that says what came."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import plasticity_rl as pl
from plasticity_rl.interventions import expression
from plasticity_rl.interventions import registry
from tests.interventions import nets

KEY = jax.random.PRNGKey(0)
PATHS = {'first': ('first',), 'last': ('last',)}
LAYERS = pl.declare_layers(PATHS)
FEATURES = {'first': np.ones([5, 4])}


def init(key):
  a, b = jax.random.split(key)
  return {
    'first': {'w': jax.random.normal(a, [3, 4]), 'b': jnp.zeros(4)},
    'last': {'w': jax.random.normal(b, [4, 2]), 'b': jnp.zeros(2)},
  }


PARAMS = init(KEY)


def redo(params=PARAMS, features=FEATURES, layers=LAYERS, **options):
  options = {'init': init, **options}
  return pl.redo(KEY, params, features, layers, **options)


def regrama(gradient=PARAMS, **options):
  return pl.regrama(KEY, PARAMS, gradient, LAYERS, init=init, **options)


def replaced(value, *path):
  """`PARAMS` with another value at a path."""
  group, name = path
  return {**PARAMS, group: {**PARAMS[group], name: value}}


def without_bias():
  return {k: {'w': layer['w']} for k, layer in PARAMS.items()}


@pytest.mark.parametrize(
  'call, message',
  (
    # Parameters.
    (lambda: redo(np.ones(3)), 'params: expected nested dicts.* found ndarray'),
    (
      lambda: redo({**PARAMS, 'more': 'x'}),
      r"params\['more'\]: expected an array, found str",
    ),
    (lambda: redo(target={'w': np.ones(3)}), 'target and params are trees of'),
    (
      lambda: redo(initial=replaced(np.ones([3, 5]), 'first', 'w')),
      'initial and params have arrays of different shapes',
    ),
    # Layers.
    (lambda: redo(layers=()), 'layers: expected Layers'),
    (lambda: redo(layers=('first', 'last')), 'layers: expected Layers'),
    (lambda: redo(layers=LAYERS + LAYERS[:1]), 'a name is there twice'),
    (
      lambda: redo(layers=pl.declare_layers({**PATHS, 'last': ('params',)})),
      r"layer 'last': params have no 'params' at \[\]: there is "
      r"\['first', 'last'\]",
    ),
    (
      lambda: redo(layers=pl.declare_layers(PATHS, weight='kernel')),
      r"layer 'first': params have no 'kernel' at \['first'\]: there is "
      r"\['b', 'w'\]",
    ),
    (
      lambda: redo(layers=pl.declare_layers(PATHS, weight='b', bias=None)),
      r"layer 'first': 'b' must be weights \[..., inputs, units\], found shape "
      r'\(4,\)',
    ),
    (
      lambda: redo(replaced(jnp.ones(3), 'first', 'scale')),
      r"'scale' beside its weights must be of shape \(4,\).* found \(3,\)",
    ),
    (
      lambda: redo(replaced({'w': jnp.ones(4)}, 'first', 'norm')),
      r"'norm' beside its weights must be of shape \(4,\).* found None",
    ),
    (lambda: redo(layers=LAYERS[1:]), 'none is hidden'),
    (lambda: redo(layers=LAYERS[:1]), "'first' is hidden but feeds no other"),
    (
      lambda: redo(
        layers=pl.declare_layers({'last': ('last',), 'first': ('first',)})
      ),
      "'first' has 3 inputs but follows 'last' of 2 features",
    ),
    (lambda: pl.declare_layers({}), 'paths: expected a path for each layer'),
    (lambda: pl.declare_layers({'a': 'b'}), "layer 'a': path must be a seq"),
    # Features.
    (
      lambda: redo(features=np.ones([5, 4])),
      'features: expected those of each hidden layer by its name, found ndarr',
    ),
    (
      lambda: redo(features={'conv': np.ones([5, 4])}),
      r"features: none of layer 'first': there are \['conv'\]",
    ),
    (
      lambda: redo(features={'first': np.ones([5, 3])}),
      r"features\['first'\]: expected \[B, ..., 4\].* found shape \(5, 3\)",
    ),
    (
      lambda: redo(features={'first': np.ones(4)}),
      r"features\['first'\]: expected a batch of feature vectors",
    ),
    (
      lambda: redo(features={'first': np.full([5, 4], np.nan)}),
      r"features\['first'\]: not all values are finite",
    ),
    # Gradients.
    (
      lambda: regrama({'first': PARAMS['first']}),
      'gradient and params are trees of different structure',
    ),
    (
      lambda: regrama(replaced(np.ones([3, 5]), 'first', 'w')),
      'gradient and params have arrays of different shapes',
    ),
    (
      lambda: regrama(replaced(np.full([3, 4], np.nan), 'first', 'w')),
      r"gradient\['first'\]\['w'\]: not all values are finite",
    ),
    (lambda: regrama(tau=None), 'regrama: tau must be a number'),
    (
      lambda: pl.selective_weight_reinitialization(
        KEY, PARAMS, None, LAYERS, init=init
      ),
      "gradient: None, which utility='magnitude' alone can do without",
    ),
    # Layers of which none need be hidden.
    (lambda: pl.fire(PARAMS, ()), 'layers: expected Layers'),
    (
      lambda: pl.fire(PARAMS, pl.declare_layers({'a': ('more',)})),
      r"layer 'a': params have no 'more' at \[\]",
    ),
    (
      lambda: pl.fire(PARAMS, LAYERS, target={'w': np.ones(3)}),
      'target and params are trees of',
    ),
    (lambda: pl.fire(PARAMS, LAYERS, iterations=0), 'fire: iterations must be'),
    # The initialiser.
    (lambda: redo(init=PARAMS), r'init: expected a function \(key\) -> params'),
    (
      lambda: redo(tau=9.0, init=lambda key: {'w': jnp.ones(2)}),
      r'init\(key\) and params are trees of different structure',
    ),
    # Options.
    (lambda: redo(tau='0.1'), "redo: tau must be a number.*'0.1'"),
    (lambda: redo(count='zero'), 'count'),
    (
      lambda: pl.continual_backprop(LAYERS, init=init, rate=2),
      'continual_backprop: rate must be a number, 0 to 1: 2',
    ),
    (
      lambda: pl.continual_backprop(
        pl.declare_layers(PATHS, bias=None), init=init
      ).init(without_bias()),
      "'last' needs a bias",
    ),
    (
      lambda: pl.self_normalized_resets(LAYERS, init=init, eta=1),
      'self_normalized_resets: eta must be a number, 0 to below 1: 1',
    ),
    # Resets.
    (
      lambda: pl.reset_layers(KEY, PARAMS, [], init=init),
      r'paths: expected paths of layers to draw again, found \[\]',
    ),
    (
      lambda: pl.reset_layers(KEY, PARAMS, ['last'], init=init),
      "paths: a path is a sequence of keys, found 'last'",
    ),
    (
      lambda: pl.reset_layers(KEY, PARAMS, [('last', 'x')], init=init),
      r"paths: params have no 'x' at \['last'\]: there is \['b', 'w'\]",
    ),
    (
      lambda: pl.reset_weights(KEY, PARAMS, 1.5, init=init),
      'reset: fraction must be a number, 0 to 1: 1.5',
    ),
    (
      lambda: pl.shrink_and_perturb(KEY, PARAMS, shrink=-1),
      'shrink_and_perturb: shrink must be a number, 0 to 1: -1',
    ),
  ),
)
def test_what_does_not_fit_is_refused(call, message):
  with pytest.raises(pl.UserError, match=message) as caught:
    call()
  assert '\n' not in str(caught.value)


def test_draws_are_in_the_types_of_the_parameters():
  half = jax.tree.map(lambda x: x.astype(jnp.bfloat16), PARAMS)
  new = redo(half, tau=9.0).params
  assert {x.dtype for x in jax.tree.leaves(new)} == {jnp.bfloat16.dtype}


def test_a_compiled_call_over_seeds_is_that_of_each():
  keys = jax.random.split(KEY, 3)
  many = jax.vmap(init)(jax.random.split(jax.random.PRNGKey(1), 3))
  # Of the second seed nothing is dormant.
  features = {'first': jnp.ones([3, 5, 4]).at[::2, :, 1].set(0.0)}
  found = jax.jit(
    jax.vmap(
      lambda k, p, f: pl.redo(k, p, f, LAYERS, init=init, tau=0.0).params
    )
  )(keys, many, features)
  for i in range(3):
    one, mine = (jax.tree.map(lambda x, i=i: x[i], t) for t in (many, features))
    wanted = pl.redo(keys[i], one, mine, LAYERS, init=init, tau=0.0).params
    jax.tree.map(
      lambda tree, x, i=i: np.testing.assert_allclose(tree[i], x, rtol=1e-5),
      found,
      wanted,
    )
    assert np.any(wanted['first']['w'] != one['first']['w']) == (i != 1)


@pytest.mark.parametrize('kind', nets.SHAPES)
@pytest.mark.parametrize(
  'text, call',
  (
    (
      'redo(tau=0.5)',
      lambda net, arguments: pl.redo(
        init=net.network.init, tau=0.5, **arguments
      ),
    ),
    (
      'continual_backprop(rate=0.3, maturity=0)',
      lambda net, arguments: stepped(
        pl.continual_backprop(
          arguments.pop('layers'), init=net.network.init, rate=0.3, maturity=0
        ),
        arguments,
      ),
    ),
  ),
)
def test_an_intervention_is_the_method_to_the_bit(kind, text, call):
  made, state = nets.agent(kind), nets.plant(nets.state(kind), kind)
  net, q = made.spec.nets['q'], state.nets['q']
  intervention = registry.make(expression.parse(text), made.spec)
  after, _ = intervention.apply(
    KEY, state, intervention.init(state), nets.batch(kind)
  )
  (key,) = jax.random.split(KEY, 1)
  wanted = call(
    net,
    {
      'key': key,
      'params': q.params,
      'features': nets.predict(made, q.params, kind).layers,
      'layers': net.layers,
      'target': q.target,
      'opt_state': q.opt_state,
      'initial': q.initial,
    },
  )
  jax.tree.map(np.testing.assert_array_equal, after.nets['q'], wanted)
  assert not np.array_equal(
    optax.tree.norm(wanted.params), optax.tree.norm(q.params)
  )


def stepped(method, arguments):
  statistics = method.init(arguments['params'], arguments['initial'])
  return method.step(statistics=statistics, **arguments)[0]
