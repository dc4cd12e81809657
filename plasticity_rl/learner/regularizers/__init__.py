"""Penalties that are added to the loss of a network; `registry.py` sums them.

Each penalty is a pure function that returns a scalar, without its coefficient.
Penalties for any network are in `plasticity_rl.losses`. They apply to trainable
parameters and not to frozen heads. In the ablation of injection that keeps the
original head trainable, they apply to the newest head.
"""
