"""What an archive says of itself: `manifest.json`."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from djflow.errors import ArchiveError, StorageError
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.sql.enums import enum_types
from djflow.storage.paths import check_path
from djflow.tables.archive.table_json import table_from_json, table_to_json

FORMAT: Final = "djflow archive"
VERSION: Final = 1
FILE: Final = "manifest.json"
_MALFORMED: Final = (KeyError, TypeError, ValueError, AttributeError, StorageError)


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file, its path from the folder of what it belongs to, its size in bytes and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TableEntry:
    """The rows of a table: where they are, how many, and their `content_hash`.

    `is_protected` tells that each belongs to the role that inserted it. `not_kept` is what the table has that
    no definition can say, such as triggers, for people to read.
    """

    table: Table
    definition: str
    file: FileEntry
    rows: int
    content: str
    is_protected: bool = False
    not_kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """An object of a store; a single file has the path "" in it."""

    store: str
    path: str
    files: tuple[FileEntry, ...]

    def paths(self) -> Iterator[tuple[str, FileEntry]]:
        """The path of each file in the store."""
        for file in self.files:
            yield f"{self.path}/{file.path}" if file.path else self.path, file

    def archived(self) -> Iterator[tuple[str, str, FileEntry]]:
        """The path of each file in the store, and in the archive."""
        for path, file in self.paths():
            yield path, str(PurePosixPath("objects", self.store, path)), file


@dataclass(frozen=True, slots=True)
class Requirement:
    """A table that rows refer to and that is not in the archive."""

    name: TableName
    definition: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that an archive holds. `schemas` were asked for; `tables` come parents first."""

    created: str
    software: str
    schemas: tuple[str, ...]
    tables: tuple[TableEntry, ...]
    requires: tuple[Requirement, ...] = ()
    objects: tuple[ObjectEntry, ...] = ()

    def files(self) -> Iterator[FileEntry]:
        """All files of the archive but the manifest, by their paths in it."""
        for entry in self.tables:
            yield entry.file
        for kept in self.objects:
            for _, archived, file in kept.archived():
                yield FileEntry(archived, file.size, file.sha256)


def manifest_to_bytes(manifest: Manifest) -> bytes:
    """The text of `manifest.json`."""
    value = {
        "format": FORMAT,
        "version": VERSION,
        "created": manifest.created,
        "software": manifest.software,
        "schemas": list(manifest.schemas),
        "tables": [_table_to_json(entry) for entry in manifest.tables],
        "enums": _enums(manifest),
        "requires": [
            {"schema": each.name.schema, "table": each.name.table, "definition": each.definition}
            for each in manifest.requires
        ],
        "objects": [
            {"store": each.store, "path": each.path, "files": [_file_to_json(file) for file in each.files]}
            for each in manifest.objects
        ],
    }
    return json.dumps({**value, "sha256": _checksum(value)}, indent=1, ensure_ascii=False).encode()


def manifest_from_bytes(data: bytes, *, archive: str = "") -> Manifest:
    """The manifest. Raises `ArchiveError` for text that is none, was changed, or is of a later version.

    `archive` is the path that an error names.
    """
    try:
        value = json.loads(data)
        reason = _fault(value)
        if not reason:
            return _manifest_from_json(value)
    except _MALFORMED as error:
        raise ArchiveError(f"it is damaged ({error!r})", archive=archive, file=FILE) from error
    raise ArchiveError(reason, archive=archive, file=FILE)


def _fault(value: dict[str, Any]) -> str:
    """Why a manifest is not to be read, if so."""
    if value["format"] != FORMAT:
        return f"it describes a {value['format']!r}, not a {FORMAT!r}"
    if value["version"] > VERSION:
        return f"its format has version {value['version']}; this djflow reads up to {VERSION}. Upgrade djflow"
    stated = value.pop("sha256")
    return "" if stated == _checksum(value) else "it is not as it was written: its checksum differs"


def _manifest_from_json(value: Mapping[str, Any]) -> Manifest:
    return Manifest(
        created=str(value["created"]),
        software=str(value["software"]),
        schemas=tuple(str(name) for name in value["schemas"]),
        tables=tuple(_table_from_json(entry) for entry in value["tables"]),
        requires=tuple(
            Requirement(TableName(str(each["schema"]), str(each["table"])), str(each["definition"]))
            for each in value["requires"]
        ),
        objects=tuple(
            ObjectEntry(
                check_path(str(each["store"])),
                check_path(str(each["path"])),
                tuple(_file_from_json(file, may_be_empty=True) for file in each["files"]),
            )
            for each in value["objects"]
        ),
    )


def _table_to_json(entry: TableEntry) -> dict[str, Any]:
    return {
        **table_to_json(entry.table),
        "definition": entry.definition,
        "file": _file_to_json(entry.file),
        "rows": entry.rows,
        "content": entry.content,
        "protected": entry.is_protected,
        "not_kept": list(entry.not_kept),
    }


def _table_from_json(value: Mapping[str, Any]) -> TableEntry:
    return TableEntry(
        table_from_json(value),
        str(value["definition"]),
        _file_from_json(value["file"]),
        int(value["rows"]),
        str(value["content"]),
        is_protected=bool(value["protected"]),
        not_kept=tuple(str(fact) for fact in value["not_kept"]),
    )


def _file_to_json(file: FileEntry) -> dict[str, Any]:
    return {"path": file.path, "size": file.size, "sha256": file.sha256}


def _file_from_json(value: Mapping[str, Any], *, may_be_empty: bool = False) -> FileEntry:
    path = str(value["path"])
    if path or not may_be_empty:
        check_path(path)
    return FileEntry(path, int(value["size"]), str(value["sha256"]))


def _enums(manifest: Manifest) -> list[dict[str, Any]]:
    used = dict.fromkeys(enum for entry in manifest.tables for enum in enum_types(entry.table))
    return [{"schema": enum.schema, "labels": list(enum.type.labels)} for enum in used]


def _checksum(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
