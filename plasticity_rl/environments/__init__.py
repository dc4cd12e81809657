"""Environments: pure functions on the device, or objects on the host.

On the device, `base.Environment` is the interface and `registry.make` builds an
environment by name. Each game is one file; `continual` and `time_limit` wrap
any of them. On the host, `host.HostEnvironments` is the interface and
`host_registry.make` builds them.
"""
