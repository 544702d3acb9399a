"""Rows of tables into an archive."""

import datetime as dt
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from djflow._version import __version__
from djflow.backend.session import Session
from djflow.backend.unmodelled import unmodelled_facts
from djflow.definition import render, unbind
from djflow.engine.run import resolved, streamed
from djflow.errors import ArchiveError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.planner.lower_sql import lower_insert
from djflow.planner.nodes import Node
from djflow.planner.rewriter import optimise
from djflow.relation.database import Database
from djflow.sql import archive as sql
from djflow.storage.flushing import flush
from djflow.tables.archive.content import ContentHash
from djflow.tables.archive.folder import entry_of, new_folder, write_manifest
from djflow.tables.archive.manifest import Manifest, Requirement, TableEntry
from djflow.tables.archive.moments import check_moments
from djflow.tables.archive.objects import ObjectKeeper
from djflow.tables.archive.progress import counted
from djflow.tables.archive.references import references
from djflow.tables.archive.stored import all_columns, arrow_schema, file_name, stored

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow.parquet as pq

_GROUP_BYTES: Final = 32 << 20  # how much of a table waits to be written


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    """What an archive holds: rows by table, parents first, and how many objects of stores.

    `not_kept` lists what some tables have that no definition can say, such as triggers and check constraints.
    """

    path: Path
    rows: Mapping[TableName, int]
    objects: int
    not_kept: Mapping[TableName, Sequence[str]]


def write_archive(
    database: Database,
    selection: Mapping[TableName, Node],
    path: str | Path,
    *,
    catalog: Catalog,
    schemas: Sequence[str] = (),
    display_progress: bool = False,
) -> ArchiveSummary:
    """Keep rows of some tables, with the objects that they refer to, as a new folder.

    `selection` names the tables, parents first, each with a plan over the table that selects rows; `catalog`
    knows all of them. `schemas` are those that were asked for, by default the ones of the tables.

    Inside a transaction it sees what the transaction sees. An archive whose transaction is rolled back goes
    with it. Otherwise all rows are of one moment. Rows stream by; memory holds some 32 MiB of them.

    Raises `ArchiveError` for a path that exists and for values that no file can hold, and
    `MissingExternalFile` for an object that its store does not have. After an error there is no archive.
    """
    session = database.session
    if not session.in_transaction:
        with one_moment(session):
            return write_rows(database, selection, path, catalog, schemas, display_progress=display_progress)
    summary = write_rows(database, selection, path, catalog, schemas, display_progress=display_progress)
    session.after_rollback(lambda: remove(summary))
    return summary


def remove(summary: ArchiveSummary) -> None:
    """Remove an archive that was just written."""
    shutil.rmtree(summary.path, ignore_errors=True)


def write_rows(
    database: Database,
    selection: Mapping[TableName, Node],
    path: str | Path,
    catalog: Catalog,
    schemas: Sequence[str],
    *,
    display_progress: bool,
) -> ArchiveSummary:
    """What `write_archive` does inside of the transaction that it finds or makes."""
    target = Path(path).absolute()
    with new_folder(target) as folder:
        database.session.execute(sql.PLAIN_INTERVALS)
        facts = _facts(database.session, {name.schema for name in selection})
        writer = _Writer(database, folder, ObjectKeeper(folder, database.open_store), facts)
        with counted(f"archive {target.name}", None, display=display_progress) as advance:
            tables = tuple(writer.table(catalog[name], plan, advance) for name, plan in selection.items())
        manifest = Manifest(
            created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            software=f"djflow {__version__}",
            schemas=tuple(schemas) or tuple(sorted({name.schema for name in selection})),
            tables=tables,
            requires=_requirements(tables, catalog),
            objects=writer.objects.entries,
        )
        write_manifest(folder, manifest)
    return ArchiveSummary(
        target,
        {each.table.name: each.rows for each in tables},
        len(manifest.objects),
        {each.table.name: each.not_kept for each in tables if each.not_kept},
    )


