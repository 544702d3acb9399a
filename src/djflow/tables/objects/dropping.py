"""What becomes of the objects of a schema that is dropped: they stay in their stores, and this is told."""

from djflow.backend.session import Session
from djflow.sql import objects as sql
from djflow.tables.objects.journal import has_record


def remaining_objects(session: Session, schema: str) -> str:
    """What to tell those who drop a schema; "" where no object is recorded.

    Rows of other schemas may refer to the objects, and rows may come back from a backup or an archive.
    """
    if not has_record(session, schema):
        return ""
    [(number,)] = session.execute(sql.count_all_objects(schema))
    if not number:
        return ""
    where = f"dj.gc.GarbageCollector({schema!r}).audit() finds them"
    return f" Its {number:,} objects stay in their stores: {where}."
