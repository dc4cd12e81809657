"""The progress bar: the step and the mean return of seeds that have one."""

import numpy as np

from plasticity_rl.run.progress import ProgressBar


def test_shows_the_return(capfd):
  with ProgressBar(10, 4, 'arm', enabled=True) as bar:
    bar.update(10, {'eval/return': np.array([1.0, 2.0, np.nan])})
  shown = capfd.readouterr().err
  assert 'arm: 100%' in shown
  assert 'return 1.50' in shown


def test_shows_priming(capfd):
  with ProgressBar(10, 0, 'train', enabled=True) as bar:
    bar.show_priming(3, 8)
  assert 'priming 3/8' in capfd.readouterr().err


def test_off_shows_nothing(capfd):
  with ProgressBar(10, 0, 'train', enabled=False) as bar:
    bar.update(5, {'train/return': np.array([1.0])})
    bar.update(10, {'train/return': np.array([np.nan])})
  assert capfd.readouterr().err == ''
