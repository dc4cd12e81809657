"""A run on disk.

`runner` has the loop, `start` the state it begins with, and `triggers` the
interventions that wait for a criterion. `checkpoint` saves and restores, with
`checkpoint_folder`, `checkpoint_files` and `checkpoint_hosts`. `recorder`
records metrics and events, with `metrics`, `accounts`, `flops` and `progress`.
"""
