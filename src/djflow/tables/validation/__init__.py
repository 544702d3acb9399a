"""What `Table.validate` does: all problems of rows, before any of them is inserted."""

from djflow.tables.validation.result import ValidationResult
from djflow.tables.validation.validate import validate

__all__ = ["ValidationResult", "validate"]
