"""How many jobs of each status the queues of a schema have, kept by triggers: no queue is scanned for it.

Every statement that changes a queue appends what it changed, a row a status, to `~job_counts`, so that nobody
waits for anybody. Now and then one of them replaces the rows that there are by their sums, unless somebody
else is about to. Those of a transaction that rolls back were never there.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias

from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified, quote

_COUNTS: Final = "~job_counts"
TRIGGER: Final = "~count_jobs_insert"  # the one that tells whether a queue's jobs are counted
_FUNCTION: Final = "~count_jobs"
_OLD, _NEW = "REFERENCING OLD TABLE AS was", "REFERENCING NEW TABLE AS became"
_EVENTS: Final = (
    ("insert", _NEW),
    ("update", f"{_OLD} NEW TABLE AS became"),
    ("delete", _OLD),
    ("truncate", ""),
)
_FOLD_ONE_IN: Final = 64  # statements


def create_counts(schema: str) -> tuple[str, ...]:
    """The statements that create the counts of a schema and the function that keeps them.

    The function has the rights of its owner, so who changes jobs needs none on the counts.
    """
    table = (
        f"CREATE TABLE IF NOT EXISTS {_counts(schema)} (\n"
        "  queue varchar(64) NOT NULL,\n  status varchar(16) NOT NULL,\n  jobs bigint NOT NULL\n"
        # Rows come and go at a rate that has nothing to do with how many there are.
        ") WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)"
    )
    return table, _create_function(schema)


def _create_function(schema: str) -> str:
    # Statements whose text is known keep their plans. It is not, once somebody has renamed the schema.
    body = (
        "BEGIN\n"
        f"IF TG_TABLE_SCHEMA = {literal(schema)} THEN\n{_body(partial(_at_once, schema))}"
        f"ELSE\n{_body(_by_name)}"
        "END IF;\n"
        "RETURN NULL;\n"
        "END"
    )
    return (
        f"CREATE OR REPLACE FUNCTION {_function(schema)}() RETURNS trigger LANGUAGE plpgsql\n"
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {literal(body)}"
    )


_Statement: TypeAlias = Callable[[str, str], str]
"""Given the table of the counts and the name of the queue, as SQL has them."""


def _at_once(schema: str, statement: _Statement) -> str:
    return statement(_counts(schema), "TG_TABLE_NAME")


def _by_name(statement: _Statement) -> str:
    text = literal(statement(f"%1$I.{quote(_COUNTS)}", "$1"))
    return f"EXECUTE format({text}, TG_TABLE_SCHEMA) USING TG_TABLE_NAME"


def _body(run: Callable[[_Statement], str]) -> str:
    return (
        f"IF TG_OP = 'INSERT' THEN\n  {run(_inserted)};\n"
        f"ELSIF TG_OP = 'UPDATE' THEN\n  {run(_updated)};\n"
        f"ELSIF TG_OP = 'DELETE' THEN\n  {run(_deleted)};\n"
        f"ELSE\n  {run(_truncated)};\n"
        "END IF;\n"
        # A transaction that sees one moment would fail where another one has folded since.
        f"IF random() * {_FOLD_ONE_IN} < 1 AND current_setting('transaction_isolation') = 'read committed'\n"
        "   AND pg_try_advisory_xact_lock(hashtextextended('djflow job counts', TG_RELID::bigint)) THEN\n"
        f"  {run(_folded)};\n"
        "END IF;\n"
    )


def _inserted(table: str, queue: str) -> str:
    return f"INSERT INTO {table} SELECT {queue}, status::text, count(*) FROM became GROUP BY status"


def _updated(table: str, queue: str) -> str:
    return (
        f"INSERT INTO {table} SELECT {queue}, status::text, sum(n) FROM (\n"
        "    SELECT status, count(*) AS n FROM became GROUP BY status\n"
        "    UNION ALL SELECT status, -count(*) FROM was GROUP BY status\n"
        "  ) AS d GROUP BY status HAVING sum(n) <> 0"
    )


def _deleted(table: str, queue: str) -> str:
    return f"INSERT INTO {table} SELECT {queue}, status::text, -count(*) FROM was GROUP BY status"


def _truncated(table: str, queue: str) -> str:
    return f"DELETE FROM {table} WHERE queue = {queue}"


def _folded(table: str, queue: str) -> str:
    return (
        f"WITH gone AS (DELETE FROM {table} WHERE queue = {queue} RETURNING status, jobs)\n"
        f"  INSERT INTO {table} SELECT {queue}, status, sum(jobs) FROM gone"
        " GROUP BY status HAVING sum(jobs) <> 0"
    )


def count_jobs(queue: TableName) -> tuple[str, ...]:
    """The statements that begin to count the jobs of a queue, those that there are included."""
    table, name = _counts(queue.schema), literal(queue.table)
    triggers = (
        f"CREATE TRIGGER {quote(f'~count_jobs_{event}')} AFTER {event.upper()} ON {qualified(queue)}"
        f"{f' {names}' if names else ''} FOR EACH STATEMENT EXECUTE FUNCTION {_function(queue.schema)}()"
        for event, names in _EVENTS
    )
    return (
        # Nobody changes jobs between the count and the triggers.
        f"LOCK TABLE {qualified(queue)} IN SHARE ROW EXCLUSIVE MODE",
        *triggers,
        f"DELETE FROM {table} WHERE queue = {name}",
        f"INSERT INTO {table} SELECT {name}, status::text, count(*) FROM {qualified(queue)} GROUP BY status",
    )


def kept_counts(schema: str) -> str:
    """The query for statuses and numbers of jobs; its parameter is the queue."""
    return f"SELECT status::text, sum(jobs)::bigint FROM {_counts(schema)} WHERE queue = $1 GROUP BY status"


def scanned_counts(queue: TableName) -> str:
    """The query for statuses and numbers of jobs of a queue that is not counted."""
    return f"SELECT status::text, count(*) FROM {qualified(queue)} GROUP BY status"


def counts_table(schema: str) -> TableName:
    """The table of the counts of a schema's queues."""
    return TableName(schema, _COUNTS)


def _counts(schema: str) -> str:
    return qualified(counts_table(schema))


def _function(schema: str) -> str:
    return qualified(TableName(schema, _FUNCTION))
