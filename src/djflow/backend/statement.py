"""What the backend needs to know of a statement to run it."""

from collections.abc import Sequence
from typing import Any, Protocol

import pyarrow as pa


class BoundValue(Protocol):
    """A parameter's value and the Arrow type in which it travels."""

    @property
    def value(self) -> Any:
        """The Python value, or an Arrow array for list types."""
        ...

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        ...


Parameters = Sequence[BoundValue]


class TemporaryRows(Protocol):
    """Rows for a temporary table; their types are those in which parameters travel."""

    @property
    def name(self) -> str:
        """The table's name, without quotes."""
        ...

    @property
    def rows(self) -> pa.Table:
        """The rows, under the names of the table's columns."""
        ...


class ShippedStatement(Protocol):
    """A statement that reads temporary tables, which must be filled before and dropped after it."""

    @property
    def sql(self) -> str:
        """The text with `$1`, `$2`, ... for the parameters."""
        ...

    @property
    def parameters(self) -> Parameters:
        """The values of the parameters."""
        ...

    @property
    def tables(self) -> Sequence[TemporaryRows]:
        """The tables that the text reads."""
        ...
