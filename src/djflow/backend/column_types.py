"""What a column of PostgreSQL means: its declared type, its comment, its default."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from djflow.backend.catalog_rows import ColumnRow, TypeRow
from djflow.definition import canonical_default, parse_type
from djflow.errors import DefinitionError
from djflow.model.table import CurrentTimestamp, Default, Literal, Null
from djflow.model.types import CodecType, CoreType, DataType, EnumType, NativeType, StoredType, sql_type
from djflow.sql.identifiers import quote

_MARKED: Final = re.compile(
    r""":(?P<type>(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^:'"])+):(?P<comment>.*)""", re.DOTALL
)
_CAST: Final = r"""(?:::(?:[^'"]|"(?:[^"]|"")*")+)?"""
_NULL: Final = re.compile(rf"NULL{_CAST}", re.IGNORECASE)
_NOW: Final = re.compile(
    rf"\(*(?:CURRENT_TIMESTAMP|LOCALTIMESTAMP|CURRENT_DATE|now\(\))(?:\(\d\))?\)*{_CAST}", re.IGNORECASE
)
_STRING: Final = re.compile(rf"\(?(?P<escape>E?)'(?P<text>(?:[^']|'')*)'{_CAST}\)?{_CAST}", re.DOTALL)
_BARE: Final = re.compile(rf"\(*(?P<text>-?[0-9.]+(?:e[+-]?\d+)?|true|false)\)*{_CAST}", re.IGNORECASE)
_SERIAL: Final = {"smallint": "smallserial", "integer": "serial", "bigint": "bigserial"}
_REMEMBERED: Final = 4096  # a database has many columns of few types
_CODEC_STORAGE: Final = {"bytea": CoreType("bytes"), "jsonb": CoreType("json")}


@dataclass(frozen=True, slots=True)
class ColumnType:
    """The declared type, the stored type and the comment proper of a column."""

    type: DataType
    stored: StoredType
    comment: str


def physical_type(column: ColumnRow, types: Mapping[int, TypeRow]) -> StoredType:
    """The type that PostgreSQL stores: an enum by its labels, a domain by its base."""
    oid, sql = column.type, column.sql
    while (row := types.get(oid)) is not None:
        if row.labels is not None:
            return EnumType(row.labels, f"{quote(row.schema)}.{quote(row.name)}")
        oid, sql = row.base, row.base_sql
    if (column.default or "").startswith("nextval("):
        return NativeType(_SERIAL.get(sql, sql))
    return NativeType(sql)


def declared_type(comment: str, physical: StoredType) -> ColumnType | None:
    """What a comment of the form `:type:comment` declares.

    None where there is no such mark, or where the column has another type by now: the column is right then.

    >>> column = declared_type(":<blob@main>:raw: as recorded", NativeType("jsonb"))
    >>> str(column.type), str(column.stored), column.comment
    ('<blob@main>', 'json', 'raw: as recorded')
    >>> declared_type(":int16:", NativeType("bigint"))
    """
    marked = _MARKED.fullmatch(comment)
    declared = None if marked is None else _parsed(marked["type"])
    stored = None if declared is None else _stored(declared, physical)
    if marked is None or declared is None or stored is None:
        return None
    return ColumnType(declared, stored, on_one_line(marked["comment"]))


def plain_comment(comment: str) -> str:
    r"""The comment itself, on one line and without a mark, so that a definition can say it.

    >>> plain_comment(":int16:widened\n by hand"), plain_comment("a: b")
    ('widened by hand', 'a: b')
    """
    marked = _MARKED.fullmatch(comment)
    return on_one_line(marked["comment"] if marked else comment.lstrip(": "))


def fits(stored: StoredType, physical: StoredType) -> bool:
    """Whether a column of type `physical` holds values of type `stored` as declared.

    >>> fits(CoreType("int8"), NativeType("smallint")), fits(NativeType("serial"), NativeType("integer"))
    (True, True)
    """
    if isinstance(stored, EnumType) or isinstance(physical, EnumType):
        return stored == physical
    sql = sql_type(stored)
    return sql_type(physical) in (sql, next((base for base, name in _SERIAL.items() if name == sql), sql))


def default_of(column: ColumnRow, type_: DataType) -> Default | None:
    """The default of a column; None where an insert must give a value or an expression computes it.

    >>> column = ColumnRow(1, 1, "sex", True, 1, "lab.sexes", "'U'::lab.sexes", "")
    >>> default_of(column, EnumType(("M", "F", "U")))
    Literal(text='U')
    """
    stated = None if column.default is None else _stated_default(column.default, type_)
    return stated or (None if column.is_required else Null())


@lru_cache(maxsize=_REMEMBERED)
def _stated_default(text: str, type_: DataType) -> Default | None:
    if _NULL.fullmatch(text):
        return None
    if _NOW.fullmatch(text):
        return CurrentTimestamp()
    constant = _constant(text)
    try:
        return None if constant is None else canonical_default(type_, constant)
    except DefinitionError:
        return Literal(constant or "")


def _constant(text: str) -> str | None:
    if quoted := _STRING.fullmatch(text):
        plain = quoted["text"].replace("''", "'")
        return plain.replace("\\\\", "\\") if quoted["escape"] else plain
    bare = _BARE.fullmatch(text)
    return bare["text"] if bare else None


@lru_cache(maxsize=_REMEMBERED)
def _parsed(mark: str) -> DataType | None:
    try:
        return parse_type(mark)
    except DefinitionError:
        return None


def on_one_line(text: str) -> str:
    """The text with each run of white space as one blank, as comments stand in definitions."""
    return re.sub(r"\s*[\r\n]+\s*", " ", text) if "\n" in text or "\r" in text else text


def _stored(declared: DataType, physical: StoredType) -> StoredType | None:
    if isinstance(declared, CodecType):
        return _codec_storage(physical)
    if not fits(declared, physical):
        return None
    return physical if isinstance(physical, EnumType) else declared  # which knows the type's name


def _codec_storage(physical: StoredType) -> StoredType | None:
    """What a codec's values are stored as: any core type, by its PostgreSQL name."""
    if not isinstance(physical, NativeType):
        return None
    try:
        stored = _CODEC_STORAGE.get(physical.sql) or parse_type(physical.sql)
    except DefinitionError:
        return None
    return None if isinstance(stored, CodecType) else stored
