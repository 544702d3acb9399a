"""Names: classes in Python, tables in PostgreSQL, and the way between."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from djflow.errors import DefinitionError, did_you_mean

MAX_IDENTIFIER: Final = 63  # bytes; PostgreSQL silently cuts longer names
_CLASS: Final = re.compile(r"[A-Z][A-Za-z0-9]*\Z")
_ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]*\Z")
_HUMP: Final = re.compile(r"\B(?=[A-Z])")  # also inside acronyms: so the way back is exact


class Tier(StrEnum):
    """What fills a table."""

    MANUAL = "manual"
    LOOKUP = "lookup"
    IMPORTED = "imported"
    COMPUTED = "computed"
    PART = "part"

    @property
    def prefix(self) -> str:
        """The mark of the tier in a table's name."""
        return _PREFIXES[self]

    @property
    def is_auto_populated(self) -> bool:
        """Whether only `make` inserts."""
        return self in (Tier.IMPORTED, Tier.COMPUTED)


_PREFIXES: Final = {Tier.MANUAL: "", Tier.LOOKUP: "#", Tier.IMPORTED: "_", Tier.COMPUTED: "__", Tier.PART: ""}


@dataclass(frozen=True, slots=True, order=True)
class TableName:
    """A table's place in a database.

    >>> TableName("lab", "__ana__p")
    TableName(schema='lab', table='__ana__p')
    >>> TableName("lab", "__ana__p").tier, TableName("lab", "__ana__p").class_path
    (<Tier.PART: 'part'>, 'Ana.P')
    """

    schema: str
    table: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"

    @property
    def tier(self) -> Tier:
        """The tier that the name's prefix and separator tell."""
        if self.master is not None:
            return Tier.PART
        for tier in (Tier.COMPUTED, Tier.IMPORTED, Tier.LOOKUP):
            if self.table.startswith(tier.prefix):
                return tier
        return Tier.MANUAL

    @property
    def master(self) -> "TableName | None":
        """The master's name, if this is a part."""
        body = self.table.lstrip("_")
        head, separator, _ = body.partition("__")
        if not separator or self.table.startswith("~"):
            return None
        prefix = self.table[: len(self.table) - len(body)]
        return TableName(self.schema, prefix + head)

    @property
    def class_path(self) -> str:
        """The class name that declares such a table, a part's behind its master's."""
        names = [camel_case(piece) for piece in self.table.lstrip("_#").split("__")]
        return ".".join(names)

    @property
    def is_hidden(self) -> bool:
        """Whether the table is djflow's own bookkeeping."""
        return self.table.startswith("~")


def snake_case(class_name: str) -> str:
    """The table's body of a class name.

    >>> snake_case("SessionTrial"), snake_case("SessionQC"), snake_case("Session2")
    ('session_trial', 'session_q_c', 'session2')
    """
    return _HUMP.sub("_", class_name).lower()


def camel_case(table: str) -> str:
    """The inverse of `snake_case`.

    >>> camel_case("session_trial"), camel_case("session_q_c")
    ('SessionTrial', 'SessionQC')
    """
    return "".join(piece[:1].upper() + piece[1:] for piece in table.split("_"))


def table_name(schema: str, class_name: str, tier: Tier, master: TableName | None = None) -> TableName:
    """The name in PostgreSQL of a class.

    >>> table_name("lab", "Ana", Tier.COMPUTED)
    TableName(schema='lab', table='__ana')
    >>> table_name("lab", "P", Tier.PART, TableName("lab", "__ana"))
    TableName(schema='lab', table='__ana__p')

    Raises `DefinitionError` for a name that is not strict CamelCase or too long.
    """
    if not _CLASS.match(class_name):
        suggestion = camel_case(re.sub(r"[^A-Za-z0-9]+", "_", class_name).strip("_")) or "MyTable"
        raise DefinitionError(
            f"Class name {class_name!r} is not CamelCase.", hint=f"Write, for example, {suggestion!r}."
        )
    body = snake_case(class_name)
    name = f"{master.table}__{body}" if master else tier.prefix + body
    if len(name) > MAX_IDENTIFIER:
        raise DefinitionError(
            f"Table name {name!r} has {len(name)} characters; PostgreSQL allows {MAX_IDENTIFIER}.",
            hint=f"Shorten the class name {class_name!r} by {len(name) - MAX_IDENTIFIER} or more.",
        )
    return TableName(schema, name)


def check_attribute_name(name: str) -> str | None:
    """Why `name` cannot name an attribute, or None.

    >>> check_attribute_name("subject_id")
    >>> check_attribute_name("_hidden")
    'names with a leading underscore are reserved for columns that djflow manages'
    """
    if name.startswith("_"):
        return "names with a leading underscore are reserved for columns that djflow manages"
    if not _ATTRIBUTE.match(name):
        return "names consist of lower-case letters, digits and underscores and start with a letter"
    if len(name) > MAX_IDENTIFIER:
        return f"names have at most {MAX_IDENTIFIER} characters"
    return None


def unknown_name_hint(name: str, candidates: list[str]) -> str:
    """A hint for a name that does not resolve."""
    return did_you_mean(name, candidates).strip()
