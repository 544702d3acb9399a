"""A university: a schema for queries, invented data, and a tour of the algebra with its SQL."""
