"""The transactions of a session: each thread has its own, on its own connection."""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from djflow.backend.connections import Connections, Holder, Query, Watcher
from djflow.backend.sqlstate import translate
from djflow.backend.transaction import Action, Isolation, Transaction
from djflow.errors import LostConnectionError, OutcomeUnknownError
from djflow.model.names import TableName

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")


class Transactional(Connections):
    """Blocks that commit together or not at all, and statements inside and outside of them."""

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The psycopg connection of the calling thread, in autocommit mode outside `transaction()`.

        Raises `LostConnectionError` where it broke inside a transaction; elsewhere it is opened again.
        """
        if not self.in_transaction:
            return self._own()
        transaction = self._thread.innermost
        transaction.make_ready()
        return transaction.connection

    # transactions

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is inside `transaction()`."""
        self._after_fork()
        return self._thread.transaction is not None

    @contextmanager
    def transaction(self, isolation: Isolation | None = None) -> Iterator[None]:
        """All statements inside commit together, or not at all; nested blocks are savepoints.

        `isolation` is that of the outermost block, by default the server's: "read committed" unless it was
        configured otherwise. A block inside another one keeps the isolation that it finds.
        A statement that fails leaves the transaction as it was before; who catches its error can go on.
        Raises `SerializationError` or `DeadlockError` where another transaction was in the way,
        `LostConnectionError` where the connection broke, `OutcomeUnknownError` where it did so at the commit.
        """
        import psycopg

        transaction = self.begin(isolation)
        try:
            yield
        except BaseException as error:
            self.roll_back(transaction)
            if isinstance(error, psycopg.Error):
                raise translate(error) from error
            raise
        else:
            self.commit(transaction)

    def begin(self, isolation: Isolation | None = None) -> Transaction:
        """Begin a block as `transaction()` does; `commit` or `roll_back` must follow."""
        self._before_writing()
        if self.in_transaction:
            transaction = self._thread.innermost
            transaction.enter()
            return transaction
        try:
            transaction = Transaction(self.connection, isolation)
        except LostConnectionError:
            if not self.settings.database.reconnect:
                raise
            self._forget_connection()
            transaction = Transaction(self.connection, isolation)
        self._thread.transaction = transaction
        return transaction

    def commit(self, transaction: Transaction | None = None) -> None:
        """End the innermost block and keep what it did, once the blocks around it have ended likewise."""
        transaction = transaction or self._thread.innermost
        try:
            transaction.commit()
        finally:
            self._settle(transaction)

    def roll_back(self, transaction: Transaction | None = None) -> None:
        """End the innermost block and undo what it did."""
        transaction = transaction or self._thread.innermost
        try:
            transaction.roll_back()
        finally:
            self._settle(transaction)

    def _settle(self, transaction: Transaction) -> None:
        if not transaction.is_open and self._thread.transaction is transaction:
            self._thread.transaction = None
        for action in transaction.due():
            action()

    def pinned(self, batches: Iterator[T]) -> Iterator[T]:
        """The same batches; where there is a transaction now, they can only be read inside it."""
        return self._thread.innermost.pinned(batches) if self.in_transaction else batches

    def after_rollback(self, action: Action) -> None:
        """Have `action` called if the current transaction, or one around it, rolls back.

        Raises `QueryError` outside of a transaction.
        """
        self._thread.undo.append(action)

    def after_commit(self, action: Action) -> None:
        """Have `action` called when the outermost transaction has committed; now, where there is none.

        It is not called if the current block, or one around it, rolls back.
        """
        if self.in_transaction:
            self._thread.innermost.done.append(action)
        else:
            action()

    # rows held back

    @contextmanager
    def held_by(self, holder: Holder | None) -> Iterator[None]:
        """While this thread's inserts may be held back by somebody, who is told before others matter."""
        self._after_fork()
        before, self._thread.holder = self._thread.holder, holder
        try:
            yield
        finally:
            self._thread.holder = before

    def before_reading(self, tables: Collection[TableName]) -> None:
        """Have what is held back of some tables written, since they are about to be read."""
        self._after_fork()
        if (holder := self._thread.holder) is not None:
            with self._unattended():
                holder.before_reading(tables)

    def _before_writing(self) -> None:
        self._after_fork()
        if (holder := self._thread.holder) is not None:
            with self._unattended():
                holder.before_writing()

    # queries watched

    @contextmanager
    def watched_by(self, watcher: Watcher | None) -> Iterator[None]:
        """While somebody looks at what this thread reads."""
        self._after_fork()
        before, self._thread.watcher = self._thread.watcher, watcher
        try:
            yield
        finally:
            self._thread.watcher = before

    def before_query(self, query: Query | str) -> None:
        """Tell who looks at this thread's queries, if anybody does, of one of its own."""
        self._after_fork()
        if (watcher := self._thread.watcher) is not None:
            with self._unattended():
                watcher.before_query(query)

    @contextmanager
    def _unattended(self) -> Iterator[None]:
        """While what is read and written is not this thread's own business."""
        thread = self._thread
        holder, watcher = thread.holder, thread.watcher
        thread.holder = thread.watcher = None
        try:
            yield
        finally:
            thread.holder, thread.watcher = holder, watcher

    # statements

    def reading(self, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
        """The result of what only reads; outside of a transaction, once more where the connection broke."""
        if self.in_transaction:
            with self._thread.innermost.reading() as connection:
                return action(connection)
        try:
            return action(self.connection)
        except LostConnectionError:
            if not self.settings.database.reconnect:
                raise
            self._forget_connection()
            return action(self.connection)

    def writing(self, action: "Callable[[psycopg.Connection[Any]], T]") -> T:
        """The result of one statement; if it fails inside a transaction, it alone is undone.

        Raises `OutcomeUnknownError` where the connection broke under it outside of a transaction.
        """
        self._before_writing()
        if self.in_transaction:
            with self._thread.innermost.writing() as connection:
                return action(connection)
        connection = self.connection
        try:
            return action(connection)
        except LostConnectionError as error:
            # Not run again: the server may have carried it out.
            raise OutcomeUnknownError(
                "The connection broke while the server ran a statement, which it may have carried out. "
                "Look before you run it again."
            ) from error
