"""From whatever holds rows to record batches in a table's exact types.

`prepare` is the one path: `read_source` turns a source into chunks of columns, `conform` checks the
names, converts every column and returns batches ready for COPY.
"""
