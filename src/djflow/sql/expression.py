"""Checks of the SQL expressions that users write in index lines."""

from typing import TYPE_CHECKING

from djflow.errors import QuerySyntaxError

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.errors import ParseError

_PREFIX = "SELECT "


def checked_expression(text: str) -> str:
    """The expression of a user in parentheses, once it is known to be one expression and nothing else.

    Raises `QuerySyntaxError`, with the position where it is known, for text that is not a single
    expression of PostgreSQL: several, a subquery, an alias, a parameter, a comment, a semicolon.

    >>> checked_expression("lower(name)"), checked_expression("(a + b)")
    ('(lower(name))', '(a + b)')
    >>> checked_expression("a; DROP TABLE x")
    Traceback (most recent call last):
    djflow.errors.QuerySyntaxError: An index expression cannot contain ';'.
      a; DROP TABLE x
       ^
    """
    from sqlglot import exp

    text = text.strip()
    _refuse_tokens(text)
    tree = _parse(text)
    _refuse_nodes(tree, text)
    return text if isinstance(tree, exp.Paren) else f"({text})"


def _refuse_tokens(text: str) -> None:
    from sqlglot import TokenType, tokenize
    from sqlglot.errors import TokenError

    # These would be read differently here and by the server, or would swallow the closing parenthesis.
    for found, what in (("\0", "the character NUL"), ("$", "'$'"), ("--", "a comment"), ("/*", "a comment")):
        if (position := text.find(found)) >= 0:
            raise QuerySyntaxError(
                f"An index expression cannot contain {what}.", text=text, position=position
            )
    try:
        tokens = tokenize(text, read="postgres")
    except TokenError:
        raise QuerySyntaxError("A quote is not closed in the index expression.", text=text) from None
    refused = {TokenType.SEMICOLON: "';'", TokenType.BYTE_STRING: "an escape string E'...'"}
    for token in tokens:
        if token.token_type in refused:
            what = refused[token.token_type]
            raise QuerySyntaxError(
                f"An index expression cannot contain {what}.", text=text, position=token.start
            )


def _parse(text: str) -> "exp.Expression":
    from sqlglot import exp, parse_one
    from sqlglot.errors import ParseError

    try:
        select = parse_one(_PREFIX + text, read="postgres")
    except ParseError as error:
        raise QuerySyntaxError(
            "The index expression cannot be understood.", text=text, position=_position(error, text)
        ) from None
    clauses = [name for name, value in select.args.items() if value and name != "expressions"]
    if not isinstance(select, exp.Select) or clauses or len(select.expressions) != 1:
        raise QuerySyntaxError(
            "An index item in parentheses is one expression. Write each of several as an item of its own.",
            text=text,
        )
    tree: exp.Expression = select.expressions[0]
    return tree


def _position(error: "ParseError", text: str) -> int | None:
    if "\n" in text:
        return None
    where = error.errors[0]
    end, token = int(where.get("col") or 0), str(where.get("highlight") or "")
    return max(0, min(end - len(token) - len(_PREFIX), len(text)))


def _refuse_nodes(tree: "exp.Expression", text: str) -> None:
    from sqlglot import exp

    refused = (
        (exp.Query, "a subquery"),
        (exp.Tuple, "several expressions"),
        (exp.Alias, "a name, sort order or operator class after the expression"),
        (exp.Star, "'*'"),
        (exp.Placeholder, "a parameter"),
        (exp.Parameter, "a parameter"),
        (exp.Window, "a window function"),
    )
    for kind, what in refused:
        if tree.find(kind) is not None:
            raise QuerySyntaxError(f"An index expression cannot contain {what}.", text=text)
