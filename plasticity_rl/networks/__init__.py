"""Networks of the agents, built with Haiku, split into encoder and head."""
