"""Agents: init, act, loss and update, as pure functions."""
