"""Split networks: an encoder, a head, and what an injected head means.

`injection` rewrites trees of this kind; here is how they are read.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from plasticity_rl.types import Loss
from plasticity_rl.types import NetworkOutput
from plasticity_rl.types import Params

HEAD = 'head'


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class InjectedHead:
  """A head whose output is the sum of several heads' outputs.

      output = h(trainable) + sum_k signs[k] h(frozen[k]) + sum_j h(thawed[j])

  Attributes:
    trainable: parameters of the head that learns, theta'_1.
    frozen: the same structure with a leading axis of K, in the order of their
      age: [theta, theta'_2] after one injection. Stacked, so that they cost
      one batched product.
    signs: `[K]`: +1 for what was trainable once, -1 for the copies that cancel
      the fresh draws, 0 for a slot that is not open.
    thawed: former heads that go on learning (an ablation); empty otherwise.
  """

  trainable: Params
  frozen: Params
  signs: jax.Array
  thawed: tuple[Params, ...] = ()


@dataclasses.dataclass(frozen=True)
class SplitNetwork:
  """An encoder and a head, each an `(init, apply)` pair of pure functions.

  Attributes:
    encoder_init: `(key, x) -> params`.
    encoder_apply: `(params, x) -> features`.
    head_init: `(key, features) -> params`; an ensemble draws each member
      independently along a leading axis of its leaves.
    head_apply: `(params, features) -> outputs`, a pytree, before any
      non-linearity (softmax, tanh, clipping): outputs of heads are summed.
    with_layers: whether both `apply` functions return `(result, layers)`, with
      `layers` a dict of features by layer; `SplitNetwork.apply` then returns a
      `NetworkOutput`.
    example: an input (or its `jax.ShapeDtypeStruct`), from which the shape of
      the features is known when a head is drawn again. Where it is None the
      shape that `init` last saw is used.

  Raises:
    ValueError: an `apply` that cannot be called, parameters that are not
      arrays, or a head that is drawn before the shape of the features is
      known.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import plasticity_rl as pl
    >>> net = pl.SplitNetwork(
    ...   encoder_init=lambda key, x: jax.random.normal(key, (x.shape[-1], 8)),
    ...   encoder_apply=lambda w, x: jax.nn.relu(x @ w),
    ...   head_init=lambda key, h: jax.random.normal(key, (h.shape[-1], 2)),
    ...   head_apply=lambda w, h: h @ w,
    ... )
    >>> params = net.init(jax.random.PRNGKey(0), jnp.ones([1, 3]))
    >>> net.apply(params, jnp.ones([5, 3])).shape
    (5, 2)
  """

  encoder_init: Callable[..., Params]
  encoder_apply: Callable[..., Any]
  head_init: Callable[..., Params]
  head_apply: Callable[..., Any]
  with_layers: bool = False
  example: Any = None
  _seen: dict[str, Any] = dataclasses.field(
    default_factory=dict, init=False, repr=False, compare=False
  )

  def __post_init__(self) -> None:
    for name in ('encoder_apply', 'head_apply'):
      if not callable(getattr(self, name)):
        raise ValueError(
          f'{name}: expected a function (params, x), found'
          f' {type(getattr(self, name)).__name__}'
        )

  def init(self, key: jax.Array, x: Any = None) -> Params:
    """Draws `{'encoder': ..., 'head': ...}`. The key is consumed.

    `x` may be left out where the network has an `example`.
    """
    encoder_key, head_key = jax.random.split(key)
    x = _zeros(self.example) if x is None else x
    encoder = self.encoder_init(encoder_key, x)
    _check_arrays('encoder_init', encoder)
    self._seen['features'] = jax.eval_shape(self._features, encoder, x)
    return {'encoder': encoder, HEAD: self.draw_head(head_key)}

  def draw_head(self, key: jax.Array) -> Params:
    """A fresh draw of the head's initialiser. The key is consumed."""
    if 'features' not in self._seen:
      if self.example is None:
        raise ValueError(
          'the shape of the features is unknown: call init(key, x) first, '
          'or construct SplitNetwork(..., example=x)'
        )
      encoder = jax.eval_shape(self.encoder_init, key, self.example)
      self._seen['features'] = jax.eval_shape(
        self._features, encoder, self.example
      )
    head = self.head_init(key, _zeros(self._seen['features']))
    _check_arrays('head_init', head)
    return head

  def apply(self, params: Params, x: Any) -> Any:
    """The network's outputs on `x`; see `with_layers` for the form."""
    features, encoder_layers = self._split(
      self.encoder_apply(params['encoder'], x)
    )
    outputs, head_layers = self._apply_head(params[HEAD], features)
    if self.with_layers:
      return NetworkOutput(outputs, {**encoder_layers, **head_layers})
    return outputs

  def _split(self, result: Any) -> Any:
    return result if self.with_layers else (result, {})

  def _features(self, params: Params, x: Any) -> Any:
    return self._split(self.encoder_apply(params, x))[0]

  def _apply_head(self, head: Params, features: Any) -> Any:
    if not isinstance(head, InjectedHead):
      return self._split(self.head_apply(head, features))
    outputs, layers = self._split(self.head_apply(head.trainable, features))
    # Frozen means: constants of the loss, not of the features. Without the
    # stop, XLA would compute weight gradients only for the mask to drop them.
    frozen, signs = jax.lax.stop_gradient((head.frozen, head.signs))
    outputs_k = jax.vmap(
      lambda p: self._split(self.head_apply(p, features))[0]
    )(frozen)
    terms = [
      jax.tree.map(lambda o, k=k: (signs[k] * o[k]).astype(o.dtype), outputs_k)
      for k in range(signs.shape[0])
    ] + [outputs]
    total = [self._split(self.head_apply(p, features))[0] for p in head.thawed]
    # A fresh head and the copy that cancels it are summed first: a pair adds
    # exactly zero when it is new, whatever came before it.
    if len(terms) % 2:
      total.append(terms.pop(0))
    total.extend(
      _add(new, cancel)
      for cancel, new in zip(terms[::2], terms[1::2], strict=True)
    )
    outputs = total[0]
    for term in total[1:]:
      outputs = _add(outputs, term)
    return outputs, layers


def _check_arrays(name: str, params: Params) -> None:
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    if not isinstance(leaf, (int, float)) and not hasattr(leaf, 'dtype'):
      raise ValueError(
        f'{name}: expected parameters that are arrays, found '
        f'{type(leaf).__name__} at {jax.tree_util.keystr(path)}. Of a module '
        'with functions in it, return its arrays alone (of Equinox: '
        'eqx.partition(module, eqx.is_array)[0])'
      )


def trainable(params: Params) -> Params:
  """The part of any tree that learns, in the structure before any injection.

  Every `InjectedHead` in it, wherever that is, becomes its trainable head. (Of
  the unfrozen-original ablation, the newest head.)
  """
  return jax.tree.map(
    lambda node: node.trainable if isinstance(node, InjectedHead) else node,
    params,
    is_leaf=_is_injected,
  )


def replace_trainable(params: Params, new: Params) -> Params:
  """`params` with its learning part replaced; the inverse of `trainable`."""
  return jax.tree.map(
    lambda node, learns: (
      dataclasses.replace(node, trainable=learns)
      if isinstance(node, InjectedHead)
      else learns
    ),
    params,
    new,
    is_leaf=_is_injected,
  )


def gradient_of(loss: Loss, params: Params) -> Params:
  """The gradient of the mean loss by what learns, without any penalty."""
  return jax.grad(
    lambda learns: loss(replace_trainable(params, learns))[0].mean()
  )(trainable(params))


def _is_injected(node: Any) -> bool:
  return isinstance(node, InjectedHead)


def _zeros(like: Any) -> Any:
  return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), like)


def _add(a: Any, b: Any) -> Any:
  return jax.tree.map(jnp.add, a, b)
