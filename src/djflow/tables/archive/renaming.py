"""Restoring under another schema's name: what changes in tables, references and the paths of objects."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.storage.paths import StoreLayout, hash_path
from djflow.tables.archive.references import reference_columns, reference_in


@dataclass(frozen=True, slots=True)
class Renaming:
    """New names of schemas, by the old ones. `layout` tells how a store, "" the default, makes its paths.

    `place` gives, of a store and a path that cannot be used, another path; that itself for others.

    Objects move along with their schema: their paths name it, and whoever cleans up after one schema asks no
    other whether it needs what is there.
    """

    schemas: Mapping[str, str]
    tables: frozenset[TableName]
    layout: Callable[[str], StoreLayout]
    place: Callable[[str, str], str] | None = None

    def name(self, name: TableName) -> TableName:
        """The name of a table afterwards."""
        return TableName(self.schemas.get(name.schema, name.schema), name.table)

    def table(self, table: Table) -> Table:
        """The table afterwards, with what it refers to."""
        return replace(
            table,
            name=self.name(table.name),
            columns=tuple(replace(each, lineage=self._lineage(each.lineage)) for each in table.columns),
            foreign_keys=tuple(replace(key, parent=self.name(key.parent)) for key in table.foreign_keys),
        )

    def path(self, store: str, path: str) -> str:
        """The path of an object afterwards.

        >>> scans = frozenset({TableName("lab", "scan")})
        >>> renaming = Renaming({"lab": "copy"}, scans, lambda store: StoreLayout())
        >>> renaming.path("", "_hash/lab/abc"), renaming.path("", "_schema/day=3/lab/scan/id=1/a_x.npy")
        ('_hash/copy/abc', '_schema/day=3/copy/scan/id=1/a_x.npy')
        >>> renaming.path("", "videos/lab/scan/1.avi")
        'videos/lab/scan/1.avi'
        """
        found = self._in_new_schema(store, path)
        return found if self.place is None else self.place(store, found)

    def _in_new_schema(self, store: str, path: str) -> str:
        layout = self.layout(store)
        section, *rest = path.split("/")
        place = None
        if section == layout.hash_prefix:
            place = 0
        elif section == layout.schema_prefix:
            place = self._place(rest)
        if place is None or place >= len(rest):
            return path
        new = {_segment(old): _segment(new) for old, new in self.schemas.items()}
        rest[place] = new.get(rest[place], rest[place])
        return "/".join([section, *rest])

    def rows(self, table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of a table, of its name before, with references to where objects are afterwards."""
        new = self.schemas.get(table.name.schema, table.name.schema)
        stays = new == table.name.schema and self.place is None
        for column in () if stays else reference_columns(table):
            place = batch.schema.get_field_index(column.name)
            texts = batch.column(place).dictionary_encode()
            moved = [
                self._moved(text, column, table.name.schema, new) for text in texts.dictionary.to_pylist()
            ]
            values = pc.take(pa.array(moved, pa.string()), texts.indices)
            batch = batch.set_column(place, batch.schema.field(place), values)
        return batch

    def _lineage(self, lineage: str | None) -> str | None:
        if lineage is None:
            return None
        schema, table, attribute = lineage.rsplit(".", 2)
        return f"{self.schemas.get(schema, schema)}.{table}.{attribute}"

    def _place(self, segments: Sequence[str]) -> int | None:
        """Where a path names the schema: before the table, behind what partitions the store."""
        pairs = {(_segment(name.schema), _segment(name.table)) for name in self.tables}
        return next((i for i, pair in enumerate(pairwise(segments)) if pair in pairs), None)

    def _moved(self, text: str, column: Attribute, old: str, new: str) -> str:
        reference = reference_in(text, column)
        if reference is None:
            return text
        # As text, which the server's JSON has in one form only, so that all else stays to the letter.
        path = self.path(reference.store, reference.path)
        text = text.replace(_member("path", reference.path), _member("path", path), 1)
        return text.replace(_member("schema", old), _member("schema", new), 1)


def _segment(name: str) -> str:
    """A schema or table as paths spell it."""
    return hash_path(StoreLayout(), name, "").split("/")[1]


def _member(name: str, value: str) -> str:
    return f'"{name}": {json.dumps(value, ensure_ascii=False)}'
