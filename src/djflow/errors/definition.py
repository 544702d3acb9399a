"""Errors of definitions, and of tables that are not there."""

from collections.abc import Sequence

from djflow.errors.base import DjflowError
from djflow.errors.text import did_you_mean


class DefinitionError(DjflowError):
    """A mistake in a table definition.

    Attributes: `reason`, `line` (1-based), `column` (1-based), `text` (the offending line), `hint`.
    """

    reason: str
    text: str
    line: int
    column: int
    hint: str

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


class MissingTableError(DjflowError):
    """A table that the database does not have."""


class MissingSchemaError(MissingTableError):
    """A schema that the database does not have. Attributes: `schema`, `candidates` (those there are)."""

    schema: str
    candidates: tuple[str, ...]

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

    table: str
    schema: str
    candidates: tuple[str, ...]

    def __init__(self, table: str, candidates: Sequence[str], *, schema: str) -> None:
        self.table, self.schema, self.candidates = table, schema, tuple(candidates)
        hint = did_you_mean(table, self.candidates) or " Call schema.create() where its class is declared."
        super().__init__(f"Table {table!r} does not exist in schema {schema!r}.{hint}")


class AlterationError(DjflowError):
    """A change of a table's definition that was refused; nothing was changed.

    Attributes: `table`, `problems` (each as text, with the rows concerned), `would_lose` (those of them that
    `allow_loss=True` permits).
    """

    table: str
    problems: tuple[str, ...]
    would_lose: tuple[str, ...]

    def __init__(
        self, message: str, *, table: str = "", problems: Sequence[str] = (), would_lose: Sequence[str] = ()
    ) -> None:
        self.table, self.problems, self.would_lose = table, tuple(problems), tuple(would_lose)
        super().__init__(
            "\n".join([message, *(f"  - {each}" for each in (*self.problems, *self.would_lose))])
        )
