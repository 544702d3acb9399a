"""Arguments of the wrong kind, refused before anything is asked of the database."""

from collections.abc import Mapping
from typing import TypeGuard

from djflow.errors import InvalidArgumentError
from djflow.model.names import MAX_IDENTIFIER
from djflow.relation.database import Database


def check_connection(given: object) -> None:
    """Raise `InvalidArgumentError` for what is no database."""
    if not isinstance(given, Database):
        raise InvalidArgumentError(
            "connection is a database, as dj.conn() or instance.connection gives it, "
            f"not {type(given).__name__}."  # and no URL, with its password, in the message
        )


def check_schema_name(given: object) -> None:
    """Raise `InvalidArgumentError` for what cannot name a schema.

    >>> check_schema_name("lab")
    >>> check_schema_name("a.b")
    Traceback (most recent call last):
    djflow.errors.InvalidArgumentError: A schema's name has 1 to 63 bytes and no dot; 'a.b' does not fit.
    """
    if not is_name(given) or "." in given:
        raise InvalidArgumentError(
            f"A schema's name has 1 to {MAX_IDENTIFIER} bytes and no dot; {given!r} does not fit."
        )


def is_name(given: object) -> TypeGuard[str]:
    r"""Whether PostgreSQL takes it as a name.

    >>> [is_name(given) for given in ("Ann's", "", 5, "x" * 64, "\ud800")]
    [True, False, False, False, False]
    """
    if not isinstance(given, str) or "\0" in given:
        return False
    try:
        return 0 < len(given.encode()) <= MAX_IDENTIFIER
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def check_mapping(role: str, given: object, example: str) -> None:
    """Raise `InvalidArgumentError` unless it is a mapping whose keys are text, or None."""
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
        raise InvalidArgumentError(f"{role} is a mapping of names, such as {example}, not {given!r}.")
