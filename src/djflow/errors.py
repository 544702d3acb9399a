"""Every error that djflow raises on purpose.

```
DjflowError (= DataJointError)
├── ConfigError                  a setting that cannot be read or used
│   └── UnknownSettingError      a setting that does not exist
├── DefinitionError              a mistake in a table definition, with its line and a caret
├── ServerError                  the embedded PostgreSQL cannot run
│   └── DiskFullError
├── ConnectionFailedError        no server could be reached; says what was tried
├── LostConnectionError
│   └── OutcomeUnknownError      ... while something was being committed: look whether it was
├── QueryError
│   ├── QuerySyntaxError         a condition or expression that cannot be understood
│   ├── AccessError              the role lacks a right
│   │   └── OwnershipError       rows that belong to colleagues
│   ├── UnknownRoleError         a database role that does not exist
│   ├── DuplicateError           a key that exists already
│   │   └── ConflictError        ... with other values than those given; lists the differences
│   ├── MissingRowError          a row that must exist and does not
│   ├── IntegrityError           a parent that does not exist, or a child that still does
│   ├── UnknownAttributeError
│   ├── MissingAttributeError
│   ├── InvalidRowsError         a source of rows whose form insert does not understand
│   ├── InvalidArgumentError     an argument of the wrong kind
│   ├── MissingMethodError       an attribute that a query does not have, with what to write instead
│   ├── AmbiguousPathError       tables connected by foreign keys in ways that give different rows
│   ├── RetryableError           a transaction that another one was in the way of
│   │   ├── SerializationError
│   │   └── DeadlockError
│   ├── SnapshotGoneError        a view of the database that nobody holds any more
│   └── DataTypeError            a value that its column cannot hold, with row and column
├── SemanticMatchError           namesakes with different lineages
├── MissingTableError
│   ├── MissingSchemaError       a schema that the database does not have
│   └── UnknownTableError        a name that no table of a schema has
├── AlterationError              a change of a table's definition that was refused; nothing was changed
├── ArchiveError                 an archive that cannot be written, or is not what was written
├── StorageError                 the object store refused
│   ├── MissingExternalFile
│   ├── BucketInaccessible
│   ├── StoreFullError
│   └── CorruptObjectError       stored bytes that are not what was written
├── ThreadSafetyError
└── PlannerBugError              a rewrite rule broke its promise: please report
```
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import polars as pl


class DjflowError(Exception):
    """Base of all djflow errors; its attributes carry the facts of the message.

    Errors survive pickling with all their fields, so that a worker process can send them home.

    >>> import pickle
    >>> error = UnknownAttributeError("subjct", ["subject", "dob"])
    >>> again = pickle.loads(pickle.dumps(error))
    >>> again.name, str(again) == str(error)
    ('subjct', True)
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__)

    def suggest(self, *advice: str) -> Self:
        """Attach advice on what to do next, shown below the message by Python's traceback."""
        for line in advice:
            self.add_note(line)
        return self


