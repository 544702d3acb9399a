"""Errors of rights."""

from collections.abc import Mapping, Sequence

from djflow.errors.query import QueryError
from djflow.errors.text import did_you_mean


class AccessError(QueryError):
    """The database role lacks a right that the statement needs.

    Attributes, empty where the server does not tell: `role`, `missing` (pairs of right and object, as in
    `("INSERT", "table lab.subject")`), `remedy` (the statements that its owner can run).
    """

    role: str
    missing: tuple[tuple[str, str], ...]
    remedy: tuple[str, ...]

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

    table: str
    owners: dict[str, int]

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
