"""A run on disk.

`runner` is the loop, `start` where it begins, `triggers` the interventions that
wait for a criterion. `checkpoint` saves and restores; `checkpoint_folder`,
`checkpoint_files` and `checkpoint_hosts` are its parts. `recorder` writes what
happens, through `metrics`, `accounts` (with `flops`) and `progress`.
"""
