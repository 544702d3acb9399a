"""How many jobs of each status the queues of a schema have, kept by triggers: no queue is scanned for it.

Every statement that changes a queue appends what it changed, a row a status, to `~job_counts`, so that nobody
waits for anybody. Now and then one of them replaces the rows that there are by their sums, unless somebody
else is about to. Those of a transaction that rolls back were never there.
"""

from typing import Final

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
    return table, _create_function(schema, _body(_counts(schema)))


def _create_function(schema: str, body: str) -> str:
    return (
        f"CREATE OR REPLACE FUNCTION {_function(schema)}() RETURNS trigger LANGUAGE plpgsql\n"
        f"SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS {literal(body)}"
    )


def _body(table: str) -> str:
    return (
        "BEGIN\n"
        "IF TG_OP = 'INSERT' THEN\n"
        f"  INSERT INTO {table} SELECT TG_TABLE_NAME, status::text, count(*) FROM became GROUP BY status;\n"
        "ELSIF TG_OP = 'UPDATE' THEN\n"
        f"  INSERT INTO {table} SELECT TG_TABLE_NAME, status::text, sum(n) FROM (\n"
        "    SELECT status, count(*) AS n FROM became GROUP BY status\n"
        "    UNION ALL SELECT status, -count(*) FROM was GROUP BY status\n"
        "  ) AS d GROUP BY status HAVING sum(n) <> 0;\n"
        "ELSIF TG_OP = 'DELETE' THEN\n"
        f"  INSERT INTO {table} SELECT TG_TABLE_NAME, status::text, -count(*) FROM was GROUP BY status;\n"
        "ELSE\n"
        f"  DELETE FROM {table} WHERE queue = TG_TABLE_NAME;\n"
        "END IF;\n"
        # A transaction that sees one moment would fail where another one has folded since.
        f"IF random() * {_FOLD_ONE_IN} < 1 AND current_setting('transaction_isolation') = 'read committed'\n"
        f"   AND pg_try_advisory_xact_lock({_lock('TG_RELID')}) THEN\n"
        f"  {_fold(table, 'TG_TABLE_NAME')};\n"
        "END IF;\n"
        "RETURN NULL;\n"
        "END"
    )


def _fold(table: str, queue: str) -> str:
    return (
        f"WITH gone AS (DELETE FROM {table} WHERE queue = {queue} RETURNING status, jobs)\n"
        f"  INSERT INTO {table} SELECT {queue}, status, sum(jobs) FROM gone"
        " GROUP BY status HAVING sum(jobs) <> 0"
    )


def _lock(relation: str) -> str:
    return f"hashtextextended('djflow job counts', {relation}::bigint)"


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
