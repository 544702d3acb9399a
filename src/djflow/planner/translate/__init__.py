"""A tree of sqlglot's becomes a scalar over one heading; what has no handler here is refused."""
