"""Videos of the greedy agent of a saved run."""
