"""A package, since pgx installs another one that is called `tests`."""
