"""Penalties added to a network's loss; `registry.py` sums them.

Each is a pure function to a scalar, without its coefficient; those that act on
any network are in `plasticity_rl.losses`. They see what learns: frozen heads
are left alone, and of the ablation that leaves the original head unfrozen, the
newest head is regularised.
"""
