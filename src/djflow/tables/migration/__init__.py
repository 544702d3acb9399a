"""One-time changes of existing schemas: columns of job metadata, lineage, checks, copies and comparisons.

Helpers take the names that PostgreSQL knows, so that no class is needed; each works in one transaction.
"""
