"""Errors of queries and transactions."""

from collections.abc import Sequence

from djflow.errors.base import DjflowError
from djflow.errors.text import pointed


class QueryError(DjflowError):
    """A query that could not be answered. `sqlstate` is PostgreSQL's code where the server refused."""

    def __init__(self, message: str, *, sqlstate: str | None = None) -> None:
        self.sqlstate = sqlstate
        super().__init__(message)


class QuerySyntaxError(QueryError):
    """A condition or expression that cannot be understood.

    Attributes: `reason`, `text`, `position` (0-based in `text`, or None).
    """

    reason: str
    text: str
    position: int | None

    def __init__(self, message: str, *, text: str = "", position: int | None = None) -> None:
        self.reason, self.text, self.position = message, text, position
        super().__init__(message + pointed(text, position))


class InvalidArgumentError(QueryError, TypeError):
    """An argument of the wrong kind."""


class MissingMethodError(QueryError, AttributeError):
    """A Python attribute that queries and tables do not have; `hasattr` takes it for an absent one."""


class AmbiguousPathError(QueryError):
    """Two tables that foreign keys connect in several ways, which give different rows.

    Attributes: `start` and `end` (names of the tables), `paths` (each as text, child first), `via` (the
    table that all of these pass, or empty).
    """

    start: str
    end: str
    paths: tuple[str, ...]
    via: str

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


class SnapshotGoneError(QueryError):
    """A view of the database that ended before it was read. `name` is PostgreSQL's name of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"The snapshot {name} has ended: its partitions were closed, "
            "or the process that made them ended. Keep the partitions until all are read, or make new ones.",
            sqlstate="42704",
        )


class SemanticMatchError(DjflowError):
    """Attributes share a name but not an origin.

    Attributes: `name`, and its lineages `left` and `right` (`schema.table.attribute`, None for none).
    """

    name: str
    left: str | None
    right: str | None

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


class PlannerBugError(DjflowError):
    """A rewrite rule broke its promise; the query was not run."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.suggest("This is a mistake of djflow, not yours: please report it, with what explain() prints.")


class RetryableError(QueryError):
    """A transaction that another one was in the way of: the same again, from its beginning, may succeed."""


class SerializationError(RetryableError):
    """What a transaction reads or writes was changed by another one since it began."""


class DeadlockError(RetryableError):
    """Two transactions waited for each other; the server ended this one."""
