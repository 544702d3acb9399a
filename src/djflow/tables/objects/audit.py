"""What lies in a store and no database knows: found by listing the store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.sql.objects import Kind
from djflow.storage.paths import StoreLayout, hash_path, schema_path
from djflow.tables.objects.journal import create_record, has_record
from djflow.tables.objects.looking import looking_at_all
from djflow.tables.objects.references import columns_of, names_of

if TYPE_CHECKING:
    import polars as pl

    from djflow.storage.store import StoredFile

_SIDECAR: Final = ".manifest.json"  # DataJoint's list of the files of a folder, beside the folder


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
    listed = [
        (kind, file)
        for kind, prefix in _sections(store.layout, schema)
        for file in store.list(prefix)
        if kind is Kind.SHARED or _is_of(file.path, store.layout, schema)
    ]
    known = _known(database, schema, name)
    return [
        UnknownFile(schema, name, kind, file) for kind, file in listed if not _is_covered(file.path, known)
    ]


def adopt(database: Database, files: Sequence[UnknownFile]) -> None:
    """Record files as being in quarantine from now on."""
    if not files:
        return
    schema, store = files[0].schema, files[0].store
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


def _sections(layout: StoreLayout, schema: str) -> tuple[tuple[Kind, str], ...]:
    shared = hash_path(StoreLayout(hash_prefix=layout.hash_prefix), schema, "x").removesuffix("/x")
    # A partition comes before the schema.
    owned = layout.schema_prefix if layout.partition else _owned(layout, schema)
    return (Kind.SHARED, shared), (Kind.OWNED, owned)


def _owned(layout: StoreLayout, schema: str) -> str:
    plain = StoreLayout(schema_prefix=layout.schema_prefix)
    example = schema_path(plain, TableName(schema, "t"), {}, "x", token="")
    return example.removesuffix("/t/x_")


def _is_of(path: str, layout: StoreLayout, schema: str) -> bool:
    own = _owned(layout, schema).removeprefix(f"{layout.schema_prefix}/")
    segments = path.removeprefix(f"{layout.schema_prefix}/").split("/")
    for name in layout.partition:
        if not segments[0].startswith(f"{name}="):
            break
        segments = segments[1:]
    return segments[0] == own


def _known(database: Database, schema: str, name: str) -> frozenset[str]:
    session, names = database.session, names_of(database.settings.stores, name)

    def find() -> frozenset[str]:
        # Recorded ones first: what is forgotten meanwhile is gone from the store, too.
        recorded = (
            session.execute(sql.select_recorded(schema), [names]) if has_record(session, schema) else []
        )
        used = session.execute(sql.select_used(columns_of(database)), [names])
        return frozenset(path for (path,) in [*recorded, *used])

    return looking_at_all(session, find)


def _is_covered(path: str, known: frozenset[str]) -> bool:
    """Whether a file is a known object, lies in one, or is the sidecar of one.

    >>> known = frozenset({"a/x.zarr"})
    >>> [_is_covered(path, known) for path in ("a/x.zarr/c/0", "a/x.zarr.manifest.json", "a/x.zarrs")]
    [True, True, False]
    """
    if path in known or path.removesuffix(_SIDECAR) in known:
        return True
    end = path.rfind("/")
    while end > 0:
        if path[:end] in known:
            return True
        end = path.rfind("/", 0, end)
    return False
