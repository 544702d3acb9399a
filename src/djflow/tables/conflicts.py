"""Rows whose keys exist with other values: finding them and telling how they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from djflow.errors import ConflictError
from djflow.model.table import Attribute, Table
from djflow.model.types import CodecType, arrow_type
from djflow.planner.carry import carried_fragment, carried_type
from djflow.relation.database import Database
from djflow.relation.decode import codec_context
from djflow.sql import staging as sql
from djflow.sql.identifiers import quote
from djflow.storage.codec import codec_for
from djflow.storage.codecs.store_codec import SchemaCodec

if TYPE_CHECKING:
    import polars as pl

_MOST: Final = 1000  # differences that an error carries
_NAMED: Final = 3  # differences that its message tells


@dataclass(frozen=True, slots=True)
class _Difference:
    """A value that is there and the one given for it, as text; `key` in the order of the heading."""

    key: tuple[Any, ...]
    column: str
    existing: str | None
    given: str | None


def check_match(table: Table, names: Sequence[str], database: Database) -> None:
    """Raise `ConflictError` if a staged row differs in a column of `names` from the row that has its key."""
    given = [a for a in table.columns if a.name in names and not a.in_key]
    found = [*_stored_differences(table, [a for a in given if not _owns_object(a)], database)]
    for attribute in given:
        if _owns_object(attribute):
            found += _object_differences(table, attribute, database)
    if found:
        raise _conflict(table, found[:_MOST])


def _stored_differences(
    table: Table, attributes: Sequence[Attribute], database: Database
) -> Iterator[_Difference]:
    if not attributes:
        return
    statement = sql.select_differences(table, attributes, _key_fragments(table), _MOST)
    for *key, column, existing, given in database.session.execute(statement):
        yield _Difference(tuple(key), column, existing, given)


def _key_fragments(table: Table) -> Iterator[str]:
    for name in table.heading.primary_key:
        attribute = table.heading[name]
        yield carried_fragment(f"t.{quote(name)}", attribute.stored)


def _owns_object(attribute: Attribute) -> bool:
    """Whether each row has an object of its own, so that equal values have different references."""
    return isinstance(attribute.type, CodecType) and isinstance(codec_for(attribute.type), SchemaCodec)


def _object_differences(table: Table, attribute: Attribute, database: Database) -> Iterator[_Difference]:
    statement = sql.select_references(table, attribute, _key_fragments(table))
    for *key, existing, given in database.session.execute(statement):
        if not _same_content(attribute, existing, given, database):
            yield _Difference(tuple(key), attribute.name, existing, given)


def _same_content(attribute: Attribute, existing: str | None, given: str | None, database: Database) -> bool:
    import numpy as np

    if existing is None or given is None:
        return existing is given
    assert isinstance(attribute.type, CodecType)  # noqa: S101 - only such columns own objects
    references = pa.array([existing, given], pa.string())
    values = codec_for(attribute.type).decode_column(references, codec_context(attribute, database))
    if not all(hasattr(value, "__array__") for value in values):
        return bool(values[0] == values[1])
    one, other = (np.asarray(value) for value in values)
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


def _conflict(table: Table, found: Sequence[_Difference]) -> ConflictError:
    key_names = table.heading.primary_key
    keys = dict.fromkeys(each.key for each in found)
    told = "; ".join(_told(key_names, each) for each in found[:_NAMED])
    more = "; ..." if len(found) > _NAMED else ""
    first = _key_text(key_names, found[0].key)
    return ConflictError(
        f"{table.name} has {len(keys)} of the rows already{' or more' * (len(found) == _MOST)}, with other "
        f"values: {told}{more}. All differences are in the error's `differences`. Nothing was written; "
        "on_conflict='skip' keeps the rows that exist, on_conflict='update' overwrites them.",
        differences=_frame(table, found),
        table=str(table.name),
        key=first,
    )


def _told(names: Iterable[str], difference: _Difference) -> str:
    existing, given = (_short(value) for value in (difference.existing, difference.given))
    return f"{_key_text(names, difference.key)} has {difference.column} {existing}, given {given}"


def _short(value: str | None, width: int = 40) -> str:
    if value is None:
        return "null"
    return repr(value if len(value) <= width else value[: width - 3] + "...")


def _key_text(names: Iterable[str], key: tuple[Any, ...]) -> str:
    return f"({', '.join(names)})=({', '.join(map(str, key))})"


def _frame(table: Table, found: Sequence[_Difference]) -> "pl.DataFrame":
    import polars as pl

    columns: Mapping[str, pa.Array] = {
        name: pa.array([each.key[place] for each in found], carried_type(table.heading[name].stored)).cast(
            arrow_type(table.heading[name].stored)
        )
        for place, name in enumerate(table.heading.primary_key)
    }
    texts: dict[str, list[str | None]] = {
        "column": [*(each.column for each in found)],
        "existing": [each.existing for each in found],
        "given": [each.given for each in found],
    }
    # A key may have such a name itself, as the wells of a plate do.
    own = {name + "_" * (name in columns): pl.Series(each, dtype=pl.String) for name, each in texts.items()}
    return pl.DataFrame({**columns, **own})
