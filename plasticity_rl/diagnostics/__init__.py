"""Diagnostics: pure functions of a network and a probe batch."""
