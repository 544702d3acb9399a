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
├── QueryError
│   ├── QuerySyntaxError         a condition or expression that cannot be understood
│   ├── AccessError              the role lacks a right
│   ├── DuplicateError           a key that exists already
│   ├── IntegrityError           a parent that does not exist, or a child that still does
│   ├── UnknownAttributeError
│   ├── MissingAttributeError
│   ├── InvalidRowsError         a source of rows whose form insert does not understand
│   ├── InvalidArgumentError     an argument of the wrong kind
│   ├── MissingMethodError       an attribute that a query does not have, with what to write instead
│   ├── AmbiguousPathError       tables connected by foreign keys in ways that give different rows
│   ├── SnapshotGoneError        a view of the database that nobody holds any more
│   └── DataTypeError            a value that its column cannot hold, with row and column
├── SemanticMatchError           namesakes with different lineages
├── MissingTableError
├── StorageError                 the object store refused
│   ├── MissingExternalFile
│   ├── BucketInaccessible
│   ├── StoreFullError
│   └── CorruptObjectError       stored bytes that are not what was written
├── ThreadSafetyError
└── PlannerBugError              a rewrite rule broke its promise: please report
```
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Self


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
    """The database role lacks a right that the statement needs."""


class DuplicateError(QueryError):
    """A key that exists already. `table`, `constraint` and `key` say which."""

    def __init__(self, message: str, *, table: str = "", constraint: str = "", key: str = "") -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate="23505")


class IntegrityError(QueryError):
    """A foreign key or another constraint is violated. `table`, `constraint` and `key` say which."""

    def __init__(
        self, message: str, *, table: str = "", constraint: str = "", key: str = "", sqlstate: str = "23503"
    ) -> None:
        self.table, self.constraint, self.key = table, constraint, key
        super().__init__(message, sqlstate=sqlstate)


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
