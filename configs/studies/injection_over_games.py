"""Injection as diagnosis: on which games was plasticity what an agent lacked?

Trains on each game, forks, and injects. Bars are the percent change of the
return against the control arm, game by game.

Full: Double DQN on ten Atari games, forked at 50M frames, three seeds. `small`:
four MinAtar games with a small dense network at four updates a step; an hour on
two cores that do nothing else. `tiny` is for tests.
"""

from plasticity_rl.configs import continual_catch
from plasticity_rl.configs import minatar

COMMAND = 'diagnose'
FORK_FRAMES = 50e6
SMALL_STEPS = 60_000
SMALL_HORIZON = 20_000


def get_config(variant: str = ''):
  if variant == 'small':
    config = minatar.get_config('mlp')
    config.num_seeds = 6
    config.num_steps = SMALL_STEPS
    config.replay.capacity = 10_000
    config.replay.min_size = 500
    config.replay.updates_per_step = 4.0
    config.optimizer.learning_rate = 1e-3
    config.agent.epsilon_decay_steps = 10_000
    config.agent.target_period_updates = 200
    config.evaluation.every_steps = 4000
    config.evaluation.episodes = 10
    config.diagnostics.every_steps = 10_000
    config.checkpoint.every_steps = 20_000
    config.fork.horizon = SMALL_HORIZON
  elif variant == 'tiny':
    config = continual_catch.get_config('tiny')
  elif variant == '':
    from plasticity_rl.configs import dqn_atari

    config = dqn_atari.get_config()
    config.fork.step = int(FORK_FRAMES) // 4
  else:
    raise ValueError(f'unknown variant {variant!r}; valid: small, tiny')
  config.fork.arms = ('control', 'injection', 'head_reset=reset(scope="head")')
  return config


def get_sweep(h, variant: str = ''):
  if variant == 'small':
    games = ('asterix', 'breakout', 'freeway', 'space_invaders')
    return h.sweep('environment.name', [f'minatar_{game}' for game in games])
  if variant == 'tiny':
    return h.sweep('environment.rows', [6, 10])
  from plasticity_rl.configs.studies import atari

  return h.product(atari.games(h), h.sweep('seed', [1, 2, 3]))


def figure(study):
  from plasticity_rl.analysis.pages import study_figures

  return study_figures.task_bars(study, 'injection')
