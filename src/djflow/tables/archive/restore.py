"""An archive back into a database."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Literal, TypeAlias

from djflow.backend.introspect import introspect
from djflow.errors import ArchiveError, DjflowError, InvalidArgumentError, did_you_mean
from djflow.model.names import TableName
from djflow.relation.database import Database
from djflow.sql import objects as sql
from djflow.sql.objects import Kind
from djflow.tables.archive.compatible import check_compatible
from djflow.tables.archive.load import Loading, Policy
from djflow.tables.archive.manifest import TableEntry
from djflow.tables.archive.objects import AbsentFile, KeptObject, absent_files, put_files
from djflow.tables.archive.progress import counted
from djflow.tables.archive.read import Archive, read_archive
from djflow.tables.archive.renaming import Renaming
from djflow.tables.arguments import check_mapping, check_schema_name
from djflow.tables.declare import declare
from djflow.tables.objects import journal
from djflow.tables.objects.aside import aside
from djflow.tables.objects.sections import section_of
from djflow.tables.rights import grants, ownership

OnConflict: TypeAlias = Literal["error", "skip", "match"]


@dataclass(frozen=True, slots=True)
class RestoreSummary:
    """What came back: rows inserted and rows skipped, by table; tables created; files written to stores."""

    inserted: Mapping[TableName, int]
    skipped: Mapping[TableName, int]
    created: tuple[TableName, ...]
    files: int


def restore_archive(
    database: Database,
    path: str | Path,
    *,
    schema: str | Mapping[str, str] | None = None,
    on_conflict: OnConflict = "error",
    create: bool = True,
    display_progress: bool = False,
) -> RestoreSummary:
    """Put all that is in an archive into a database, or nothing of it.

    First the archive is checked, without touching the database. Then, in one transaction, missing schemas and
    tables are created as they were (unless `create` is False), objects are recorded and put back into their
    stores, rows are inserted parents first, and what the database holds by then is compared with what was
    sent. An object that a collector has removed, or is removing, gets a new path.

    `schema` is the name to restore under: of the one schema that was dumped, or a mapping of old names to
    new ones. `on_conflict` says what becomes of rows whose primary key exists: "error" refuses them, "skip"
    leaves the existing ones as they are, and "match" skips equal ones and refuses others.

    Raises `ArchiveError` for a damaged archive or tables that do not take its rows, `MissingTableError`,
    `DuplicateError`, `ConflictError`, `IntegrityError`, or `ConfigError` for an unknown store.
    """
    policy = _policy(on_conflict)
    archive = read_archive(path)
    renaming = _renaming(archive, schema, database)
    archive.check_files()
    restoring = _Restoring(database, archive, renaming)
    with database.session.transaction():
        created = restoring.declare(create=create)
        restoring = restoring.recorded(created)
        absent = restoring.absent_files()
        restoring.put(absent)
        total = sum(entry.rows for entry in archive.manifest.tables)
        with counted(f"restore {archive.folder.name}", total, display=display_progress) as advance:
            loadings = [restoring.loading(entry, advance) for entry in archive.manifest.tables]
            skipped = {
                each.table.name: each.into_new() if each.table.name in created else each.into_existing(policy)
                for each in loadings
            }
        restoring.protect(created)
    inserted = {each.table.name: each.sent.rows - skipped[each.table.name] for each in loadings}
    return RestoreSummary(inserted, skipped, created, len(absent))


@dataclass(frozen=True, slots=True)
class _Restoring:
    """One archive on its way into one database."""

    database: Database
    archive: Archive
    renaming: Renaming

    @property
    def _place(self) -> str:
        return str(self.archive.folder)

    def absent_files(self) -> tuple[AbsentFile, ...]:
        """The files to put into stores. Raises `ArchiveError` where another object is in the way."""
        objects = tuple(
            KeptObject(entry, self.renaming.path(entry.store, entry.path))
            for entry in self.archive.manifest.objects
        )
        return absent_files(objects, self.database.open_store, archive=self._place)

    def declare(self, *, create: bool) -> tuple[TableName, ...]:
        """Make sure that all tables exist and take the rows; those created, parents first."""
        self._check_requirements()
        session = self.database.session
        tables = [self.renaming.table(entry.table) for entry in self.archive.manifest.tables]
        created: list[TableName] = []
        for schema, group in groupby(tables, lambda table: table.name.schema):
            wanted = tuple(group)
            found, new = declare(session, schema, wanted, create_schemas=create, create_tables=create)
            grants.extend(session, schema, new)
            for table in wanted:
                check_compatible(found[table.name], table, archive=self._place)
            created += [table.name for table in wanted if table.name in new]
        return tuple(created)

    def recorded(self, created: Collection[TableName]) -> "_Restoring":
        """The same, once no collector removes any of the objects; those that one does get other paths."""
        for schema in sorted({name.schema for name in created}):
            self.database.session.execute(sql.CLAIM_SECTION, [schema])
        taken: dict[tuple[str, str], str] = {}
        for (schema, kind, store), paths in self._sections().items():
            chosen = journal.record_again(self.database, schema, store, paths, kind)
            taken |= {(store, path): new for path, new in zip(paths, chosen, strict=True) if path != new}
        if not taken:
            return self

        def place(store: str, path: str) -> str:
            return taken.get((self.database.open_store(store).name, path), path)

        return replace(self, renaming=replace(self.renaming, place=place))

    def _sections(self) -> Mapping[tuple[str, Kind, str], list[str]]:
        """The paths of objects by what they belong to; the files that users keep themselves are left out."""
        found: defaultdict[tuple[str, Kind, str], list[str]] = defaultdict(list)
        for entry in self.archive.manifest.objects:
            path = self.renaming.path(entry.store, entry.path)
            section = self._section(entry.store, path)
            if section is not None:
                kind, schema = section
                found[schema, kind, entry.store].append(path)
        there = self.database.session.execute(sql.SCHEMAS, [sorted({schema for schema, _, _ in found})])
        known = {schema for (schema,) in there}
        return {key: paths for key, paths in found.items() if key[0] in known}

    def _section(self, store: str, path: str) -> tuple[Kind, str] | None:
        return section_of(path, self.database.open_store(store).layout)

    def put(self, files: Sequence[AbsentFile]) -> None:
        """Put objects into their stores.

        If the transaction fails, a collector finds them: who restores the same at once may need them.
        What no collector would find goes again.
        """
        by_schema: defaultdict[str | None, list[AbsentFile]] = defaultdict(list)
        for file in files:
            kind, schema = self._section(file.store, file.path) or (None, None)
            if kind is not Kind.SHARED:
                by_schema[schema].append(file)
        self.database.session.after_rollback(lambda: self._take_back(by_schema))
        put_files(files, self.archive.folder, self.database.open_store)

    def _take_back(self, by_schema: Mapping[str | None, Sequence[AbsentFile]]) -> None:
        """Remove files that users keep themselves, and those of schemas that are not there any more."""
        other = aside(self.database.session)
        for schema, files in by_schema.items():
            with suppress(DjflowError), other.transaction():
                if schema is not None:
                    [(is_free,)] = other.execute(sql.TRY_SECTION, [schema])
                    if not is_free or journal.has_record(other, schema):
                        continue  # somebody else restores the same, or a collector finds them
                for file in files:
                    self.database.open_store(file.store).remove(file.path)

    def protect(self, created: Collection[TableName]) -> None:
        """Let rows of new tables belong to those who inserted them, where it was so."""
        guarded = (each.table.name for each in self.archive.manifest.tables if each.is_protected)
        names = [name for name in map(self.renaming.name, guarded) if name in created]
        if names:
            ownership.protect_rows(self.database.session, names)

    def loading(self, entry: TableEntry, advance: Callable[[int], object]) -> Loading:
        """The rows of a table, ready to go in."""
        rows = (self.renaming.rows(entry.table, batch) for batch in self.archive.batches(entry))
        return Loading(self.database, self.renaming.table(entry.table), rows, advance, self._place)

    def _check_requirements(self) -> None:
        needed = [self.renaming.name(each.name) for each in self.archive.manifest.requires]
        if not needed:
            return
        catalog = introspect(self.database.session.connection, sorted({name.schema for name in needed}))
        missing = [str(name) for name in needed if name not in catalog]
        if missing:
            raise ArchiveError(
                f"its rows refer to {', '.join(missing)}, which the database lacks and the archive does not "
                "hold. Restore those first; dump with include_parents=True to have them in one archive",
                archive=self._place,
            )


def _policy(name: object) -> Policy:
    names = [policy.value for policy in Policy]
    if name in names:
        return Policy(name)
    hint = did_you_mean(name, names) if isinstance(name, str) else ""
    raise InvalidArgumentError(f"on_conflict is one of {', '.join(map(repr, names))}, not {name!r}.{hint}")


def _renaming(archive: Archive, schema: str | Mapping[str, str] | None, database: Database) -> Renaming:
    manifest = archive.manifest
    if isinstance(schema, str):
        if len(manifest.schemas) != 1:
            raise InvalidArgumentError(
                f"{archive.folder} holds rows of {', '.join(manifest.schemas)}: say which of them gets "
                f"the name {schema!r}, as in schema={{{manifest.schemas[0]!r}: {schema!r}}}."
            )
        schema = {manifest.schemas[0]: schema}
    check_mapping("schema", schema, "{'lab': 'lab_copy'}")
    schemas = dict(schema or {})
    for new in schemas.values():
        check_schema_name(new)
    held = sorted({entry.table.name.schema for entry in manifest.tables})
    for old in schemas:
        if old not in held:
            raise InvalidArgumentError(
                f"{archive.folder} holds no rows of schema {old!r}.{did_you_mean(old, held)} "
                f"Its schemas: {', '.join(held)}."
            )
    tables = frozenset(entry.table.name for entry in manifest.tables if entry.table.name.schema in schemas)
    return Renaming(schemas, tables, lambda store: database.open_store(store).layout)
