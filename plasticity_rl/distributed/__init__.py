"""One device or many, one process or many."""
