"""Penalties added to a network's loss, one a file; `registry.py` sums them.

Each is a pure function to a scalar, without its coefficient. They see what
learns: frozen heads are left alone, and of the ablation that leaves the
original head unfrozen, the newest head is regularised.
"""
