"""What becomes of masters whose parts are deleted."""

from enum import StrEnum
from typing import NoReturn, Self

from djflow.backend.session import Session
from djflow.engine import execute
from djflow.engine.masters import missing_masters
from djflow.errors import PartIntegrityError
from djflow.model.names import TableName
from djflow.planner.nodes import Node


class PartIntegrity(StrEnum):
    """The policies: refuse to leave a master without parts, allow it, or delete the master too."""

    ENFORCE = "enforce"
    IGNORE = "ignore"
    CASCADE = "cascade"

    @classmethod
    def named(cls, value: str) -> Self:
        """The policy of a name. Raises `ValueError` for another."""
        try:
            return cls(value)
        except ValueError:
            raise ValueError(f"part_integrity is 'enforce', 'ignore' or 'cascade', not {value!r}.") from None


def refuse_part(name: TableName, verb: str) -> NoReturn:
    """Raise for a part that was to be deleted, or dropped, by itself."""
    instead = "their master" if verb == "drop" else "from their master"
    advice = "or pass part_integrity='ignore' to leave the master without them"
    if verb == "delete":
        advice += ", or part_integrity='cascade' to delete the master too"
    raise PartIntegrityError(
        f"{name} holds parts: {verb} {instead} {name.master} instead, {advice}.",
        part=str(name),
        master=str(name.master),
    )


def check_masters(session: Session, orphaning: dict[TableName, Node]) -> None:
    """Raise `PartIntegrityError` where a master would stay behind without parts that it has."""
    for part, owners in missing_masters(session, orphaning).items():
        number = execute.count(session, owners)
        raise PartIntegrityError(
            f"{number} row{'s' if number > 1 else ''} of {part.master} would lose parts in {part} and stay. "
            "Nothing was deleted. Delete the masters, or pass part_integrity='cascade' to delete them too, "
            "or part_integrity='ignore' to leave them without these parts.",
            part=str(part),
            master=str(part.master),
            masters=number,
        )
