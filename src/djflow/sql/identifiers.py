"""Names and constants as SQL text: the only places that add quotes."""

from functools import lru_cache

from djflow.errors import QueryError
from djflow.model.names import MAX_IDENTIFIER, TableName


@lru_cache(maxsize=4096)
def quote(name: str) -> str:
    """An identifier in double quotes, whatever it contains.

    Raises `QueryError` where PostgreSQL could not hold the name: it is empty, longer than 63 bytes
    (the server would cut it silently) or contains the character NUL.

    >>> print(quote("~lineage"), quote('the "odd" one'))
    "~lineage" "the ""odd"" one"
    """
    if not name:
        raise QueryError("A name is empty. Give it at least one character.")
    _refuse_nul(name, "The name")
    if (size := len(name.encode())) > MAX_IDENTIFIER:
        raise QueryError(
            f"The name {name!r} has {size} bytes; PostgreSQL allows {MAX_IDENTIFIER}. "
            f"Shorten it by {size - MAX_IDENTIFIER} or more."
        )
    return '"' + name.replace('"', '""') + '"'


def qualified(name: TableName) -> str:
    """A table with its schema, both quoted.

    >>> qualified(TableName("lab", "#species"))
    '"lab"."#species"'
    """
    return f"{quote(name.schema)}.{quote(name.table)}"


def literal(text: str) -> str:
    r"""A string constant for statements that take no parameters, such as `CREATE TABLE` and `COMMENT`.

    Raises `QueryError` for the character NUL, which PostgreSQL cannot store.

    >>> print(literal("it's"), literal("C:\\temp"))
    'it''s' E'C:\\temp'
    """
    _refuse_nul(text, "The text")
    doubled = text.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    # E'' means the same whether or not the server reads backslashes in plain strings.
    return "E'" + doubled.replace("\\", "\\\\") + "'"


def _refuse_nul(text: str, what: str) -> None:
    if "\0" in text:
        raise QueryError(f"{what} {text!r} contains NUL, which PostgreSQL cannot store. Leave it out.")
