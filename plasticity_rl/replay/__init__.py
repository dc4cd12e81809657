"""Replay buffers: on the device inside jit, and in the host's memory."""
