"""When does a small network need an injection? For tests."""

from tests.launch import tiny_study

COMMAND = 'diagnose'


def get_config(variant: str = ''):
  config = tiny_study.get_config(variant)
  config.fork.horizon = 100
  config.fork.arms = ('control', 'injection')
  return config


def get_sweep(h):
  return h.sweep('fork.step', [100, 200])
