"""Checkpoints of networks that have aged, to fork at once."""
