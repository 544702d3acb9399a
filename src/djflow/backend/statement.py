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
