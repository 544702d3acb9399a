"""Archives without a database: opening, checking, and the rows of their tables."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from djflow.errors import ArchiveError
from djflow.storage.parallel import map_threads
from djflow.tables.archive.content import ContentHash
from djflow.tables.archive.folder import check_file, read_manifest
from djflow.tables.archive.manifest import Manifest, TableEntry
from djflow.tables.archive.progress import counted
from djflow.tables.archive.stored import arrow_schema

_BATCH_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Archive:
    """A folder with its manifest."""

    folder: Path
    manifest: Manifest

    def check_files(self) -> None:
        """Raise `ArchiveError` unless all files are as they were written."""
        map_threads(lambda file: check_file(self.folder, file), tuple(self.manifest.files()))
        for entry in self.manifest.tables:
            self._check_schema(entry)

    def batches(self, entry: TableEntry) -> Iterator[pa.RecordBatch]:
        """The rows of a table, in the types of `arrow_schema`, in bounded memory."""
        import pyarrow.parquet as pq

        schema = arrow_schema(entry.table).remove_metadata()
        try:
            with pq.ParquetFile(self.folder / entry.file.path) as file:
                for batch in file.iter_batches(_BATCH_ROWS):
                    yield batch.cast(schema)
        except (OSError, pa.ArrowException) as error:
            raise self.fault(f"the rows cannot be read ({error})", entry) from error

    def check_content(self, entry: TableEntry, advance: Callable[[int], object]) -> None:
        """Raise `ArchiveError` unless the rows of a table are those that were written."""
        content = ContentHash()
        for batch in self.batches(entry):
            content.add(batch)
            advance(batch.num_rows)
        if content.rows != entry.rows or content.hexdigest() != entry.content:
            raise self.fault("its rows are not those that were written", entry)

    def fault(self, reason: str, entry: TableEntry) -> ArchiveError:
        """The error for a table's file."""
        return ArchiveError(reason, archive=str(self.folder), file=entry.file.path)

    def _check_schema(self, entry: TableEntry) -> None:
        import pyarrow.parquet as pq

        try:
            with pq.ParquetFile(self.folder / entry.file.path) as file:
                found, rows = file.schema_arrow, file.metadata.num_rows
        except (OSError, pa.ArrowException) as error:
            raise self.fault(f"it is no Parquet file ({error})", entry) from error
        if rows != entry.rows:
            raise self.fault(f"it has {rows:,} rows, not {entry.rows:,}", entry)
        if found.names != arrow_schema(entry.table).names:
            raise self.fault(f"its columns are {', '.join(found.names)}", entry)


@dataclass(frozen=True, slots=True)
class VerifiedArchive:
    """What was found whole: files, rows in all tables, objects of stores, bytes."""

    path: Path
    files: int
    rows: int
    objects: int
    size: int


def read_archive(path: str | Path) -> Archive:
    """Open an archive; its manifest alone is checked.

    Raises `ArchiveError` where there is none, or its manifest is damaged or of a later format.
    """
    folder = Path(path).absolute()
    return Archive(folder, read_manifest(folder))


def verify_archive(path: str | Path, *, display_progress: bool = False) -> VerifiedArchive:
    """Check all that is in an archive, without a database.

    Every file must be as it was written, and the rows of each table must hash to its content hash.
    Raises `ArchiveError`, which names the file at fault.
    """
    archive = read_archive(path)
    archive.check_files()
    tables, files = archive.manifest.tables, tuple(archive.manifest.files())
    rows = sum(entry.rows for entry in tables)
    with counted(f"verify {archive.folder.name}", rows, display=display_progress) as advance:
        for entry in tables:
            archive.check_content(entry, advance)
    size = sum(file.size for file in files)
    return VerifiedArchive(archive.folder, len(files), rows, len(archive.manifest.objects), size)
