"""The table `~reads` of a schema: what each `make` read for its key.

A record holds for rows as `make` wrote them: it names the transaction that did (`xmin`). Of rows that were
deleted and made anew without a record, or were changed since, it says nothing.
"""

from collections.abc import Sequence
from typing import Final

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.sql.identifiers import literal, qualified, quote
from djflow.sql.inputs import array_type

READS_TABLE: Final = "~reads"


def reads_table(schema: str) -> TableName:
    """The name of a schema's record of reads."""
    return TableName(schema, READS_TABLE)


def create_reads_table(schema: str) -> str:
    """The statement that creates a schema's record of reads where it is missing.

    `reads` has the names of the tables read, each with whether what was read of it was within the contract.
    """
    return (
        f"CREATE TABLE IF NOT EXISTS {qualified(reads_table(schema))} (\n"
        "  table_name text NOT NULL,\n"
        "  key jsonb NOT NULL,\n"
        "  written_by text NOT NULL,\n"
        "  reads jsonb NOT NULL,\n"
        "  recorded_at timestamp without time zone NOT NULL DEFAULT (clock_timestamp() AT TIME ZONE 'UTC'),\n"
        "  PRIMARY KEY (table_name, key)\n"
        ")"
    )


def record_reads(table: Table, key: Sequence[Attribute]) -> str:
    """Record what was read for the keys `$2`, `$3`, ...; `$1` has the documents for `reads`.

    All are arrays, an element a key. A key of which the table has no row is left out.

    >>> from djflow.model.types import CoreType
    >>> int16 = CoreType("int16")
    >>> rat = Attribute("rat", int16, int16, in_key=True)
    >>> print(record_reads(Table(TableName("lab", "__rat"), "", (rat,)), [rat]))
    INSERT INTO "lab"."~reads" AS r (table_name, key, written_by, reads)
    SELECT DISTINCT ON (u.place) '__rat', jsonb_build_object('rat', t."rat"), t.xmin::text, u.reads::jsonb
    FROM unnest($1::text[], $2::smallint[]) WITH ORDINALITY AS u(reads, k0, place)
    JOIN "lab"."__rat" AS t ON t."rat" = u.k0
    ON CONFLICT (table_name, key) DO UPDATE
    SET written_by = EXCLUDED.written_by, reads = EXCLUDED.reads, recorded_at = EXCLUDED.recorded_at
    """
    arrays = ["$1::text[]", *(f"${i}::{array_type(a.stored)}" for i, a in enumerate(key, 2))]
    names = [f"k{i}" for i in range(len(key))]
    matching = [f"t.{quote(a.name)} = u.{name}" for a, name in zip(key, names, strict=True)]
    return (
        f"INSERT INTO {qualified(reads_table(table.name.schema))} AS r (table_name, key, written_by, reads)\n"
        f"SELECT DISTINCT ON (u.place) {literal(table.name.table)}, {_document('t', key)}, t.xmin::text, "
        "u.reads::jsonb\n"
        f"FROM unnest({', '.join(arrays)}) WITH ORDINALITY AS u({', '.join(['reads', *names, 'place'])})\n"
        f"JOIN {qualified(table.name)} AS t ON {' AND '.join(matching) or 'true'}\n"
        "ON CONFLICT (table_name, key) DO UPDATE\n"
        "SET written_by = EXCLUDED.written_by, reads = EXCLUDED.reads, recorded_at = EXCLUDED.recorded_at"
    )


def select_reads(table: Table, key: Sequence[Attribute], rows: str) -> str:
    """The query for keys among `rows`, a query for the table's primary key, and what was read for them.

    >>> from djflow.model.types import CoreType
    >>> int16 = CoreType("int16")
    >>> rat = Attribute("rat", int16, int16, in_key=True)
    >>> print(select_reads(Table(TableName("lab", "__rat"), "", (rat,)), [rat], "SELECT 1 AS rat"))
    SELECT DISTINCT t."rat", r.reads
    FROM (SELECT 1 AS rat) AS w
    JOIN "lab"."__rat" AS t USING ("rat")
    JOIN "lab"."~reads" AS r ON r.table_name = '__rat' AND r.key = jsonb_build_object('rat', t."rat")
      AND r.written_by = t.xmin::text
    ORDER BY t."rat"
    """
    listed = ", ".join(f"t.{quote(a.name)}" for a in key)
    primary = ", ".join(map(quote, table.heading.primary_key))
    same = f"USING ({primary})" if primary else "ON true"  # there is one row at most
    return (
        f"SELECT DISTINCT {listed}{', ' if listed else ''}r.reads\n"
        f"FROM ({rows}) AS w\n"
        f"JOIN {qualified(table.name)} AS t {same}\n"
        f"JOIN {qualified(reads_table(table.name.schema))} AS r "
        f"ON r.table_name = {literal(table.name.table)} AND r.key = {_document('t', key)}\n"
        "  AND r.written_by = t.xmin::text\n"
        f"ORDER BY {listed or 'r.reads'}"
    )


def _document(alias: str, key: Sequence[Attribute]) -> str:
    pairs = (f"{literal(a.name)}, {alias}.{quote(a.name)}" for a in key)
    return f"jsonb_build_object({', '.join(pairs)})"
