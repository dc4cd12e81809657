"""Environments as pure functions on device, in dm_env terms.

`base.Environment` is the interface, `registry.make` builds one by name. Each
game is one file; `continual` and `time_limit` wrap any of them.
"""
