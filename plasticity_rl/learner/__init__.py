"""The learner: optimizers from configs, and updates per step."""
