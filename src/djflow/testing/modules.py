"""Hypothesis strategies of whole schemas as databases hold them; they need the package `hypothesis`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from djflow.definition.bind import JOB_METADATA
from djflow.model.names import TableName, Tier
from djflow.model.table import Attribute, IndexSpec, Null, Table
from djflow.model.types import CodecType, CoreType, StoredType
from djflow.testing.schemas import schemas
from djflow.testing.strategies import attribute_specs, printable_text

_TIERS = (Tier.MANUAL, Tier.LOOKUP, Tier.IMPORTED, Tier.COMPUTED)


@st.composite
def stored_schemas(draw: st.DrawFn, schema: str, most: int = 5) -> tuple[Table, ...]:
    """Tables of all tiers with attributes of all types, defaults, comments, indexes and job metadata.

    Parents come first; `declare` creates them as they are.
    """
    tables = draw(schemas(schema, most).filter(_can_nest))
    masters = {table.name for table in tables if table.name.master is None}
    prefixes = {name: draw(st.sampled_from(_TIERS)).prefix for name in sorted(masters)}
    return tuple(draw(_enriched(_renamed(table, prefixes))) for table in tables)


def _can_nest(tables: Sequence[Table]) -> bool:
    """Whether parts refer only to what their masters could: to no table that is declared after these."""
    places = {table.name: place for place, table in enumerate(tables)}
    units = {table.name: places[table.name.master or table.name] for table in tables}
    return all(units[fk.parent] <= units[table.name] for table in tables for fk in table.foreign_keys)


def _renamed(table: Table, prefixes: Mapping[TableName, str]) -> Table:
    """The table with the marks of tiers in its name and in those that it refers to."""

    def named(name: TableName) -> TableName:
        return replace(name, table=prefixes[name.master or name] + name.table)

    def traced(lineage: str | None) -> str | None:
        if lineage is None:
            return None
        schema, table_name, attribute = lineage.split(".")
        return f"{named(TableName(schema, table_name))}.{attribute}"

    return replace(
        table,
        name=named(table.name),
        columns=tuple(replace(column, lineage=traced(column.lineage)) for column in table.columns),
        foreign_keys=tuple(replace(fk, parent=named(fk.parent)) for fk in table.foreign_keys),
    )


@st.composite
def _enriched(draw: st.DrawFn, table: Table) -> Table:
    more = [draw(_attributes(f"more{letter}")) for letter in "abc"[: draw(st.integers(0, 3))]]
    visible = [column for column in table.columns if not column.is_hidden]
    hidden = [column for column in table.columns if column.is_hidden]
    if table.tier.is_auto_populated and draw(st.booleans()):
        hidden += JOB_METADATA
    names = [column.name for column in (*visible, *more)]
    items = st.sampled_from(names) | st.sampled_from(names).map(lambda name: f"({name} IS NULL)")
    index = st.builds(
        IndexSpec, st.lists(items, min_size=1, max_size=2, unique=True).map(tuple), st.booleans()
    )
    comment = draw(printable_text().map(str.strip).filter(lambda text: not text.startswith(":")))
    return replace(
        table,
        comment=comment,
        columns=(*visible, *more, *hidden),
        indexes=tuple(draw(st.lists(index, max_size=2, unique_by=lambda index: index.items))),
    )


@st.composite
def _attributes(draw: st.DrawFn, name: str) -> Attribute:
    line = draw(attribute_specs(name))
    type_, stored = line.type, line.type
    if isinstance(type_, CodecType):
        is_inside = draw(st.booleans())
        type_ = CodecType("blob") if is_inside else CodecType("npy", "local")
        stored = CoreType("bytes" if is_inside else "json")
    kept: StoredType = stored  # type: ignore[assignment]  # a codec's was replaced
    return Attribute(
        name,
        type_,
        kept,
        nullable=isinstance(line.default, Null),
        default=line.default,
        comment=line.comment,
    )
