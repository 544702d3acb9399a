"""Which database a record of objects was made in: a copy of it knows nothing of the other's rows.

A dump carries the comment of the record's table along, and with it the number of the server and of the
database where it was made. A copy of all of a server's files, such as a replica, has the same numbers.
"""

from collections.abc import Sequence

from djflow.backend.session import Session
from djflow.errors import QueryError
from djflow.sql import objects as sql


def check_home(session: Session, schema: str) -> None:
    """Raise `QueryError` where a schema's record of objects was made in another database."""
    [(home, here)] = session.execute(sql.HOME, [schema])
    if home is not None and home != here:
        raise QueryError(
            f"The objects of schema {schema!r} were recorded in another database, of which this is a copy: "
            "rows there may need them."
        ).suggest(
            "Collect there. Where that database is gone for good, call the collector's take_over() first."
        )


def take_over(session: Session, schemas: Sequence[str]) -> None:
    """Say that the records of objects of some schemas are of this database from now on."""
    with session.transaction():
        for schema in schemas:
            [(_, here)] = session.execute(sql.HOME, [schema])
            session.execute(sql.settle(schema, here))
