"""Tables without classes: schemas as modules, classes made for tables, modules written down."""
