"""Interventions: pure functions from one training state to another."""
