"""The methods and tasks that `benchmarks.methods` compares."""

# Each with its config, the length and the number of its tasks.
TASKS = {
  'continual_catch': {'of': 'continual_catch', 'task': 3000, 'count': 8},
  'random_labels': {'of': 'random_labels', 'task': 500, 'count': 12},
  'continual_control': {
    'of': 'control:pendulum,continual',
    'task': 3000,
    'count': 6,
  },
}
PLAIN = 'plain'


def _each(text: str, *values: float) -> list[dict]:
  """An intervention at three values."""
  return [{'interventions': (text.format(value),)} for value in values]


def _key(key: str, *values, **more) -> list[dict]:
  """A config key at three values."""
  return [{key: value, **more} for value in values]


def methods(task: int) -> dict[str, list[dict]]:
  """Overrides to choose from, by method; `task` is a task's length."""
  per_task = f'every_steps={task}'
  return {
    PLAIN: [{}],
    'plain, tuned': _key('optimizer.learning_rate', 3e-4, 1e-3, 3e-3),
    'injection': _each('injection(every_steps={})', task, 2 * task, 4 * task),
    'reset head': _each('reset(every_steps={})', task, 2 * task, 4 * task),
    'reset everything': _each(
      'reset(scope="everything", every_steps={})', task, 2 * task, 4 * task
    ),
    'random subnetwork': _each(
      f'reset(scope="random", fraction={{}}, {per_task})', 0.1, 0.3, 0.5
    ),
    'shrink and perturb': _each(
      f'shrink_and_perturb(shrink={{0}}, perturb=0.5, {per_task})',
      0.2,
      0.5,
      0.8,
    ),
    'soft shrink and perturb': _each(
      'shrink_and_perturb(shrink={}, perturb=0.001, optimizer="keep", '
      'every_updates=1)',
      0.9999,
      0.999,
      0.99,
    ),
    # The head starts anew, and the encoder is mixed with a fresh draw.
    'reset head, mixed encoder': [
      {
        'interventions': (
          f'shrink_and_perturb(shrink={{"encoder": {kept}, "head": 0.0}}, '
          f'perturb={{"encoder": {round(1 - kept, 1)}, "head": 1.0}}, '
          f'{per_task})',
        )
      }
      for kept in (0.2, 0.5, 0.8)
    ],
    'FIRE': _each('fire(every_steps={})', task, 2 * task, 4 * task),
    'FIRE, reset head': _each(
      'fire(dense="reset_head", every_steps={})', task, 2 * task, 4 * task
    ),
    'optimizer reset': _each(
      'optimizer_reset(every_steps={})', task, 2 * task, 4 * task
    ),
    'ReDo': _each('redo(tau={}, every_steps=500)', 0.0, 0.025, 0.1),
    'ReGraMa': _each('regrama(tau={}, every_steps=500)', 0.0, 0.01, 0.1),
    'selective weight reinitialization': _each(
      'selective_weight_reinitialization(factor={}, every_steps=500)',
      0.001,
      0.01,
      0.1,
    ),
    'continuous partial resets': _each(
      'continuous_partial_resets(rate={}, every_updates=1)', 0.01, 0.1, 0.5
    ),
    'continual backprop': _each(
      'continual_backprop(rate={}, every_updates=1)', 1e-5, 1e-4, 1e-3
    ),
    'self-normalized resets': _each(
      'self_normalized_resets(eta={}, every_updates=1)', 0.1, 0.03, 0.01
    ),
    'hare and tortoise': _each(
      'hare_and_tortoise(period={}, every_updates=1)', 100, 500, 2000
    ),
    'normalize and project': _each(
      'normalize_and_project(every_updates={})', 1, 10, 100
    ),
    'weight clipping': _each(
      'weight_clipping(kappa={}, every_updates=1)', 1.0, 2.0, 4.0
    ),
    'L2': _key('regularizer.l2', 1e-4, 1e-3, 1e-2),
    'L2-init': _key('regularizer.l2_init', 1e-4, 1e-3, 1e-2),
    'InFeR': _key('regularizer.infer', 1e-3, 1e-2, 1e-1),
    'Parseval': _key('regularizer.parseval', 1e-5, 1e-4, 1e-3),
    'spectral norm': _key('regularizer.spectral_norm', 1e-4, 1e-3, 1e-2),
    'C-CHAIN': _key('regularizer.c_chain', 1e-2, 1e-1, 1.0),
    'feature norm': _key('regularizer.feature_norm', 1e-4, 1e-3, 1e-2),
    'layer norm': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.layer_norm': True}
    ),
    'CReLU': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.activation': 'crelu'}
    ),
    'deep Fourier features': _key(
      'optimizer.eps',
      1e-8,
      1e-5,
      1e-3,
      **{'network.activation': 'fourier'},
    ),
    'weight norm': _key(
      'optimizer.eps', 1e-8, 1e-5, 1e-3, **{'network.weight_norm': True}
    ),
    # A residual block in the place of a dense layer.
    'SimBa': _key(
      'optimizer.weight_decay',
      1e-4,
      1e-3,
      1e-2,
      **{
        'network.hidden': (64,),
        'network.residual_blocks': 1,
        'network.initializer': 'orthogonal',
        'optimizer.name': 'adamw',
      },
    ),
    'Adam, b1 = b2': _key('optimizer.b2', 0.9, 0.99, 0.999),
    'Adam, larger eps': _key('optimizer.eps', 1e-5, 1e-3, 1e-1),
    'AdamW': _key(
      'optimizer.weight_decay',
      1e-4,
      1e-3,
      1e-2,
      **{'optimizer.name': 'adamw'},
    ),
    'Muon': _key(
      'optimizer.learning_rate',
      3e-4,
      1e-3,
      3e-3,
      **{'optimizer.name': 'muon'},
    ),
    'TRAC': _key(
      'optimizer.learning_rate',
      1e-3,
      3e-3,
      1e-2,
      **{'optimizer.name': 'trac'},
    ),
    'SAM': _key('optimizer.sam_radius', 0.01, 0.05, 0.2),
    # Its step is gradient descent's, which has learning rates of its own.
    'UPGD': _key(
      'optimizer.learning_rate',
      1e-2,
      3e-2,
      1e-1,
      **{'optimizer.name': 'upgd'},
    ),
    'UPGD along Adam': _key(
      'optimizer.noise', 0.0, 1e-3, 1e-2, **{'optimizer.name': 'adam_upgd'}
    ),
  }
