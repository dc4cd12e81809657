"""Split networks of the agents, as Haiku transforms."""
