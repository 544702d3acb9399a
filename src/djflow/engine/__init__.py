"""Runs plans: optimise, lower, read, and give exact Arrow types."""
