"""Errors of queues of jobs."""

from collections.abc import Mapping, Sequence

from djflow.errors.query import QueryError


class LeaseLostError(QueryError):
    """Jobs that are somebody else's by now, or gone: their results must not be committed.

    `table` is the table that was to be filled, `keys` are those of the jobs.
    """

    table: str
    keys: list[dict[str, object]]

    def __init__(self, *, table: str, keys: Sequence[Mapping[str, object]]) -> None:
        self.table, self.keys = table, [dict(key) for key in keys]
        shown = ", ".join(map(str, self.keys[:3])) + (", ..." if len(self.keys) > 3 else "")  # noqa: PLR2004
        super().__init__(
            f"The lease of {len(self.keys)} job(s) of {table} ended before they were done: {shown}. "
            "Nothing of them was committed; whoever holds them now computes them. "
            "Where leases end too soon, ask for longer ones or extend them more often."
        )
