"""One transaction on a connection: blocks inside each other, and statements that may fail inside them.

In PostgreSQL a statement that fails makes the whole transaction useless, unless it returns to a savepoint.
So there is always one to return to: made with the block, and anew before a statement that follows a change.
Statements that only read share it.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, get_args

from djflow.backend.sqlstate import translate
from djflow.backend.task import current_task
from djflow.backend.waiting import has_ended, run, stop
from djflow.errors import (
    DjflowError,
    InvalidArgumentError,
    LostConnectionError,
    OutcomeUnknownError,
    QueryError,
)

if TYPE_CHECKING:
    import psycopg

    from djflow.backend.copy_out import CopyOut

T = TypeVar("T")
Isolation: TypeAlias = Literal["read committed", "repeatable read", "serializable"]
Action: TypeAlias = Callable[[], object]


@dataclass(slots=True)
class _Block:
    """A block of a transaction. `point` is the savepoint to which a failed statement returns."""

    savepoint: str
    point: str
    is_fresh: bool = True  # nothing has changed since `point`
    has_changed: bool = False
    undo: list[Action] = field(default_factory=list)
    done: list[Action] = field(default_factory=list)


class Transaction:
    """What is open on a connection in autocommit mode, from its beginning to the end of its outermost block.

    It belongs to the thread and the process that began it.
    """

    def __init__(self, connection: "psycopg.Connection[Any]", isolation: Isolation | None = None) -> None:
        """Begin. `isolation` is the server's default where it is None.

        Raises `InvalidArgumentError` for an isolation that there is not.
        """
        self.connection: Final = connection
        self._thread, self._process, self._task = get_ident(), os.getpid(), current_task()
        self._stream: CopyOut | None = None
        self._due: list[Action] = []
        level = "" if isolation is None else f" ISOLATION LEVEL {_checked(isolation).upper()}"
        first = _Block("", "djflow_point_0")
        try:
            self._run(f"BEGIN{level}", f"SAVEPOINT {first.point}")
        except BaseException:
            connection.close()  # nobody would end what may have begun
            raise
        self._blocks = [first]

    @property
    def is_open(self) -> bool:
        """Whether its outermost block has not ended."""
        return bool(self._blocks)

    @property
    def depth(self) -> int:
        """How many blocks are open."""
        return len(self._blocks)

    @property
    def undo(self) -> list[Action]:
        """What to call, last first, if the innermost block rolls back."""
        return self._blocks[-1].undo

    @property
    def done(self) -> list[Action]:
        """What to call when the transaction has committed, if the innermost block does not roll back."""
        return self._blocks[-1].done

    def due(self) -> Sequence[Action]:
        """What is to be called now that a block has ended; each is given once."""
        due, self._due = self._due, []
        return due

    # blocks

    def enter(self) -> None:
        """Begin a block inside the innermost one."""
        self.make_ready()
        name = f"djflow_block_{len(self._blocks)}"
        self._run(f"SAVEPOINT {name}")
        self._blocks.append(_Block(name, name))

    def commit(self) -> None:
        """End the innermost block; what it did stays if the blocks around it commit.

        Raises `LostConnectionError`, and `OutcomeUnknownError` if the connection broke while the outermost
        block committed; `SerializationError` and others where the server refuses. All but the second of these
        mean that nothing was kept.
        """
        if self._is_forked():
            self._blocks.pop()
            return
        try:
            self.make_ready()
            self._check_state()
            if len(self._blocks) > 1:
                self._run(f"RELEASE {self._blocks[-1].savepoint}")
        except BaseException:
            self.roll_back()
            raise
        if len(self._blocks) > 1:
            self._merge(self._blocks.pop())
        else:
            self._commit_all()

    def _merge(self, block: _Block) -> None:
        outer = self._blocks[-1]
        outer.undo += block.undo
        outer.done += block.done
        outer.is_fresh = outer.is_fresh and not block.has_changed
        outer.has_changed = outer.has_changed or block.has_changed

    def _commit_all(self) -> None:
        block = self._blocks.pop()
        try:
            self._run("COMMIT")
        except LostConnectionError as error:
            # What was to be undone is not: it may belong to rows that are there.
            raise OutcomeUnknownError(
                "The connection broke while a transaction was being committed: all of it is in the database, "
                "or nothing. Look for its rows before you run it again."
            ) from error
        except DjflowError:
            self._due += reversed(block.undo)
            raise
        self._due += block.done

    def roll_back(self) -> None:
        """End the innermost block, and undo what it did; where the connection broke, the server has."""
        import psycopg

        block = self._blocks.pop()
        if self._is_forked():
            return
        self._due += reversed(block.undo)
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.discard()
        with suppress(DjflowError, psycopg.Error):
            if self.connection.closed:
                return
            stop(self.connection)
            if self._blocks:
                self._run(f"ROLLBACK TO {block.savepoint}", f"RELEASE {block.savepoint}")
            else:
                self._run("ROLLBACK")
            return
        self.connection.close()

    # statements

    @contextmanager
    def reading(self) -> "Iterator[psycopg.Connection[Any]]":
        """The connection, for statements that change nothing; if they fail, the transaction stays usable."""
        self.make_ready()
        block = self._blocks[-1]
        if not block.is_fresh:
            self._refresh(block)
        try:
            yield self.connection
        except BaseException:
            self.recover(block.point)
            raise

    @contextmanager
    def writing(self) -> "Iterator[psycopg.Connection[Any]]":
        """The connection, for one statement; if it fails, it alone is undone."""
        with self.reading() as connection:
            yield connection
        block = self._blocks[-1]
        block.is_fresh, block.has_changed = False, True

    def make_ready(self) -> None:
        """Make the connection free for a statement: what it sends now is put aside.

        Raises `LostConnectionError` where the connection broke, `QueryError` in another thread or another
        task of asyncio than that of the transaction, and once it has ended.
        """
        if self._thread != get_ident() or not self._blocks:
            raise QueryError(
                "These rows are those that a transaction sees: read them before it ends, in its own thread."
            )
        if self._task is not current_task():
            raise QueryError(
                "The transaction of this thread belongs to another asyncio task. Put each transaction into a "
                "function of its own, and await asyncio.to_thread(function)."
            )
        if self.connection.closed:
            raise _lost()
        stream, self._stream = self._stream, None
        if stream is None:
            return
        if stream.is_abandoned:
            stream.stop()
        else:
            stream.set_aside()

    def pinned(self, batches: Iterator[T]) -> Iterator[T]:
        """The same items, whose reading must begin inside the transaction: elsewhere they would be others."""
        self.make_ready()
        yield from batches

    def hold(self, stream: "CopyOut") -> None:
        """Know of rows that the connection sends from now on."""
        self._stream = stream

    @property
    def point(self) -> str:
        """The savepoint to which a failed statement returns."""
        return self._blocks[-1].point

    def recover(self, point: str) -> None:
        """After a failure: make the transaction usable again, as it was at a savepoint."""
        import psycopg

        if self.connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            self.return_to(point)

    def return_to(self, point: str) -> None:
        """Undo what was done since a savepoint; the statement that runs is stopped."""
        import psycopg

        if self.connection.closed or self._is_forked():
            return
        try:
            stop(self.connection)
            self._run(f"ROLLBACK TO {point}")
        except (psycopg.Error, DjflowError):
            self.connection.close()

    def _refresh(self, block: _Block) -> None:
        if block.point == block.savepoint:
            block.point = f"djflow_point_{len(self._blocks) - 1}"
            self._run(f"SAVEPOINT {block.point}")
        else:
            self._run(f"RELEASE {block.point}", f"SAVEPOINT {block.point}")
        block.is_fresh = True

    def _check_state(self) -> None:
        """COMMIT alone would quietly roll back what has failed, and pass over what has ended."""
        import psycopg

        if has_ended(self.connection):  # found now, it leaves no doubt about the outcome
            raise _lost()
        match self.connection.info.transaction_status:
            case psycopg.pq.TransactionStatus.INTRANS:
                return
            case psycopg.pq.TransactionStatus.IDLE:
                raise QueryError("A statement in the block ended its transaction: leave that to the block.")
            case _:
                raise QueryError("A statement in the block failed outside of djflow; nothing was kept.")

    def _is_forked(self) -> bool:
        # A child shares its parent's socket, and must not speak on it.
        return self._process != os.getpid()

    def _run(self, *commands: str) -> None:
        import psycopg

        try:
            run(self.connection, "; ".join(commands))
        except psycopg.Error as error:
            raise translate(error) from error


def _checked(isolation: str) -> str:
    if isolation not in get_args(Isolation):
        names = ", ".join(map(repr, get_args(Isolation)))
        raise InvalidArgumentError(f"isolation is one of {names}, not {isolation!r}.")
    return isolation


def _lost() -> LostConnectionError:
    return LostConnectionError(
        "The connection broke inside a transaction; it was rolled back. Run all of it again."
    )
