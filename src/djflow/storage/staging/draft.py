"""What an object in the making is, and where it lies."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol, TypeAlias, runtime_checkable

from djflow.errors import StorageError
from djflow.storage.codec import ColumnContext
from djflow.storage.paths import new_token, schema_path
from djflow.storage.store import Store

_EXTENSION: Final = re.compile(r"(\.[^/\\\0]{1,40})?")


class Draft(ABC):
    """An object in the making: opened by a way of writing, then finished or abandoned."""

    is_shared: ClassVar[bool] = False  # finished in the transaction of the row: others may have its content
    what: ClassVar[str] = ""  # the name of the method that began it, as errors tell it

    @property
    def has_other_writers(self) -> bool:
        """Whether something may be written to it, out of sight, even after it is abandoned."""
        return False

    @abstractmethod
    def writing(self, *arguments: Any, **options: Any) -> Any:
        """What the user writes to; called again, more of the same object."""

    @abstractmethod
    def finish(self) -> str:
        """Complete the object, durably; returns the reference to it as JSON text.

        Raises `StorageError` where nothing was written.
        """

    @abstractmethod
    def abandon(self) -> None:
        """Let go of all that is open. Whoever recorded the object removes it."""


MakeDraft: TypeAlias = Callable[[ColumnContext, str], Draft]
"""Begins an object for the one row of a context; the text is its extension, "" for the codec's own."""


@runtime_checkable
class Stageable(Protocol):
    """A codec whose objects can grow before their row is inserted."""

    def stages(self) -> Mapping[str, MakeDraft]:
        """The ways to write an object, by the names of the methods that users call."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where the object of one row lies."""

    attribute: str
    store: Store
    path: str

    @classmethod
    def take(cls, context: ColumnContext, extension: str) -> "Place":
        """A new place for the context's row, recorded before anything is written.

        Raises `StorageError` for what is no extension, and as the record does.
        """
        check_extension(extension)
        store = context.store
        token = new_token(store.layout.token_length)
        path = schema_path(
            store.layout, context.table, context.key(0), context.attribute, token=token, extension=extension
        )
        context.own(store.name, [path])
        return cls(context.attribute, store, path)

    def reference(self, metadata: Mapping[str, Any]) -> str:
        """What the row keeps."""
        return json.dumps({"path": self.path, "store": self.store.name, **metadata})

    def begun_otherwise(self) -> StorageError:
        """The error for an object that is asked for again, as another one, to be raised by the caller."""
        return StorageError(f"The staged {self.attribute!r} was begun with another shape or type.").suggest(
            "A row has one object in each attribute: keep what the staged insert gave you first."
        )

    def nothing_written(self) -> StorageError:
        """The error for an object that was begun and has no content, to be raised by the caller."""
        return StorageError(f"Nothing was written to the staged {self.attribute!r}.").suggest(
            "Write to what the staged insert gave you, or leave the attribute out."
        )


def check_extension(extension: str) -> None:
    """Raise `StorageError` for what is no extension of a file's name.

    >>> check_extension(".nii.gz")
    """
    if not _EXTENSION.fullmatch(extension):
        raise StorageError(f"{extension!r} is no extension; one begins with a dot, as '.zarr' does.")
