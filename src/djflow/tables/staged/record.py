"""The values of a row in the making."""

from collections import UserDict
from collections.abc import Mapping
from typing import Any

from djflow.errors import InvalidRowsError, MissingAttributeError, UnknownAttributeError
from djflow.ingest.convert import convert
from djflow.model.table import Table


class Record(UserDict[str, Any]):
    """A dict of attribute values; what an object in the making depends on cannot change any more.

    Raises `UnknownAttributeError` for a name that the table lacks, `InvalidRowsError` for the key once an
    object has been begun and for an attribute whose object is being written.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._staged: set[str] = set()
        super().__init__()

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self._table.heading.names:
            raise UnknownAttributeError(str(name), self._table.heading.names, context=str(self._table.name))
        self._check_free(name)
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self._check_free(name)
        super().__delitem__(name)

    def check_vacant(self, name: str) -> None:
        """Raise `InvalidRowsError` where an attribute has a value already."""
        if name in self.data:
            raise InvalidRowsError(
                f"{self._table.name}: staged.rec has a value for {name!r} already. "
                "Write the object, or give the value, not both."
            )

    def claim(self, name: str) -> None:
        """Have an object give the value of an attribute; the key stays as it is from now on."""
        self._staged.add(name)

    def key(self) -> Mapping[str, Any]:
        """The primary key, in the types of the table.

        Raises `MissingAttributeError` where it is not complete, `DataTypeError` for what does not fit.
        """
        attributes = [a for a in self._table.columns if a.in_key]
        for attribute in attributes:
            if attribute.name not in self.data:
                raise MissingAttributeError(attribute.name, table=str(self._table.name)).suggest(
                    "Primary key not set: give staged.rec the whole key before an object is begun."
                )
        return {
            a.name: convert([self.data[a.name]], a, table=str(self._table.name))[0].as_py()
            for a in attributes
        }

    def _check_free(self, name: str) -> None:
        if name in self._staged:
            raise InvalidRowsError(
                f"{self._table.name}: {name!r} is being written as an object, which gives its value. "
                "Don't assign staged.rec for it."
            )
        if self._staged and name in self._table.heading.primary_key:
            raise InvalidRowsError(
                f"{self._table.name}: the primary key cannot change once an object has been begun, "
                f"since its path tells the key: set {name!r} before."
            )