def _rebuild(cls: type[DjflowError], args: tuple[Any, ...], state: dict[str, Any]) -> DjflowError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def did_you_mean(name: str, candidates: Sequence[str]) -> str:
    """A hint that names the closest candidate, or nothing.

    >>> did_you_mean("sesion", ["subject", "session"])
    " Did you mean 'session'?"
    """
    close = get_close_matches(name, candidates, n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # Python refuses to write integers of many thousand digits
        return f"a large {type(value).__name__}"


def _pointed(text: str, position: int | None, width: int = 100) -> str:
    """The line of a text around a position, with a caret under it; long lines are shown in part.

    >>> print(_pointed("a = = 1", 4))
    <BLANKLINE>
      a = = 1
          ^
    """
    if not text:
        return ""
    place = min(position or 0, len(text))
    begin = text.rfind("\n", 0, place) + 1
    line = text[begin:].partition("\n")[0]
    skipped = max(0, place - begin - width // 2)
    before = "... " if skipped else ""
    after = " ..." if len(line) > skipped + width else ""
    shown = f"{before}{line[skipped : skipped + width]}{after}"
    caret = "" if position is None else "\n  " + " " * (len(before) + place - begin - skipped) + "^"
    return f"\n  {_printable(shown)}{caret}"


def _printable(text: str) -> str:
    """The text with characters that would move or hide others replaced by dots."""
    return "".join(character if character.isprintable() else "·" for character in text)


class ConfigError(DjflowError, ValueError):
    """A setting that cannot be read or used.

    Attributes: `key` (dotted name of the setting, or empty), `source` (where it was given, or empty),
    `line` and `column` (1-based; 0 where there is none).
    """

    def __init__(
        self, message: str, *, key: str = "", source: str = "", line: int = 0, column: int = 0
    ) -> None:
        self.key, self.source, self.line, self.column = key, source, line, column
        super().__init__(message)


class UnknownSettingError(ConfigError, KeyError, AttributeError):
    """A setting that does not exist; `hasattr` and `get` take it for an absent one."""

    def __init__(self, key: str, candidates: Sequence[str]) -> None:
        self.candidates = tuple(candidates)
        super().__init__(f"There is no setting {key!r}.{did_you_mean(key, self.candidates)}", key=key)

    # KeyError would show the message between quotes.
    __str__ = Exception.__str__


class DefinitionError(DjflowError):
    """A mistake in a table definition.

    Attributes: `reason`, `line` (1-based), `column` (1-based), `text` (the offending line), `hint`.
    """

    def __init__(
        self, reason: str, *, text: str = "", line: int = 0, column: int = 1, hint: str = ""
    ) -> None:
        self.reason, self.text, self.line, self.column, self.hint = reason, text, line, column, hint
        parts = [reason]
        if line:
            number = f"{line:>4} | "
            parts += [f"{number}{text}", " " * (len(number) + column - 1) + "^"]
        if hint:
            parts.append(hint)
        super().__init__("\n".join(parts))


class NativeTypeWarning(UserWarning):
    """A definition spells a type in a database's own way, where a core type would be portable."""


class ServerError(DjflowError):
    """The embedded PostgreSQL server cannot be started or used."""


class DiskFullError(ServerError):
    """The server ran out of disk space; the statement was rolled back."""


class ConnectionFailedError(DjflowError):
    """No server could be reached. `tried` lists the attempts, without secrets."""

    def __init__(self, message: str, *, tried: Sequence[str] = ()) -> None:
        self.tried = tuple(tried)
        super().__init__("\n".join([message, *(f"  - {attempt}" for attempt in self.tried)]))


class LostConnectionError(DjflowError):
    """The connection to the server broke; an open transaction was rolled back."""


class OutcomeUnknownError(LostConnectionError):
    """The connection broke before the server's word that it committed: it may have, or not."""


class QueryError(DjflowError):
    """A query that could not be answered. `sqlstate` is PostgreSQL's code where the server refused."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


class QuerySyntaxError(QueryError):
    """A condition or expression that cannot be understood.

    Attributes: `reason`, `text`, `position` (0-based in `text`, or None).
    """

    def __init__(self, message: str, *, text: str = "", position: int | None = None) -> None:
        self.reason, self.text, self.position = message, text, position
        super().__init__(message + _pointed(text, position))


class InvalidArgumentError(QueryError, TypeError):
    """An argument of the wrong kind."""


class MissingMethodError(QueryError, AttributeError):
    """A Python attribute that queries and tables do not have; `hasattr` takes it for an absent one."""


class AmbiguousPathError(QueryError):
    """Two tables that foreign keys connect in several ways, which give different rows.

    Attributes: `start` and `end` (names of the tables), `paths` (each as text, child first), `via` (the
    table that all of these pass, or empty).
    """

    def __init__(self, start: str, end: str, paths: Sequence[str], *, via: str = "") -> None:
        self.start, self.end, self.paths, self.via = start, end, tuple(paths), via
        listed = "\n".join(f"  - {path}" for path in self.paths)
        advice = "Choose one: name a table that it passes with `via=`, or restrict in two steps, as in "
        if via:
            advice = f"All of them pass {via}: `via=` cannot tell them apart. Restrict in two steps, as in "
        super().__init__(
            f"Foreign keys connect {start} and {end} in {len(self.paths)} ways:\n{listed}\n{advice}"
            "a.restrict_by(between & b), where b.proj(new='old') picks a renamed reference: "
            "Race & Subject.proj(winner='subject')."
        )


class AccessError(QueryError):
    """The database role lacks a right that the statement needs.

    Attributes, empty where the server does not tell: `role`, `missing` (pairs of right and object, as in
    `("INSERT", "table lab.subject")`), `remedy` (the statements that its owner can run).
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = "42501",
        role: str = "",
        missing: Sequence[tuple[str, str]] = (),
        remedy: Sequence[str] = (),
    ) -> None:
        self.role, self.missing, self.remedy = role, tuple(missing), tuple(remedy)
        super().__init__(message, sqlstate=sqlstate)


class OwnershipError(AccessError):
    """A protected table's rows belong to colleagues; nothing was changed.

    Attributes: `table`, `owners` (the number of rows by the role that owns them).
    """

    def __init__(self, table: str, owners: Mapping[str, int], *, sqlstate: str = "DJ001") -> None:
        self.table, self.owners = table, dict(owners)
        count = sum(self.owners.values())
        whose = ", ".join(f"{name} ({rows:,})" for name, rows in sorted(self.owners.items()))
        super().__init__(
            f"Rows of {table} belong to others: {whose}; {count:,} in all. Nothing was changed. "
            "Restrict to your own rows, or ask their owners or the owner of the table.",
            sqlstate=sqlstate,
        )


class UnknownRoleError(QueryError):
    """A database role that does not exist. `role` is its name."""

    def __init__(self, role: str, candidates: Sequence[str]) -> None:
        self.role = role
        super().__init__(
            f"The server has no role {role!r}.{did_you_mean(role, candidates)} "
            "An administrator creates it with CREATE ROLE.",
            sqlstate="42704",
        )


class RetryableError(QueryError):
    """A transaction that another one was in the way of: the same again, from its beginning, may succeed."""


class SerializationError(RetryableError):
    """What a transaction reads or writes was changed by another one since it began."""


class DeadlockError(RetryableError):
    """Two transactions waited for each other; the server ended this one."""


class DuplicateError(QueryError):
    """A key that exists already. `table`, `constraint` and `key` say which."""

    def __init__(self, message: str, *, table: str = "", constraint: str = "", key: str = "") -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate="23505")


