"""One call of a `make`: by which protocol, what it has inserted, and how that is committed with others."""
