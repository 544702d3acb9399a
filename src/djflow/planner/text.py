"""Users' strings become scalars: one parser for conditions and computed attributes.

Both dialects that old pipelines mix are read: backticks and double-quoted strings from MySQL,
casts and operators from PostgreSQL. What is not one expression over known attributes and
allowed functions is refused with its position; nothing of the text itself reaches the server.
"""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from djflow.errors import QuerySyntaxError
from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.operators import as_condition
from djflow.planner.translate import CLAUSES, Translator

if TYPE_CHECKING:
    from sqlglot import exp


def parse_condition(text: str, heading: Heading) -> s.Scalar:
    """The boolean scalar of a restriction string.

    >>> from djflow.model.table import Attribute
    >>> heading = Heading((Attribute("n", s.INT64, s.INT64),))
    >>> s.show(parse_condition("`n` BETWEEN 1 AND 5", heading))
    'n >= 1 AND n <= 5'

    Raises `QuerySyntaxError` for anything but one boolean expression, `UnknownAttributeError` for
    unknown names.
    """
    scalar = Translator(text, heading).translate(_parse(text, "condition"))
    return as_condition(scalar, text)


def parse_expression(text: str, heading: Heading) -> s.Scalar:
    """The scalar of a computed attribute or a summary."""
    return Translator(text, heading).translate(_parse(text, "expression"))


@cache
def _dialect() -> type[Any]:
    from sqlglot.dialects.postgres import Postgres

    class UserText(Postgres):
        class Tokenizer(Postgres.Tokenizer):
            QUOTES = ["'", '"']  # noqa: RUF012 - sqlglot reads class attributes
            IDENTIFIERS = ["`"]  # noqa: RUF012 - sqlglot reads class attributes

    return UserText


@lru_cache(maxsize=1024)
def _parse(text: str, clause: str) -> "exp.Expression":
    import sqlglot
    from sqlglot import errors, exp

    prefix = CLAUSES[clause]
    _refuse_comments(text)
    try:
        statements = sqlglot.parse(prefix + text, dialect=_dialect())
    except errors.ParseError as error:
        at = (error.errors[0].get("col") or 0) if error.errors else 0
        raise QuerySyntaxError(
            f"Cannot read this {clause}.", text=text, position=max(0, at - len(prefix) - 1)
        ) from error
    except errors.TokenError as error:
        raise QuerySyntaxError(f"Cannot read this {clause}: is a quote left open?", text=text) from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        raise QuerySyntaxError(f"Write one {clause}, without a semicolon.", text=text)
    select = statements[0]
    present = {name for name, value in select.args.items() if value}
    wanted = {"expressions", "where"} if clause == "condition" else {"expressions"}
    if present != wanted or len(select.expressions) != 1:
        raise QuerySyntaxError(f"Write one {clause}; other clauses of SQL do not belong here.", text=text)
    found: exp.Expression = select.args["where"].this if clause == "condition" else select.expressions[0]
    return found


_COMMENT: Final = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|`[^`]*`|(--|/\*|\x00)""")


def _refuse_comments(text: str) -> None:
    for match in _COMMENT.finditer(text):
        if match.group(1):
            raise QuerySyntaxError(
                "Comments do not belong in a condition.", text=text, position=match.start()
            )
