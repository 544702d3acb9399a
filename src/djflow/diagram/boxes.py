"""What is drawn, whatever draws it: boxes, one for a table or for several folded ones, and links between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from djflow.definition.class_names import class_names
from djflow.diagram.graph import Selection, in_order
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table


@dataclass(frozen=True, slots=True)
class Box:
    """A table; or, without one, the folded tables of a schema."""

    schema: str
    table: TableName | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """Foreign keys from one box to another: one, or, of folded tables, all.

    `in_key` tells whether one is part of the child's primary key, `is_whole` whether it is all of that.
    """

    parent: Box
    child: Box
    in_key: bool = True
    is_whole: bool = False
    key: ForeignKey | None = None


@dataclass(frozen=True)
class Picture:
    """Boxes, parents first, with their labels, and links; `titles` are what schemas are called, if not so."""

    boxes: tuple[Box, ...] = ()
    labels: Mapping[Box, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def place(self) -> Mapping[Box, int]:
        """The place of each box in the order."""
        return {box: place for place, box in enumerate(self.boxes)}

    @cached_property
    def neighbours(self) -> Mapping[tuple[Box, Box], bool]:
        """Parents and children, each pair once, and whether a foreign key of theirs is in the child's key."""
        found: dict[tuple[Box, Box], bool] = {}
        for link in self.links:
            pair = link.parent, link.child
            found[pair] = found.get(pair, False) or link.in_key
        return found

    @cached_property
    def by_schema(self) -> Mapping[str, tuple[Box, ...]]:
        """The boxes of each schema."""
        found: dict[str, list[Box]] = {}
        for box in self.boxes:
            found.setdefault(box.schema, []).append(box)
        return {schema: tuple(boxes) for schema, boxes in found.items()}


def picture(
    catalog: Catalog,
    selection: Selection,
    labels: Mapping[TableName, str] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Picture:
    """The drawing of chosen tables. `labels` replace the names of classes, `titles` those of schemas."""
    order = in_order(catalog.graph, (name for name in selection.names if name in catalog))
    boxes = {name: Box(name.schema, None if name in selection.folded else name) for name in order}
    return Picture(
        tuple(dict.fromkeys(boxes.values())),
        {**_folded(selection), **_tables(catalog, selection, labels or {})},
        _links(catalog, boxes),
        titles or {},
    )


def _links(catalog: Catalog, boxes: Mapping[TableName, Box]) -> tuple[Link, ...]:
    found: dict[tuple[Box, Box, ForeignKey | None], Link] = {}
    for name, child in boxes.items():
        for key in catalog[name].foreign_keys:
            parent = boxes.get(key.parent)
            if parent is None or parent == child:
                continue
            if parent.table is not None and child.table is not None:
                found[parent, child, key] = Link(
                    parent, child, key.in_key, _is_whole(catalog[name], key), key
                )
            else:
                one = parent, child, None
                in_key = key.in_key or (one in found and found[one].in_key)
                found[one] = Link(parent, child, in_key)
    return tuple(found.values())


def _is_whole(table: Table, key: ForeignKey) -> bool:
    return key.in_key and set(key.own) == set(table.primary_key)


def _tables(catalog: Catalog, selection: Selection, given: Mapping[TableName, str]) -> dict[Box, str]:
    by_schema: dict[str, list[TableName]] = {name.schema: [] for name in selection.expanded}
    for table in catalog.tables:
        if table.name.schema in by_schema:
            by_schema[table.name.schema].append(table.name)
    names = {name: label for own in by_schema.values() for name, label in class_names(own).items()}
    return {
        Box(name.schema, name): given.get(name, names[name]) for name in selection.expanded if name in names
    }


def _folded(selection: Selection) -> dict[Box, str]:
    sizes: dict[str, int] = {}
    for name in selection.folded:
        sizes[name.schema] = sizes.get(name.schema, 0) + 1
    return {Box(schema): f"{schema} ({_tables_in_words(size)})" for schema, size in sizes.items()}


def _tables_in_words(size: int) -> str:
    return "1 table" if size == 1 else f"{size} tables"
