"""What lies in a store and no database knows: found by listing the store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.sql.ddl import create_schema
from djflow.sql.objects import Kind
from djflow.tables.declare import schema_exists
from djflow.tables.objects.journal import create_record, has_record
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.references import columns_of, names_elsewhere, names_of
from djflow.tables.objects.sections import objects_of, section_of, sections

if TYPE_CHECKING:
    import polars as pl

    from djflow.storage.store import StoredFile


@dataclass(frozen=True, slots=True)
class UnknownFile:
    """A file of a schema's sections that is not recorded and to which no row refers."""

    schema: str
    store: str
    kind: Kind
    file: "StoredFile"


def unknown_files(database: Database, schema: str, name: str) -> list[UnknownFile]:
    """The files of a schema's sections of a store that the database does not know."""
    store = database.open_store(name)
    # Listed before the database is asked: what a writer adds meanwhile was recorded before it was written.
    listed = [file for prefix in sections(store.layout, schema) for file in store.list(prefix)]
    known = _known(database, schema, name)
    return [
        UnknownFile(schema, name, kind, file)
        for file in listed
        for kind, owner in [section_of(file.path, store.layout) or (None, None)]
        if kind is not None and owner == schema and known.isdisjoint(objects_of(_folded(file.path)))
    ]


def adopt(database: Database, files: Sequence[UnknownFile]) -> None:
    """Record files as being in quarantine from now on; a schema that was dropped is made for that."""
    if not files:
        return
    schema, store = files[0].schema, files[0].store
    if not schema_exists(database.session, schema):
        database.session.execute(create_schema(schema))
    create_record(database.session, schema)
    paths, kinds = [each.file.path for each in files], [str(each.kind) for each in files]
    database.session.execute(sql.adopt_objects(schema), [store, paths, kinds])


def frame(files: Iterable[UnknownFile]) -> "pl.DataFrame":
    """A row for each file."""
    import polars as pl

    columns = {
        "schema": pl.String(),
        "store": pl.String(),
        "path": pl.String(),
        "kind": pl.String(),
        "bytes": pl.Int64(),
        "modified": pl.Datetime("us", "UTC"),
    }
    rows = [
        (each.schema, each.store, each.file.path, str(each.kind), each.file.size, each.file.modified)
        for each in files
    ]
    return pl.DataFrame(rows, schema=columns, orient="row")


def _folded(path: str) -> str:
    """A path as it is listed where the case of letters, and dots that end names, tell nothing."""
    return "/".join(name.rstrip(".") for name in path.casefold().split("/"))


def _known(database: Database, schema: str, name: str) -> frozenset[str]:
    session, stores = database.session, database.settings.stores
    names, elsewhere = names_of(stores, name), names_elsewhere(stores, name)

    def find() -> frozenset[str]:
        # Recorded ones first: what is forgotten meanwhile is gone from the store, too.
        recorded = (
            session.execute(sql.select_recorded(schema), [names]) if has_record(session, schema) else []
        )
        used = session.execute(sql.select_used(columns_of(database, schema)), [elsewhere])
        return frozenset(_folded(path) for (path,) in [*recorded, *used])

    return looking_at_all(session, find)
