"""The learner: optimizers, regularisers, and the updates of a step."""
