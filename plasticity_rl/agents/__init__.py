"""Agents: init, act, loss and update. No environment, no file, no clock."""
