"""From a graph of tables to what is drawn of it."""

from collections.abc import Mapping
from typing import Final

from djflow.definition.render import render
from djflow.definition.unbind import unbind
from djflow.diagram.boxes import Box, Link, Picture
from djflow.diagram.drawing.arrange import with_parents_first
from djflow.diagram.drawing.model import Drawing, Gauge, Group, Line, Node
from djflow.diagram.drawing.notation import NOTE_SIZE, look, text_width
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.sql.identifiers import quote

_LONGEST: Final = 40  # letters; the tooltip has them all
_LONGEST_TOOLTIP: Final = 60  # lines
# Corners of an ellipse are empty.
_ROOM: Final = {"box": (18.0, 12.0), "ellipse": (30.0, 14.0), "plaintext": (10.0, 6.0), "box3d": (24.0, 18.0)}
_BROAD: Final = 1.7  # an ellipse that is higher looks like a ball
_LOOSE: Final = 1.06  # fonts that take the place of Helvetica may be broader
_NOTE_HEIGHT: Final = 11.0
_BAR_HEIGHT: Final = 8.0


def plan_drawing(
    picture: Picture,
    catalog: Catalog,
    direction: str = "LR",
    gauges: Mapping[TableName, Gauge] | None = None,
) -> Drawing:
    """What to draw; `catalog` has the tables of the picture, `gauges` how far some of them are."""
    nodes = {box: _node(box, picture, catalog, gauges or {}) for box in picture.boxes}
    groups = [
        Group(schema, picture.titles.get(schema, schema), tuple(nodes[box] for box in boxes))
        for schema, boxes in picture.by_schema.items()
    ]
    lines = tuple(_line(link, nodes) for link in picture.links)
    return with_parents_first(Drawing(tuple(groups), lines, direction))


def _node(box: Box, picture: Picture, catalog: Catalog, gauges: Mapping[TableName, Gauge]) -> Node:
    label = picture.labels[box]
    if box.table is None:
        label = picture.titles.get(box.schema, box.schema) + label.removeprefix(box.schema)
        width, height = _size(label, None, "box3d")
        return Node(_name(box.schema), label, None, width, height, tooltip=f"{box.schema}\n{label}")
    table, shown, gauge = catalog[box.table], shortened(label), gauges.get(box.table)
    tier = box.table.tier
    width, height = _size(shown, gauge, look(tier).shape, look(tier).size)
    return Node(
        _name(box.table.schema, box.table.table),
        shown,
        tier,
        width,
        height,
        _has_dimension(table),
        _definition(table, label),
        gauge,
    )


def _name(*parts: str) -> str:
    """A name that no other table or schema has, whatever dots are in them."""
    return ".".join(quote(part) if "." in part else part for part in parts)


def shortened(label: str, longest: int = _LONGEST) -> str:
    """A label with its middle left out where it is too long.

    >>> shortened("Session"), shortened("AVeryLongNameIndeed", 11)
    ('Session', 'AVery…ndeed')
    """
    if len(label) <= longest:
        return label
    half = longest // 2
    return f"{label[:half]}…{label[half - longest + 1 :]}"


def _size(label: str, gauge: Gauge | None, shape: str, size: float = 12) -> tuple[float, float]:
    words = () if gauge is None else gauge.words
    lines = [text_width(label, size), *(text_width(line, NOTE_SIZE) for line in words)]
    more_width, more_height = _ROOM[shape]
    width, height = max(lines) * _LOOSE + more_width, size + more_height + _NOTE_HEIGHT * len(words)
    if gauge is not None and gauge.made is not None:
        height += _BAR_HEIGHT
    if shape == "ellipse":
        stretch = 1.08 + 0.12 * len(words)
        height *= stretch
        width = max(width * stretch, height * _BROAD)
    return round(width, 1), round(height, 1)


def _has_dimension(table: Table) -> bool:
    """Whether part of the primary key comes from no other table."""
    inherited = {column for key in table.foreign_keys if key.in_key for column in key.own}
    return any(
        not column.is_hidden and column.in_key and column.name not in inherited for column in table.columns
    )


def _definition(table: Table, label: str) -> str:
    def class_path(name: TableName) -> str:
        return (
            name.class_path
            if name.schema == table.name.schema
            else str(TableName(name.schema, name.class_path))
        )

    lines = render(unbind(table, class_path=class_path)).splitlines()
    if len(lines) > _LONGEST_TOOLTIP:
        lines = [*lines[:_LONGEST_TOOLTIP], f"... {len(lines) - _LONGEST_TOOLTIP} more"]
    return "\n".join([f"{label} ({table.tier}, {table.name})", "", *lines])


def _line(link: Link, nodes: Mapping[Box, Node]) -> Line:
    parent, child = nodes[link.parent], nodes[link.child]
    return Line(
        parent.name,
        child.name,
        is_dashed=not link.in_key,
        is_thick=link.is_whole,
        is_renamed=link.key is not None and any(own != its for own, its in link.key.columns),
        tooltip="\n".join([f"{parent.label} → {child.label}", *_details(link.key)]),
    )


def _details(key: ForeignKey | None) -> list[str]:
    if key is None:
        return []
    renames = [f"{own} ← {its}" for own, its in key.columns if own != its]
    modifiers = [word for word, applies in (("nullable", key.nullable), ("unique", key.unique)) if applies]
    return [*renames, *([f"[{', '.join(modifiers)}]"] if modifiers else [])]
