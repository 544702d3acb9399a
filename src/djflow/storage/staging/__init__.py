"""Objects that grow in a store before their row is inserted.

A codec whose objects can grow has a method `stages()`: the ways to write one, by the names that
`staged_insert1` gives them. Each makes a `Draft`.
"""