class ConflictError(DuplicateError):
    """Keys that exist with other values than those given.

    `differences` is a Polars frame of the first thousand: the key, `column`, `existing` and `given` as text.
    """

    def __init__(self, message: str, *, differences: "pl.DataFrame", table: str = "", key: str = "") -> None:
        self.differences = differences
        super().__init__(message, table=table, key=key)


class MissingRowError(QueryError):
    """A row that must exist and does not. `table` and `key` (name to value) say which."""

    def __init__(self, message: str, *, table: str = "", key: Mapping[str, object] | None = None) -> None:
        self.table, self.key = table, dict(key or {})
        super().__init__(message)


class IntegrityError(QueryError):
    """A foreign key or another constraint is violated. `table`, `constraint` and `key` say which."""

    def __init__(
        self, message: str, *, table: str = "", constraint: str = "", key: str = "", sqlstate: str = "23503"
    ) -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate=sqlstate)


class PartIntegrityError(QueryError):
    """Parts that would go without their master. `part` and `master` are tables, `masters` counts rows."""

    def __init__(self, message: str, *, part: str, master: str, masters: int | None = None) -> None:
        self.part, self.master, self.masters = part, master, masters
        super().__init__(message)


class UnknownAttributeError(QueryError):
    """A name that the heading does not have.

    Attributes: `name`, `heading` (the names there are), `context`, and for a name inside an
    expression its `text` and `position` (0-based). `hint` is shown where no attribute has a similar name.
    """

    def __init__(
        self,
        name: str,
        heading: Sequence[str],
        *,
        context: str = "",
        text: str = "",
        position: int | None = None,
        hint: str = "",
    ) -> None:
        self.name, self.heading, self.context = name, tuple(heading), context
        self.text, self.position = text, position
        where = f" in {context}" if context else ""
        known = ", ".join(self.heading) or "none"
        advice = did_you_mean(name, self.heading) or (hint and f" {hint}")
        super().__init__(
            f"No attribute {name!r}{where}.{advice} Attributes: {known}." + _pointed(text, position)
        )


class MissingAttributeError(QueryError):
    """A required attribute that the inserted rows lack."""

    def __init__(self, name: str, *, table: str = "", row: int | None = None) -> None:
        self.name, self.table, self.row = name, table, row
        at = f" in row {row}" if row is not None else ""
        super().__init__(
            f"{table or 'The table'} requires attribute {name!r}, which is missing{at}. "
            "Give it a value, or a default in the definition."
        )


class InvalidRowsError(QueryError):
    """A source of rows, or one of its rows, in a form that insert does not understand. `row` is 0-based."""

    def __init__(self, message: str, *, row: int | None = None) -> None:
        self.row = row
        super().__init__(message)


