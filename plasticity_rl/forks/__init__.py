"""Forking a run into arms: fork, diagnosis, proxies."""
