"""`djflow query` and `djflow explain`: expressions answered, exported, and how."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djflow.cli.arguments import add_command, add_places
from djflow.errors import InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands
    from djflow.relation.relation import Relation

_FORMATS = ("csv", "json", "jsonl", "parquet")
_EXPRESSION = (
    "The expression is written as in Python: tables, & - * +, proj, aggr, extend, join, union, restrict, "
    "restrict_by, Top, U, Not, AndList, with texts, numbers, dicts and lists. It is read, never run as "
    "Python. Tables are named as their classes, with the schema before them where several have one: "
    "lab.Session."
)


def add_commands(commands: "Commands") -> None:
    """Add them to the parser."""
    query = add_command(
        commands,
        "query",
        _query,
        "show or export the rows of a query",
        _EXPRESSION,
        examples=(
            "djflow query \"Session & 'duration > 60'\"",
            "djflow query \"Session * Subject.proj('sex')\" --to csv --output sessions.csv",
            "djflow query \"Subject.aggr(Session, n='count(*)')\" --to json | jq .",
            "djflow query \"Session & Top(10, 'duration DESC')\" --to parquet > longest.parquet",
        ),
    )
    _add_expression(query)
    query.add_argument("--to", choices=_FORMATS, help="export all rows (default: show the first ones)")
    query.add_argument(
        "--output", type=Path, metavar="FILE", help="write a file; its suffix tells the format without --to"
    )
    query.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    query.add_argument(
        "--order-by",
        action="append",
        metavar="ATTRIBUTE",
        help="the order, as in --order-by 'duration DESC' (again for more; default: the primary key)",
    )
    explain = add_command(
        commands,
        "explain",
        _explain,
        "tell how a query will be answered",
        _EXPRESSION,
        examples=(
            "djflow explain \"Session & 'duration > 60'\"",
            'djflow explain "Session - Scan" --analyze',
        ),
    )
    _add_expression(explain)
    how = explain.add_mutually_exclusive_group()
    how.add_argument("--analyze", action="store_true", help="run it, and add PostgreSQL's plan with times")
    how.add_argument("--sql", action="store_true", help="print the SQL alone")


def _add_expression(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("expression", metavar="EXPRESSION", help="a query; quote it for the shell")
    add_places(parser)


def relation_of(options: argparse.Namespace) -> "Relation":
    """The query that the options describe.

    Raises `InvalidArgumentError` for an expression that is none, and what parsing it raises.
    """
    from djflow.cli.expression import parsed
    from djflow.cli.places import chosen
    from djflow.relation.relation import Relation

    places = chosen(options)
    value: Any = parsed(options.expression, places.table)
    if not isinstance(value, Relation):
        raise InvalidArgumentError(f"A query begins with a table; {value!r} alone is none.")
    return value


def _query(options: argparse.Namespace) -> None:
    from djflow.relation.conditions import Top

    relation = relation_of(options)
    if options.limit is not None and options.limit < 0:
        raise InvalidArgumentError(f"--limit is a number of rows, not {options.limit}.")
    form = options.to or _by_suffix(options.output)
    if form is None:
        ordered = relation & Top(None, options.order_by) if options.order_by else relation
        print(ordered.preview(options.limit))
        return
    if options.order_by or options.limit is not None:
        relation &= Top(options.limit, options.order_by)
    from djflow.cli.export import export

    export(relation, form, options.output)


def _by_suffix(output: Path | None) -> str | None:
    if output is None:
        return None
    form = output.suffix.removeprefix(".").lower()
    if form not in _FORMATS:
        raise InvalidArgumentError(f"The suffix of {output} tells no format.").suggest(
            f"Name one: --to {', --to '.join(_FORMATS)}."
        )
    return form


def _explain(options: argparse.Namespace) -> None:
    relation = relation_of(options)
    print(relation.make_sql() if options.sql else relation.explain(analyze=options.analyze))
