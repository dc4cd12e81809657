"""Replay: the device ring, inside jit."""
