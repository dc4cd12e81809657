"""What it costs and how often it errs; run by hand, outputs in results/."""

from plasticity_rl import cli

cli.one_thread_for_lapack()