@contextmanager
def one_moment(session: Session) -> Iterator[None]:
    """A transaction that reads the database as it is at one moment."""
    with session.transaction("repeatable read"):
        session.execute(sql.READ_ONLY)
        yield


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes tables into the folder of an archive."""

    database: Database
    folder: Path
    objects: ObjectKeeper
    facts: Mapping[TableName, Sequence[str]]

    def table(self, table: Table, plan: Node, advance: "Callable[[int], object]") -> TableEntry:
        """Write the rows that a plan selects, and keep their objects."""
        _check_arrays(self.database.session, table, plan)
        file = file_name(table.name)
        content = ContentHash()
        (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
        with _parquet(self.folder / file, arrow_schema(table)) as rows:
            for batch in self._batches(table, plan):
                rows.write(batch)
                content.add(batch)
                self.objects.keep(references(table, batch))
                advance(batch.num_rows)
        flush(self.folder / file)
        facts = self.facts.get(table.name, ())
        return TableEntry(
            table,
            _definition(table),
            entry_of(self.folder, file),
            content.rows,
            content.hexdigest(),
            is_protected=any(_guards_rows(fact) for fact in facts),
            not_kept=tuple(fact for fact in facts if not _guards_rows(fact)),
        )

    def _batches(self, table: Table, plan: Node) -> Iterator[pa.RecordBatch]:
        try:
            for batch in streamed(self.database.session, all_columns(plan, table)):
                check_moments(batch)
                yield batch
        except (pa.ArrowException, ValueError) as error:
            reason = f"a value of {table.name} has no place in a file: {error}"
            raise ArchiveError(reason, archive=str(self.folder)) from error


class _Rows:
    """Collects batches, and writes them in pieces that are read well."""

    def __init__(self, writer: "pq.ParquetWriter") -> None:
        self._writer = writer
        self._waiting: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch."""
        self._waiting.append(batch)
        if sum(each.nbytes for each in self._waiting) >= _GROUP_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._writer.schema))
        self._waiting = []


@contextmanager
def _parquet(file: Path, schema: pa.Schema) -> Iterator[_Rows]:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = _Rows(writer)
        yield rows
        rows.flush()


def _check_arrays(session: Session, table: Table, plan: Node) -> None:
    """Raise `ArchiveError` for arrays of several dimensions, which would be read as lists."""
    names = [
        a.name for a in stored(table).heading if pa.types.is_list(arrow_schema(table).field(a.name).type)
    ]
    if not names:
        return
    statement = lower_insert(optimise(resolved(session, all_columns(plan, table))).plan, tuple(names))

    def counting(rows: str) -> str:
        return sql.count_uneven_arrays(rows, names)

    shipped = statement.shipped(session.inline_values, counting)
    [(uneven,)] = session.query_rows(counting(statement.sql), statement.parameters, shipped)
    if uneven:
        raise ArchiveError(
            f"{uneven} rows of {table.name} have arrays of several dimensions or with other subscripts "
            f"than from 1 on, in {', '.join(names)}, which no file can hold. "
            "Keep them as <blob>, or leave them out"
        )


def _facts(session: Session, schemas: Iterable[str]) -> Mapping[TableName, Sequence[str]]:
    """What the tables of some schemas have that no definition can say."""
    found: dict[TableName, Sequence[str]] = {}
    for schema in sorted(schemas):
        found |= unmodelled_facts(session, schema)
    return found


def _guards_rows(fact: str) -> bool:
    """Whether a fact is a trigger of those that `protect_rows` makes."""
    return fact.startswith('CREATE TRIGGER "~own_rows')


def _requirements(tables: Sequence[TableEntry], catalog: Catalog) -> tuple[Requirement, ...]:
    """The tables that rows refer to and that are not kept."""
    kept = {entry.table.name for entry in tables}
    parents = {key.parent for entry in tables for key in entry.table.foreign_keys} - kept
    return tuple(Requirement(name, _definition(catalog[name])) for name in sorted(parents))


def _definition(table: Table) -> str:
    own = table.name.schema

    def class_path(name: TableName) -> str:
        return name.class_path if name.schema == own else f"{name.schema}.{name.class_path}"

    return render(unbind(table, class_path=class_path))
