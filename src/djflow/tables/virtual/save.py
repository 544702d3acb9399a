"""A schema of the database as a Python module that declares it again."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from djflow.backend.introspect import introspect
from djflow.backend.unmodelled import default_expressions, unmodelled_facts
from djflow.definition.module import MARK, Written, module_source, quoted
from djflow.definition.module_order import dependency_order
from djflow.errors import DjflowError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier
from djflow.model.table import Null, Table
from djflow.model.types import CodecType
from djflow.relation.database import Database
from djflow.tables.free import FreeTable

_UNDERSTOOD: Final = re.compile(r"NULL(::.*)?|nextval\(.*", re.DOTALL)


def module_text(
    database: Database, schema: str, catalog: Catalog, *, contents: bool, modules: Mapping[str, str]
) -> str:
    """The text of a module that declares the tables of a schema; `catalog` has these and their parents."""
    own = [table for table in catalog.tables if table.name.schema == schema]
    remarks = _remarks(database, schema, own)
    rows = _contents(own, database, remarks) if contents else {}
    others = {table.name.schema for table in catalog.tables} - {schema}
    # What a class of another schema is called depends on all tables of that schema.
    tables = introspect(database.session.connection, [schema, *others]).tables if others else catalog.tables
    return module_source(
        Written(
            schema,
            tables,
            job_metadata=database.settings.jobs.add_job_metadata,
            remarks=remarks,
            contents=rows,
            modules=modules,
        )
    )


def write_module(text: str, path: str | PathLike[str]) -> None:
    """Write a module's text to a file.

    Raises `DjflowError` where the file exists and was not written by this function: people's classes,
    with their `make`, are worth more.
    """
    target = Path(path)
    if target.exists() and not target.read_text(encoding="utf-8", errors="replace").startswith(MARK):
        raise DjflowError(
            f"{target} exists and is not a saved schema. Choose another name, or remove it first."
        )
    target.write_text(text, encoding="utf-8")


def _remarks(database: Database, schema: str, tables: Sequence[Table]) -> dict[TableName, list[str]]:
    remarks: dict[TableName, list[str]] = defaultdict(list)
    for name, facts in unmodelled_facts(database.session, schema).items():
        remarks[name] += facts
    expressions = default_expressions(database.session, schema)
    for table in tables:
        for column in table.columns:
            expression = expressions.get((table.name, column.name), "NULL")
            is_lost = column.default is None or isinstance(column.default, Null)
            if is_lost and not _UNDERSTOOD.fullmatch(expression):
                remarks[table.name].append(f"{column.name} has the default {expression}")
    return remarks


# rows of lookup tables


def _contents(
    tables: Sequence[Table], database: Database, remarks: Mapping[TableName, list[str]]
) -> dict[TableName, list[str]]:
    """The rows of lookup tables as Python expressions; why they are left out becomes a remark."""
    found: dict[TableName, list[str]] = {}
    left_out = {table.name for table in tables if (table.name.master or table.name).tier is not Tier.LOOKUP}
    for table in dependency_order(tables):
        if table.name in left_out:
            continue
        reason = _obstacle(table, left_out)
        if reason is None:
            try:
                found[table.name] = _rows(table, database)
            except TypeError as error:
                reason = str(error)
        if reason is not None:
            left_out.add(table.name)
            remarks[table.name].append(f"contents, which are left out: {reason}")
    return found


def _obstacle(table: Table, left_out: set[TableName]) -> str | None:
    encoded = [column.name for column in table.heading if isinstance(column.type, CodecType)]
    if encoded:
        return f"{encoded[0]} holds encoded values"
    missing = [fk.parent for fk in table.foreign_keys if fk.parent in left_out]
    return f"they refer to rows of {missing[0]}" if missing else None


def _rows(table: Table, database: Database) -> list[str]:
    names = table.heading.names
    rows = FreeTable(database, table).to_dicts()
    ending = "," if len(names) == 1 else ""
    return [f"({', '.join(python_literal(row[name]) for name in names)}{ending})" for row in rows]


def python_literal(value: Any) -> str:
    """A Python expression that `insert` takes for a value read from the database.

    Raises `TypeError` for a value that has none.

    >>> python_literal(Decimal("1.50")), python_literal(float("nan")), python_literal({"a": [1, None]})
    ("'1.50'", "float('nan')", '{"a": [1, None]}')
    """
    match value:
        case None | bool() | int() | bytes():
            return repr(value)
        case str():
            return quoted(value)
        case float():
            return repr(value) if isfinite(value) else f"float({str(value)!r})"
        case Decimal() | UUID():
            return repr(str(value))
        case datetime():
            return repr(value.isoformat(sep=" "))
        case date() | time():
            return repr(value.isoformat())
        case list():
            return f"[{', '.join(map(python_literal, value))}]"
        case dict():
            pairs = (f"{python_literal(key)}: {python_literal(item)}" for key, item in value.items())
            return f"{{{', '.join(pairs)}}}"
        case _:
            raise TypeError(f"{type(value).__name__} has no notation in Python")
