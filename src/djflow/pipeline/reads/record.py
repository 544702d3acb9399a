"""What was read for each key, kept with the results in the hidden table `~reads`."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from djflow.sql import jobs
from djflow.sql.identifiers import qualified
from djflow.sql.reads import create_reads_table, reads_table, record_reads
from djflow.tables.objects.aside import aside
from djflow.tables.rights import grants

if TYPE_CHECKING:
    from djflow.backend.session import Session
    from djflow.model.names import TableName
    from djflow.pipeline.tiers import AutoPopulated

_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '10s'"


class ReadsRecord:
    """The records of one table."""

    def __init__(self, table: "AutoPopulated") -> None:
        self._table = table
        self._session = table.connection.session
        self._is_there = False

    def create(self) -> None:
        """Have the schema's table created where it is missing, safely when several processes do so at once.

        It is committed at once, whatever becomes of a transaction around, unless that has made the schema.
        Raises `AccessError` where the role may not create tables in the schema.
        """
        if not self._is_there:
            _create(self._session, self._table.table_model.name)
            self._is_there = True
            if self._session.in_transaction:  # which may have created it
                self._session.after_rollback(self._forget)

    def _forget(self) -> None:
        self._is_there = False

    def write(self, read: Iterable[tuple[Mapping[str, Any], Mapping[str, bool]]]) -> None:
        """Keep what was read for keys, in place of what is known of them, in the transaction that there is.

        For each key there are the tables read, and whether all that was read of one was within the contract.
        """
        pairs = list(read)
        model, names = self._table.table_model, list(pairs[0][0])
        statement = record_reads(model, [model.heading[name] for name in names])
        documents = [json.dumps(found) for _, found in pairs]
        self._session.execute(statement, [documents, *([key[name] for key, _ in pairs] for name in names)])


def _create(session: "Session", target: "TableName") -> None:
    if has_reads_table(session, target.schema):
        return
    other = _creating_session(session, target)
    with other.transaction():
        if other is not session:
            # A transaction around may itself be what reads the schema, and would wait for its own end.
            other.execute(_LOCK_TIMEOUT)
        other.execute(jobs.IN_TURN, [target.schema])
        other.execute(create_reads_table(target.schema))
        grants.extend(other, target.schema, [reads_table(target.schema)])


def _creating_session(session: "Session", target: "TableName") -> "Session":
    if not session.in_transaction:
        return session
    other = aside(session)
    [(is_there,)] = other.execute(jobs.IS_THERE, [qualified(target)])
    return other if is_there else session


def has_reads_table(session: "Session", schema: str) -> bool:
    """Whether a schema has records of reads."""
    [(is_there,)] = session.execute(jobs.IS_THERE, [qualified(reads_table(schema))])
    return bool(is_there)
