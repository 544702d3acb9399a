"""Archives as `Schema` offers them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from djflow.relation.database import Database
    from djflow.tables.archive.restore import OnConflict, RestoreSummary
    from djflow.tables.archive.write import ArchiveSummary


class Archiving:
    """The part of `Schema` that dumps and restores."""

    if TYPE_CHECKING:  # what Schema has

        @property
        def database(self) -> str:
            """The schema's name."""

        @property
        def connection(self) -> "Database":
            """The database that holds the schema."""

        def _reload(self) -> None: ...

    def dump(
        self, path: str | Path, *, include_parents: bool = False, display_progress: bool = False
    ) -> "ArchiveSummary":
        """Keep all tables of the schema, with all rows and the objects that they refer to, as a new folder.

        The folder holds plain Parquet, JSON and the objects' files; `dj.restore` reads it. All rows are of
        one moment, and others go on working. A role that may only read suffices. What the tables refer to in
        other schemas must exist where the archive is restored, unless `include_parents` keeps it, too.

        Raises `ArchiveError` for a path that exists, `MissingTableError` for a schema without tables,
        `MissingExternalFile` for an object that its store lacks. After an error there is no archive.
        """
        from djflow.tables.archive.dump import dump_schema

        return dump_schema(
            self.connection,
            self.database,
            path,
            include_parents=include_parents,
            display_progress=display_progress,
        )

    def restore(
        self,
        path: str | Path,
        *,
        on_conflict: "OnConflict" = "error",
        create: bool = True,
        display_progress: bool = False,
    ) -> "RestoreSummary":
        """Put an archive of one schema, whatever its name, into this one; arguments as for `dj.restore`."""
        from djflow.tables.archive.restore import restore_archive

        summary = restore_archive(
            self.connection,
            path,
            schema=self.database,
            on_conflict=on_conflict,
            create=create,
            display_progress=display_progress,
        )
        self._reload()
        return summary


def restore(
    path: str | Path,
    *,
    schema: str | Mapping[str, str] | None = None,
    on_conflict: "OnConflict" = "error",
    create: bool = True,
    connection: "Database | None" = None,
    display_progress: bool = False,
) -> "RestoreSummary":
    """Put all that is in an archive into a database, or nothing of it.

    Archives are made by `schema.dump(path)` and `(table & condition).delete(archive=path)`. All files are
    checked first. Missing schemas and tables are created as they were, unless `create` is False; objects go
    back into the stores of the same names; what the database holds in the end is compared with the archive.

    `schema` restores under another name: of the one schema that was dumped, or a mapping of old names to
    new ones. `on_conflict` says what becomes of rows whose primary key exists: "error" (the default) refuses
    them, "skip" leaves the existing ones as they are, "match" skips those with equal values and refuses
    others. `connection` is the database, by default `dj.conn()`.

    Raises `ArchiveError` for an archive that is damaged or does not fit the tables there,
    `MissingTableError`, `DuplicateError`, `ConflictError`, `IntegrityError`, and `ConfigError` for a store
    that is not configured.
    """
    from djflow.tables.archive.restore import restore_archive
    from djflow.tables.arguments import check_connection
    from djflow.tables.default import conn

    if connection is not None:
        check_connection(connection)
    return restore_archive(
        conn() if connection is None else connection,
        path,
        schema=schema,
        on_conflict=on_conflict,
        create=create,
        display_progress=display_progress,
    )
