"""Forks a run into arms: a single fork, a diagnosis, or many for proxies."""
