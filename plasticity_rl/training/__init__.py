"""One compiled segment: data, updates, and when what happens."""
