"""Archives: rows with their tables' definitions and their objects, in a folder of plain files."""

from djflow.tables.archive.content import ContentHash, content_hash
from djflow.tables.archive.dump import dump_schema
from djflow.tables.archive.read import Archive, VerifiedArchive, read_archive, verify_archive
from djflow.tables.archive.restore import RestoreSummary, restore_archive
from djflow.tables.archive.write import ArchiveSummary, write_archive

__all__ = [
    "Archive",
    "ArchiveSummary",
    "ContentHash",
    "RestoreSummary",
    "VerifiedArchive",
    "content_hash",
    "dump_schema",
    "read_archive",
    "restore_archive",
    "verify_archive",
    "write_archive",
]
