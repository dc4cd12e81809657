"""What every command does before it begins."""

import os

from plasticity_rl import cli


def test_lapack_has_one_thread_unless_told_otherwise(monkeypatch):
  monkeypatch.delenv('OPENBLAS_NUM_THREADS', raising=False)
  seen = []
  try:
    cli.run(
      lambda argv: seen.append(os.environ['OPENBLAS_NUM_THREADS']),
      argv=['command'],
    )
  except SystemExit as done:
    assert not done.code
  assert seen == ['1']
  monkeypatch.setenv('OPENBLAS_NUM_THREADS', '2')
  cli.one_thread_for_lapack()
  assert os.environ['OPENBLAS_NUM_THREADS'] == '2'
