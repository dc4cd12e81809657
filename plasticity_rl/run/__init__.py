"""A run on disk: runner, triggers, checkpoints, metrics."""
