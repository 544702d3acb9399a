"""Statements that change the jobs of a queue, many at once. Pure: nothing here talks to a server.

Keys come as one parameter, an array of JSON with an object a key, whose texts the server reads as it reads
values of the columns. Times are the server's: those of DataJoint's columns as it writes them, in the time
zone of the session and without it; those of leases with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified, quote

_NOW: Final = "statement_timestamp()::timestamp"
_FREE: Final = "_token = NULL, _lease_end = NULL"
_NO_HOLDER: Final = f"reserved_time = NULL, host = '', pid = 0, connection_id = 0, version = '', {_FREE}"
_NO_OUTCOME: Final = "completed_time = NULL, duration = NULL, error_message = '', error_stack = NULL"
_HELD: Final = "q._token = $2"


@dataclass(frozen=True, slots=True)
class JobTable:
    """A queue: its name, the attributes of its key, and the quoted name of the type of its status.

    `padded` are those of the key whose texts are filled up with blanks.
    """

    name: TableName
    key: tuple[str, ...]
    status_type: str
    padded: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return qualified(self.name)

    @property
    def columns(self) -> str:
        """The columns of the key."""
        return ", ".join(map(quote, self.key))

    @property
    def values(self) -> str:
        """The values of the key as people know them."""
        return ", ".join(f"{quote(name)}{'::text' if name in self.padded else ''}" for name in self.key)

    def columns_of(self, alias: str) -> str:
        """The columns of the key, of one of several relations."""
        return ", ".join(f"{alias}.{quote(name)}" for name in self.key)

    def matches(self, alias: str) -> str:
        """The condition that a job, `q`, has the key of another relation."""
        return " AND ".join(f"q.{quote(name)} = {alias}.{quote(name)}" for name in self.key)

    @property
    def given(self) -> str:
        """The keys that are the first parameter, as `k`, with their numbers from 1, `e._n`."""
        return (
            "json_array_elements($1::json) WITH ORDINALITY AS e(_key, _n)"
            f" CROSS JOIN LATERAL json_populate_record(NULL::{self}, e._key) AS k"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """From which statuses an event leads to which; None is a job that is gone."""

    sources: tuple[str, ...]
    result: str | None

    @property
    def condition(self) -> str:
        """Whether it can happen to a job `q`."""
        return f"q.status IN ({', '.join(map(literal, self.sources))})"

    @property
    def status(self) -> str:
        """The status that follows."""
        assert self.result is not None  # noqa: S101 - what removes jobs sets no status
        return literal(self.result)


# taking jobs


def claim(table: JobTable, change: Change, *, up_to_priority: bool = False, among: str | None = None) -> str:
    """The statement that takes jobs which are due, the most urgent first, and gives their keys in that order.

    A job whose holder was not heard of any more is taken alone, for it may be what ended that one: others
    would share its fate, and be given up as often tried without success.

    Its parameters are how many, the token, the seconds of the lease, host and number of the process, the
    version of its code, and with `up_to_priority` the least urgent priority. `among` is a query for the keys
    that come into question.
    """
    limits = [change.condition, f"q.scheduled_time <= {_NOW}"]
    limits += ["q.priority <= $7"] if up_to_priority else []
    limits += _among(table, among)
    return (
        "WITH due AS MATERIALIZED (\n"
        f"  SELECT q.ctid AS place, q._lease_end IS NOT NULL AS is_suspect FROM {table} q\n"
        f"  WHERE {' AND '.join(limits)}\n"
        # Who comes second passes over what the first has locked, instead of waiting for it.
        "  ORDER BY q.priority, q.scheduled_time LIMIT $1 FOR UPDATE OF q SKIP LOCKED\n"
        "), numbered AS (SELECT place, is_suspect, row_number() OVER () AS n FROM due), chosen AS (\n"
        "  SELECT place FROM numbered\n"
        "  WHERE n = 1 OR n < coalesce((SELECT min(n) FROM numbered WHERE is_suspect), n + 1)\n"
        "), taken AS (\n"
        f"  UPDATE {table} SET status = {change.status}, reserved_time = {_NOW}, host = $4, pid = $5,\n"
        '    connection_id = pg_backend_pid(), "user" = current_user, version = $6,\n'
        "    _attempts = _attempts + 1, _token = $2,\n"
        "    _lease_end = clock_timestamp() + make_interval(secs => $3)\n"
        "  WHERE ctid = ANY (ARRAY(SELECT place FROM chosen))\n"
        f"  RETURNING {table.columns}, priority, scheduled_time\n"
        f") SELECT {table.values} FROM taken ORDER BY priority, scheduled_time, {table.columns}"
    )


def next_due(table: JobTable, pending: str, *, up_to_priority: bool = False, among: str | None = None) -> str:
    """The query for the seconds until the first of the jobs that wait is due: null where there are none.

    With `up_to_priority`, its first parameter is the least urgent priority; `among` is a query for the keys
    that come into question.
    """
    limits = [f"q.status = {literal(pending)}"]
    limits += ["q.priority <= $1"] if up_to_priority else []
    return (
        f"SELECT CASE WHEN count(*) > 0 THEN"
        f" greatest(extract(epoch FROM min(q.scheduled_time) - {_NOW}), 0)::float8 END\n"
        f"FROM {table} q WHERE {' AND '.join([*limits, *_among(table, among)])}"
    )


def is_held(table: JobTable, reserved: str, *, among: str | None = None) -> str:
    """The query for whether any job is held by a lease; `among` as for `next_due`."""
    limits = [f"q.status = {literal(reserved)}", "q._token IS NOT NULL", *_among(table, among)]
    return f"SELECT EXISTS (SELECT FROM {table} q WHERE {' AND '.join(limits)})"


def has_left(table: JobTable, statuses: Sequence[str], *, among: str | None = None) -> str:
    """The query for whether any job has one of some statuses; `among` as for `next_due`."""
    limits = [f"q.status IN ({', '.join(map(literal, statuses))})", *_among(table, among)]
    return f"SELECT EXISTS (SELECT FROM {table} q WHERE {' AND '.join(limits)})"


def _among(table: JobTable, keys: str | None) -> list[str]:
    return [f"({table.columns_of('q')}) IN ({keys})"] if keys is not None else []


def reserve(table: JobTable, change: Change) -> str:
    """The statement that takes given jobs without a lease; its parameters: keys, host, process, version."""
    return (
        f"UPDATE {table} q SET status = {change.status}, reserved_time = {_NOW}, host = $2, pid = $3,\n"
        f'  connection_id = pg_backend_pid(), "user" = current_user, version = $4,\n'
        f"  _attempts = q._attempts + 1, {_FREE}\n"
        f"FROM {table.given} WHERE {table.matches('k')} AND {change.condition}\n"
        f"  AND q.scheduled_time <= {_NOW} RETURNING e._n"
    )


def extend_leases(table: JobTable, reserved: str) -> str:
    """The statement that extends leases and gives the tokens that still hold any job.

    Its parameters are the tokens and the seconds of the lease from now.
    """
    held = f"q.status = {literal(reserved)} AND q._token = ANY ($1::bigint[])"
    return (
        f"WITH held AS (SELECT DISTINCT q._token FROM {table} q WHERE {held}), extended AS (\n"
        f"  UPDATE {table} SET _lease_end = clock_timestamp() + make_interval(secs => $2)\n"
        # What its holder is committing needs no lease any more, and nobody should wait for it.
        f"  WHERE ctid = ANY (ARRAY(SELECT q.ctid FROM {table} q WHERE {held} FOR UPDATE SKIP LOCKED))\n"
        ") SELECT _token FROM held"
    )


# what becomes of jobs that are held: by a token, the second parameter, or by whoever reserved them


def complete(table: JobTable, change: Change, *, by_token: bool = True) -> str:
    """The statement that removes jobs that are done and gives the numbers of the keys that it found.

    Its parameters are the keys and the token.
    """
    return (
        f"DELETE FROM {table} q USING {table.given}\n"
        f"WHERE {table.matches('k')} AND {_held(change, by_token=by_token)} RETURNING e._n"
    )


def keep(table: JobTable, change: Change, *, by_token: bool = True) -> str:
    """The statement that marks jobs as done and gives the numbers of the keys that it found.

    Its parameters are the keys, the token, and the seconds that each took, or null.
    """
    return (
        f"UPDATE {table} q SET status = {change.status}, completed_time = {_NOW},\n"
        f"  duration = ($3::float8[])[e._n], error_message = '', error_stack = NULL, {_FREE}\n"
        f"FROM {table.given} WHERE {table.matches('k')} AND {_held(change, by_token=by_token)} RETURNING e._n"
    )


def fail(table: JobTable, failed: Change, again: Change, *, by_token: bool = True) -> str:
    """The statement that notes why jobs failed, and has those tried again that may succeed later.

    Its parameters are the keys, the token, the messages, the stacks as blobs, whether each may succeed later,
    how often a job is tried, and for the pause before the next try its base and its cap in seconds.
    Gives the number of each key that it found with its status.
    """
    retries = "($5::boolean[])[e._n] AND q._attempts < $6"
    pause = "least($8::float8, $7::float8 * 2 ^ least(greatest(q._attempts, 1) - 1, 60)) * random()"
    return (
        f"UPDATE {table} q SET\n"
        f"  status = (CASE WHEN {retries} THEN {again.status} ELSE {failed.status} END)"
        f"::{table.status_type},\n"
        f"  scheduled_time = CASE WHEN {retries} THEN {_NOW} + make_interval(secs => {pause})\n"
        "    ELSE q.scheduled_time END,\n"
        f"  completed_time = CASE WHEN {retries} THEN NULL ELSE {_NOW} END,\n"
        f"  error_message = left(($3::text[])[e._n], 2047), error_stack = ($4::bytea[])[e._n], {_FREE}\n"
        f"FROM {table.given} WHERE {table.matches('k')} AND {_held(failed, by_token=by_token)}\n"
        "RETURNING e._n, q.status::text"
    )


def lock(table: JobTable, reserved: str) -> str:
    """The statement that locks jobs that are held and gives the numbers of the keys that it found.

    Its parameters are the keys and the token.
    """
    held = f"q.status = {literal(reserved)} AND {_HELD}"
    return f"SELECT e._n FROM {table} q, {table.given} WHERE {table.matches('k')} AND {held} FOR UPDATE OF q"


def release(table: JobTable, change: Change) -> str:
    """The statement that gives jobs back untouched; its parameters are the keys and the token."""
    return (
        f"UPDATE {table} q SET status = {change.status}, _attempts = greatest(q._attempts - 1, 0),\n"
        f"  {_NO_HOLDER}\n"
        f"FROM {table.given} WHERE {table.matches('k')} AND {_held(change)} RETURNING e._n"
    )


def expire(table: JobTable, again: Change, parked: Change, *, orphans: bool = False) -> str:
    """The statement that takes jobs from holders whose lease has ended; how many wait, how many are parked.

    Its parameters are how often a job is tried, and with `orphans` the seconds after which jobs are taken
    from those that hold them without a lease, as DataJoint's workers do.
    """
    silent = "q._token IS NOT NULL AND q._lease_end < clock_timestamp()"
    too_long = f"q._token IS NULL AND q.reserved_time < {_NOW} - make_interval(secs => $2)"
    ended = f"({silent}{f' OR {too_long}' if orphans else ''})"
    message = "'Its worker was not heard of any more, ' || q._attempts || ' times.'"
    return (
        f"WITH taken AS (\n  UPDATE {table} q SET\n"
        f"    status = (CASE WHEN q._attempts >= $1 THEN {parked.status} ELSE {again.status} END)"
        f"::{table.status_type},\n"
        f"    error_message = CASE WHEN q._attempts >= $1 THEN {message} ELSE q.error_message END,\n"
        # That the lease has an end tells `claim` to be careful with it.
        "    _token = NULL, _lease_end = coalesce(q._lease_end, clock_timestamp())\n"
        f"  WHERE q.ctid = ANY (ARRAY(SELECT q.ctid FROM {table} q WHERE {again.condition} AND {ended}\n"
        # Who is committing is still alive.
        "    FOR UPDATE SKIP LOCKED))\n"
        "  RETURNING q.status\n"
        f") SELECT count(*) FILTER (WHERE status = {again.status}),\n"
        f"  count(*) FILTER (WHERE status = {parked.status}) FROM taken"
    )


def abandon(table: JobTable, again: Change, parked: Change) -> str:
    """The statement that takes jobs from a holder that died; their keys, and whether each is given up.

    Its parameters are how often a job is tried, the token, and a message. It waits for what the holder's
    transaction has locked, which ends as soon as the server notices.
    """
    too_often = "q._attempts >= $1"
    return (
        f"WITH taken AS (UPDATE {table} q SET\n"
        f"  status = (CASE WHEN {too_often} THEN {parked.status} ELSE {again.status} END)"
        f"::{table.status_type},\n"
        f"  error_message = CASE WHEN {too_often} THEN left($3::text, 2047) ELSE q.error_message END,\n"
        "  _token = NULL, _lease_end = clock_timestamp()\n"
        f"WHERE {again.condition} AND q._token = $2 RETURNING {table.columns_of('q')}, status)\n"
        f"SELECT {table.values}, status = {parked.status} FROM taken"
    )


def _held(change: Change, *, by_token: bool = True) -> str:
    return f"{change.condition} AND {_HELD}" if by_token else f"{change.condition} AND $2::bigint IS NULL"


# keeping the queue in step with the table; `rows` is a query for keys, whose parameters come first


def fill(table: JobTable, change: Change, rows: str, parameters: int) -> str:
    """The statement that adds jobs for keys; after those of `rows`, its parameters are priority and delay."""
    priority, delay = f"${parameters + 1}::smallint", f"${parameters + 2}::float8"
    return (
        # All keys are found and sorted before the first is queued: a plan that looks each of them up in the
        # queue would pass over what it has itself added, ever more of it.
        f"WITH missing AS MATERIALIZED ({rows})\n"
        f"INSERT INTO {table} ({table.columns}, status, priority, scheduled_time)\n"
        f"SELECT {table.columns_of('k')}, {change.status}, {priority},\n"
        # Cut, not rounded: a job that is due now must not seem to be due in half a millisecond.
        f"  date_trunc('milliseconds', {_NOW} + make_interval(secs => {delay}))\n"
        f"FROM missing AS k ORDER BY {table.columns_of('k')}"
    )


def fill_what_is_left(table: JobTable, change: Change, rows: str, parameters: int) -> str:
    """The same statement, where others may be adding the same jobs; it takes a fifth longer."""
    return f"{fill(table, change, rows, parameters)} ON CONFLICT DO NOTHING"


def repend(table: JobTable, change: Change, rows: str, parameters: int) -> str:
    """The statement that makes done jobs pending; after those of `rows`, its parameters are as for `fill`."""
    priority, delay = f"${parameters + 1}::smallint", f"${parameters + 2}::float8"
    return (
        f"UPDATE {table} q SET status = {change.status}, priority = {priority},\n"
        f"  scheduled_time = date_trunc('milliseconds', {_NOW} + make_interval(secs => {delay})),\n"
        f"  _attempts = 0, {_NO_HOLDER}, {_NO_OUTCOME}\n"
        f"FROM ({rows}) AS k WHERE {table.matches('k')} AND {change.condition}"
    )


def withdraw(table: JobTable, change: Change, rows: str, parameters: int) -> str:
    """The statement that removes jobs; after those of `rows`, its parameter is their least age in seconds."""
    return (
        f"DELETE FROM {table} q USING ({rows}) AS k WHERE {table.matches('k')} AND {change.condition}\n"
        f"  AND q.created_time <= {_NOW} - make_interval(secs => ${parameters + 1}::float8)"
    )


def ignore(table: JobTable, change: Change) -> str:
    """The statement that has keys passed over, and gives the numbers of those for which it could be said.

    Its parameters are the keys and a priority.
    """
    return (
        f"INSERT INTO {table} AS q ({table.columns}, status, priority)\n"
        f"SELECT {table.columns_of('k')}, {change.status}, $2 FROM {table.given}\n"
        f"ON CONFLICT ({table.columns}) DO UPDATE SET status = {change.status}, {_FREE}\n"
        f"WHERE {change.condition} RETURNING true"
    )
