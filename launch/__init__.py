"""Studies: many runs that answer one question, wherever they run."""
