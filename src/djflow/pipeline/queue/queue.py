"""What workers do with the jobs of one table: take, hold, finish, give back."""

from collections.abc import Iterable, Mapping, Sequence
from secrets import randbits
from typing import Any, Final

from djflow.errors import InvalidArgumentError, LeaseLostError
from djflow.model.table import Table
from djflow.pipeline.make.version import code_version
from djflow.pipeline.queue.backoff import Retries
from djflow.pipeline.queue.create import create_queue
from djflow.pipeline.queue.holding import Claim, Failure, Worker
from djflow.pipeline.queue.keys import keys_as_json
from djflow.pipeline.queue.statements import change, keys_among
from djflow.pipeline.queue.transitions import Event, Status
from djflow.relation.database import Database
from djflow.relation.relation import Relation
from djflow.sql import job_changes as sql
from djflow.sql.job_changes import JobTable
from djflow.storage import blob

_TOKEN_BITS: Final = 63


def new_token() -> int:
    """A number that no other claim has."""
    return randbits(_TOKEN_BITS)


class Queue:
    """The queue of one table that `make` fills; it is created when it is first needed.

    A claim has a lease, which ends by the server's clock unless it is extended, and a token. Whoever takes
    jobs over gets another token, so that `complete` refuses what a former holder still wants to commit.
    """

    target: Table
    database: Database
    retries: Retries

    def __init__(self, target: Table, database: Database, retries: Retries | None = None) -> None:
        """`target` is the table as the database has it."""
        self.target, self.database = target, database
        self.retries = retries or Retries()
        self._jobs: JobTable | None = None

    @property
    def jobs(self) -> JobTable:
        """The queue's table, which is created where it is missing."""
        if self._jobs is None:
            self.database.ensure([self.target])
            session = self.database.session
            self._jobs = create_queue(session, self.target).jobs
            if session.in_transaction:  # which may have created it
                session.after_rollback(self._forget)
        return self._jobs

    def _forget(self) -> None:
        self._jobs = None

    # taking

    def claim(
        self,
        n: int,
        worker: Worker,
        lease_seconds: float,
        max_priority: int | None = None,
        *,
        among: Relation | None = None,
        token: int | None = None,
    ) -> Claim:
        """Take up to `n` jobs that are due, the most urgent first; none where there are none.

        What was taken from a holder of whom nothing was heard any more comes alone.

        `token` is the claim's, for who wants to know it before there is one; by default a new one.
        `max_priority` leaves the less urgent ones, `among` those whose keys a relation does not have. The
        lease ends `lease_seconds` from now; each job that was taken counts as tried once more.
        """
        if n < 1 or lease_seconds <= 0:
            raise InvalidArgumentError(f"A claim takes jobs for a time, not {n} for {lease_seconds} seconds.")
        token = new_token() if token is None else token
        values: list[Any] = [n, token, float(lease_seconds), worker.host, worker.pid, self._version]
        values += [] if max_priority is None else [max_priority]
        jobs, session = self.jobs, self.database.session
        rows = keys_among(among, jobs, session, len(values))
        statement = sql.claim(
            jobs, change(Event.CLAIM), up_to_priority=max_priority is not None, among=rows.sql
        )
        taken = session.execute(statement, [*values, *rows.values])
        return Claim(token, tuple(dict(zip(jobs.key, key, strict=True)) for key in taken))

    @property
    def _version(self) -> str:
        """The version of the code that is going to compute, if the settings want it to be known."""
        return code_version(self.database.settings.jobs.version_method)

    def next_due(self, max_priority: int | None = None, *, among: Relation | None = None) -> float | None:
        """Seconds until the first pending job is due, which may be now; None where none is pending.

        Jobs are left out as by `claim`. Ask it when a claim found nothing: it reads all that wait.
        """
        limits = [] if max_priority is None else [max_priority]
        rows = keys_among(among, self.jobs, self.database.session, len(limits))
        statement = sql.next_due(
            self.jobs, str(Status.PENDING), up_to_priority=max_priority is not None, among=rows.sql
        )
        [(seconds,)] = self._run(statement, [*limits, *rows.values])
        return None if seconds is None else float(seconds)

    def is_held(self, among: Relation | None = None) -> bool:
        """Whether somebody holds a job, of these keys, by a lease, whether that has ended or not."""
        rows = keys_among(among, self.jobs, self.database.session, 0)
        [(held,)] = self._run(sql.is_held(self.jobs, Status.RESERVED.value, among=rows.sql), rows.values)
        return bool(held)

    def has_left(self, among: Relation | None = None) -> bool:
        """Whether a job, of these keys, is pending or being computed, due or not, by whomever."""
        rows = keys_among(among, self.jobs, self.database.session, 0)
        statuses = [Status.PENDING.value, Status.RESERVED.value]
        [(left,)] = self._run(sql.has_left(self.jobs, statuses, among=rows.sql), rows.values)
        return bool(left)

    def reserve(self, keys: Sequence[Mapping[str, Any]], worker: Worker) -> int:
        """Take given jobs without a lease, as DataJoint's workers do; how many of them were due."""
        statement = sql.reserve(self.jobs, change(Event.CLAIM))
        return len(self._run(statement, [self._json(keys), worker.host, worker.pid, self._version]))

    def heartbeat(self, tokens: Iterable[int], lease_seconds: float) -> frozenset[int]:
        """Have leases end `lease_seconds` from now; the tokens that hold no job any more."""
        asked = list(tokens)
        if not asked:
            return frozenset()
        statement = sql.extend_leases(self.jobs, Status.RESERVED.value)
        held = {token for (token,) in self._run(statement, [asked, float(lease_seconds)])}
        return frozenset(asked) - held

    # finishing

    def complete(
        self,
        claim: Claim,
        keys: Sequence[Mapping[str, Any]],
        durations: Sequence[float | None] | None = None,
        *,
        keep: bool = False,
    ) -> None:
        """Note that jobs are done: in the transaction that commits their results, and before it does.

        The jobs go, or stay as `success` with their durations in seconds if `keep` says so.
        Raises `LeaseLostError` where somebody else holds one of them by now: let it end the transaction.
        """
        found = self._complete(keys, claim.token, durations, keep=keep)
        if lost := [key for number, key in enumerate(keys, 1) if number not in found]:
            raise LeaseLostError(table=str(self.target.name), keys=lost)

    def lock(self, claim: Claim, keys: Sequence[Mapping[str, Any]]) -> None:
        """Keep jobs for the transaction that there is, as its first statement: it may last long.

        Until it ends, nobody ends their leases, or extends them, which would be in the way of its commit.
        Raises `LeaseLostError` as `complete` does.
        """
        statement = sql.lock(self.jobs, Status.RESERVED.value)
        found = {number for (number,) in self._run(statement, [self._json(keys), claim.token])}
        if lost := [key for number, key in enumerate(keys, 1) if number not in found]:
            raise LeaseLostError(table=str(self.target.name), keys=lost)

    def _complete(
        self,
        keys: Sequence[Mapping[str, Any]],
        token: int | None,
        durations: Sequence[float | None] | None,
        *,
        keep: bool,
    ) -> frozenset[int]:
        jobs, by_token = self.jobs, token is not None
        values: list[Any] = [self._json(keys), token]
        if keep:
            statement = sql.keep(jobs, change(Event.KEEP), by_token=by_token)
            values.append(list(durations) if durations is not None else [None] * len(keys))
        else:
            statement = sql.complete(jobs, change(Event.COMPLETE), by_token=by_token)
        return frozenset(number for (number,) in self._run(statement, values))

    def finish(self, key: Mapping[str, Any], duration: float | None = None, *, keep: bool = False) -> bool:
        """Note that a reserved job is done, whoever holds it; whether there was one."""
        return bool(self._complete([key], None, [duration], keep=keep))

    def fail(self, claim: Claim | None, failures: Sequence[Failure]) -> list[Status | None]:
        """Note why jobs failed; what each is then, None for one that is not the claim's any more.

        A job with a transient failure becomes pending again, due after a pause that grows with each attempt,
        unless that was the last one; others are errors. Without a claim, it is said of whoever holds them.
        """
        policy = self.retries
        statement = sql.fail(self.jobs, change(Event.FAIL), change(Event.RETRY), by_token=claim is not None)
        values: list[Any] = [
            self._json([failure.key for failure in failures]),
            None if claim is None else claim.token,
            [_storable(failure.message) for failure in failures],
            [None if failure.stack is None else blob.pack(failure.stack) for failure in failures],
            [failure.is_transient for failure in failures],
            *(policy.attempts, float(policy.base), float(policy.cap)),
        ]
        found = {number: Status(status) for number, status in self._run(statement, values)}
        return [found.get(number) for number in range(1, len(failures) + 1)]

    def release(self, claim: Claim, keys: Sequence[Mapping[str, Any]] | None = None) -> int:
        """Give jobs back untouched, by default all of a claim, as if they had not been tried; how many."""
        statement = sql.release(self.jobs, change(Event.RELEASE))
        return len(self._run(statement, [self._json(claim.keys if keys is None else keys), claim.token]))

    def abandon(self, claim: Claim, message: str) -> list[dict[str, Any]]:
        """Take back the jobs of a holder that died: they come again one by one.

        Those that were tried as often as they may be are errors with the message; returns their keys.
        """
        statement = sql.abandon(self.jobs, change(Event.EXPIRE), change(Event.PARK))
        found = self._run(statement, [self.retries.attempts, claim.token, _storable(message)])
        return [dict(zip(self.jobs.key, key, strict=True)) for *key, is_parked in found if is_parked]

    # looking after others

    def expire(self, orphan_timeout: float | None = None) -> tuple[int, int]:
        """Take jobs from those whose lease has ended: how many are pending again, how many were given up.

        A job that was taken as often as it may be tried, and never finished, is an error: it may be what ends
        its workers. `orphan_timeout` is after how many seconds a job without a lease is taken, by default
        never.
        """
        orphans = orphan_timeout is not None
        statement = sql.expire(self.jobs, change(Event.EXPIRE), change(Event.PARK), orphans=orphans)
        values = [self.retries.attempts, *([float(orphan_timeout)] if orphan_timeout is not None else [])]
        [(again, parked)] = self._run(statement, values)
        return again, parked

    def ignore(self, keys: Sequence[Mapping[str, Any]], priority: int) -> int:
        """Have keys passed over, whether they are queued or not; of how many it could be said."""
        return len(self._run(sql.ignore(self.jobs, change(Event.IGNORE)), [self._json(keys), priority]))

    def _run(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self.database.session.execute(statement, values)

    def _json(self, keys: Iterable[Mapping[str, Any]]) -> str:
        return keys_as_json(keys, self.jobs.key, str(self.target.name))


def _storable(message: str) -> str:
    """The text without what PostgreSQL cannot store."""
    return message.replace("\0", "\\0").encode(errors="replace").decode()
