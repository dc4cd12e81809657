"""Launches studies: many runs that together answer one question."""
