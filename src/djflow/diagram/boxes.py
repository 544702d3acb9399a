"""What is drawn, whatever draws it: boxes, one for a table or for several folded ones, and links between."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from djflow.definition.class_names import class_names
from djflow.diagram.graph import Selection, in_order
from djflow.model.catalog import Catalog
from djflow.model.names import TableName


@dataclass(frozen=True, slots=True)
class Box:
    """A table; or, without one, the folded tables of a schema."""

    schema: str
    table: TableName | None = None


@dataclass(frozen=True)
class Picture:
    """Boxes, parents first, with their labels; `links` lead from parent to child.

    The value of a link tells whether it is part of the child's primary key.
    """

    boxes: tuple[Box, ...] = ()
    labels: Mapping[Box, str] = field(default_factory=dict)
    links: Mapping[tuple[Box, Box], bool] = field(default_factory=dict)

    @cached_property
    def place(self) -> Mapping[Box, int]:
        """The place of each box in the order."""
        return {box: place for place, box in enumerate(self.boxes)}

    @cached_property
    def by_schema(self) -> Mapping[str, tuple[Box, ...]]:
        """The boxes of each schema."""
        found: dict[str, list[Box]] = {}
        for box in self.boxes:
            found.setdefault(box.schema, []).append(box)
        return {schema: tuple(boxes) for schema, boxes in found.items()}


def picture(catalog: Catalog, selection: Selection, labels: Mapping[TableName, str] | None = None) -> Picture:
    """The drawing of chosen tables. `labels` replace the names of their classes."""
    order = in_order(catalog.graph, (name for name in selection.names if name in catalog))
    boxes = {name: Box(name.schema, None if name in selection.folded else name) for name in order}
    return Picture(
        tuple(dict.fromkeys(boxes.values())),
        {**_folded(selection), **_tables(catalog, selection, labels or {})},
        _links(catalog, boxes),
    )


def _links(catalog: Catalog, boxes: Mapping[TableName, Box]) -> dict[tuple[Box, Box], bool]:
    links: dict[tuple[Box, Box], bool] = {}
    for name, box in boxes.items():
        for key in catalog[name].foreign_keys:
            parent = boxes.get(key.parent)
            if parent is not None and parent != box:
                links[parent, box] = links.get((parent, box), False) or key.in_key
    return links


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