class SnapshotGoneError(QueryError):
    """A view of the database that ended before it was read. `name` is PostgreSQL's name of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The snapshot {name} has ended: its partitions were closed, "
            "or the process that made them ended. Keep the partitions until all are read, or make new ones.",
            sqlstate="42704",
        )


class DataTypeError(QueryError):
    """A value that its column cannot hold. `row` is 0-based, as is `position` in an expression's `text`."""

    def __init__(
        self,
        reason: str,
        *,
        column: str,
        expected: str,
        row: int | None = None,
        value: object = None,
        table: str = "",
        text: str = "",
        position: int | None = None,
    ) -> None:
        self.reason, self.column, self.expected = reason, column, expected
        self.row, self.value, self.table = row, value, table
        shown = _shown(value)
        if len(shown) > 80:  # noqa: PLR2004 - a message stays readable
            shown = shown[:77] + "..."
        at = "" if row is None else f"row {row}, "
        where = f"{table}: " if table else ""
        self.text, self.position = text, position
        super().__init__(
            f"{where}{at}column {column!r}: {reason}. Expected {expected}, got {shown}."
            + _pointed(text, position)
        )

    def point_at(self, text: str, position: int | None) -> "DataTypeError":
        """The same error, for a value inside an expression."""
        return DataTypeError(
            self.reason,
            column=self.column,
            expected=self.expected,
            value=self.value,
            text=text,
            position=position,
        )


class SemanticMatchError(DjflowError):
    """Attributes share a name but not an origin."""

    def __init__(self, name: str, left: str | None, right: str | None) -> None:
        self.name, self.left, self.right = name, left, right
        reason = f"different lineages ({left} vs {right})"
        if left is None and right is None:
            reason = "secondary and computed attributes have no lineage of their own"
        super().__init__(
            f"Cannot match on attribute {name!r}: {reason}. Rename it on one side with "
            f".proj(..., new_name={name!r}), leave it out with .proj(..., '-{name}'), or match by name alone "
            "with semantic_check=False."
        )


class MissingTableError(DjflowError):
    """A table that the database does not have."""


class MissingSchemaError(MissingTableError):
    """A schema that the database does not have. Attributes: `schema`, `candidates` (those there are)."""

    def __init__(self, schema: str, candidates: Sequence[str]) -> None:
        self.schema, self.candidates = schema, tuple(candidates)
        super().__init__(
            f"Schema {schema!r} does not exist.{did_you_mean(schema, self.candidates)} "
            "Declare tables in it, or pass create_schema=True."
        )


class UnknownTableError(MissingTableError, AttributeError):
    """A name that no table of a schema has; `hasattr` takes it for an absent one.

    Attributes: `table` (as asked for), `schema`, `candidates` (names there are, of classes and tables).
    """

    def __init__(self, table: str, candidates: Sequence[str], *, schema: str) -> None:
        self.table, self.schema, self.candidates = table, schema, tuple(candidates)
        hint = did_you_mean(table, self.candidates)
        super().__init__(f"Table {table!r} does not exist in schema {schema!r}.{hint}")


class AlterationError(DjflowError):
    """A change of a table's definition that was refused; nothing was changed.

    Attributes: `table`, `problems` (each as text, with the rows concerned), `would_lose` (those of them that
    `allow_loss=True` permits).
    """

    def __init__(
        self, message: str, *, table: str = "", problems: Sequence[str] = (), would_lose: Sequence[str] = ()
    ) -> None:
        self.table, self.problems, self.would_lose = table, tuple(problems), tuple(would_lose)
        super().__init__(
            "\n".join([message, *(f"  - {each}" for each in (*self.problems, *self.would_lose))])
        )


class ArchiveError(DjflowError):
    """An archive that cannot be written, or that is damaged or does not fit the database.

    Attributes: `reason`, `archive` (its path), `file` (the file in it that is at fault, or empty).
    """

    def __init__(self, reason: str, *, archive: str = "", file: str = "") -> None:
        self.reason, self.archive, self.file = reason, archive, file
        where = f"{file} of {archive}" if file and archive else file or archive or "the archive"
        super().__init__(f"{where}: {reason}.")


class StorageError(DjflowError):
    """The object store refused or failed."""


class MissingExternalFile(StorageError):  # noqa: N818 - the name that users' code catches
    """An object that a row refers to is not in the store."""


class BucketInaccessible(StorageError):  # noqa: N818 - the name that users' code catches
    """The store itself cannot be reached."""


class StoreFullError(StorageError):
    """The store has no room left; nothing of the object was kept."""


class CorruptObjectError(StorageError):
    """Stored bytes that cannot be what was written.

    `position` is the byte at which reading failed, `path` the object in its store, "" for a value in a table.
    """

    def __init__(self, reason: str, *, position: int | None = None, path: str = "") -> None:
        self.reason, self.position, self.path = reason, position, path
        at = "" if position is None else f" at byte {position}"
        where = f"{path}: " if path else ""
        super().__init__(f"{where}{reason}{at}.")


class ThreadSafetyError(DjflowError):
    """Global state was used in thread-safe mode."""


class PlannerBugError(DjflowError):
    """A rewrite rule broke its promise; the query was not run."""


DataJointError = DjflowError
