"""The timeline of an experiment: training, events, fork, checkpoint."""
