"""Values that a statement reads as settings.

They are bound as parameters of a statement ahead of it: on an ADBC connection in autocommit mode, or on one
of psycopg in a transaction.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from djflow.backend.report import report_of
from djflow.backend.statement import BoundValue, TemporaryRows
from djflow.sql.identifiers import literal

if TYPE_CHECKING:
    import psycopg

_OWN: Final = "pg_temp.djflow_setting"
_MARK: Final = "djflow.statement"
# Immutable as far as the statement that calls it goes: the server evaluates it before it runs that.
_CREATE: Final = f"""
CREATE OR REPLACE FUNCTION {_OWN}(name text, mark text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  IF current_setting('{_MARK}') <> mark THEN
    RAISE EXCEPTION 'the session changed between two statements: use a pool of sessions, or none';
  END IF;
  RETURN current_setting(name);
END
$$
"""
_KNOWN: Final = "_djflow_reads_folded"
_REFUSED: Final = frozenset({"42501", "25006"})  # insufficient privilege, read-only transaction
# A result has 1,664 columns at most.
_AT_ONCE: Final = 1_000
_SQL_TYPES: Final = {pa.int64(): "bigint", pa.string(): "text", pa.binary(): "bytea"}


class Setting(BoundValue, Protocol):
    """A value, never null, and the name of the setting that holds it as the server's text."""

    @property
    def name(self) -> str:
        """The name, with a dot in it."""
        ...


class SettledStatement(Protocol):
    """A statement without parameters, with the settings and the temporary tables that it reads."""

    def text(self, read: Callable[[str], str]) -> str:
        """The SQL; `read` gives the fragment that reads the setting of a name as text."""
        ...

    @property
    def settings(self) -> Sequence[Setting]:
        """The settings that the text reads."""
        ...

    @property
    def tables(self) -> Sequence[TemporaryRows]:
        """The temporary tables that the text reads."""
        ...


@dataclass(frozen=True, slots=True)
class Reader:
    """How a statement on one connection reads the settings that were made for it.

    `mark` goes with the settings: behind a pool of connections, a statement may come to another session,
    and must not take the values of another statement for its own.
    """

    mark: str
    is_folded: bool

    def read(self, name: str) -> str:
        """The fragment that reads a setting as text."""
        if not self.is_folded:
            return f"current_setting({literal(name)})"
        return f"{_OWN}({literal(name)}, {literal(self.mark)})"


NOTHING_TO_READ: Final = Reader("", is_folded=False)


def reader_on(connection: Any) -> Reader:
    """A reader for the next statement on the connection.

    It reads with a function of the connection's own, evaluated once while the server plans: `current_setting`
    would be called for every row. Where the role may have no temporary objects, that has to do.
    """
    import adbc_driver_manager

    is_folded: bool | None = getattr(connection, _KNOWN, None)
    if is_folded is None:
        is_folded = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(_CREATE)
        except adbc_driver_manager.Error as error:
            if report_of(error).sqlstate not in _REFUSED:
                raise
            is_folded = False
        setattr(connection, _KNOWN, is_folded)
    return Reader(token_hex(8), is_folded)


def assign(
    connection: Any, settings: Sequence[Setting], mark: str, lifetime: Literal["transaction", "session"]
) -> None:
    """Set settings for the transaction that is open on the connection, or for the session."""
    is_local = "true" if lifetime == "transaction" else "false"
    marking = f"set_config({literal(_MARK)}, {literal(mark)}, {is_local}) IS NULL"
    for first in range(0, len(settings), _AT_ONCE):
        some = settings[first : first + _AT_ONCE]
        values = [_bound(setting) for setting in some]
        assignments = (
            f"set_config({literal(setting.name)}, ${n}::{_sql_type(value.type)}::text, {is_local}) IS NULL"
            for n, (setting, value) in enumerate(zip(some, values, strict=True), 1)
        )
        row = pa.RecordBatch.from_arrays(values, names=[setting.name for setting in some])
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join([marking, *assignments])}", row)
            cursor.fetchall()  # the driver runs it no sooner


def reader_over(connection: "psycopg.Connection[Any]") -> Reader:
    """A reader for the next statement of the transaction on a connection; a rollback undoes what it makes."""
    import psycopg

    known = connection.execute(f"SELECT to_regprocedure('{_OWN}(text, text)') IS NOT NULL").fetchone()
    is_folded = known == (True,)
    if not is_folded:
        try:
            with connection.transaction():
                connection.execute(_CREATE.encode())
            is_folded = True
        except psycopg.Error as error:
            if error.sqlstate not in _REFUSED:
                raise
    return Reader(token_hex(8), is_folded)


def settle(connection: "psycopg.Connection[Any]", settings: Sequence[Setting], mark: str) -> None:
    """Set settings for the transaction, or the savepoint, that is open on the connection."""
    import psycopg

    if not settings:
        return
    names = [_MARK, *(setting.name for setting in settings)]
    texts = [mark, *(_text(setting) for setting in settings)]
    psycopg.RawCursor(connection).execute(
        "SELECT count(set_config(name, value, true)) FROM unnest($1::text[], $2::text[]) AS s(name, value)",
        [names, texts],
    )


def _text(setting: Setting) -> str:
    """A value as the server would write it."""
    value = setting.value
    if pa.types.is_list(setting.type):
        return _array_text(value if isinstance(value, pa.Array) else pa.array(value, setting.type.value_type))
    return str(_element_texts(pa.array([value], setting.type))[0])


def _array_text(values: pa.Array) -> str:
    texts = _element_texts(values)
    if not pa.types.is_integer(values.type):
        escaped = pc.replace_substring_regex(texts, r'(["\\])', r"\\\1")
        texts = pc.binary_join_element_wise('"', escaped, '"', "")
    whole = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), pc.fill_null(texts, "NULL"))
    return f"{{{pc.binary_join(whole, ',')[0]}}}"


def _element_texts(values: pa.Array) -> pa.Array:
    if not pa.types.is_binary(values.type):
        return values.cast(pa.string())
    import polars as pl

    series = pl.from_arrow(values)
    assert isinstance(series, pl.Series)  # noqa: S101 - an array, unlike a table, gives a series
    return pc.binary_join_element_wise("\\x", series.bin.encode("hex").to_arrow().cast(pa.string()), "")


def one_row(value: BoundValue) -> pa.Array:
    """A value as the array of length one that the driver binds."""
    if isinstance(value.value, pa.Array) and pa.types.is_list(value.type):
        return pa.ListArray.from_arrays(pa.array([0, len(value.value)], pa.int32()), value.value)
    return pa.array([value.value], value.type)


def _bound(setting: Setting) -> pa.Array:
    bound = one_row(setting)
    # Doubles become text here: how many digits the server writes is a matter of its settings.
    if bound.type == pa.float64():
        return pc.cast(bound, pa.string())
    if pa.types.is_list(bound.type) and bound.type.value_type == pa.float64():
        return pa.ListArray.from_arrays(bound.offsets, pc.cast(bound.values, pa.string()))
    return bound


def _sql_type(type_: pa.DataType) -> str:
    return f"{_SQL_TYPES[type_.value_type]}[]" if pa.types.is_list(type_) else _SQL_TYPES[type_]
