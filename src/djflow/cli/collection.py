"""`djflow gc` and `djflow verify`: what rows no longer need, and whether what they need is there."""

import argparse
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from djflow.cli.arguments import add_command, add_json, add_places
from djflow.errors import InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands
    from djflow.tables.declared import Table

_PLANNED: Final = ("kind", "bytes", "why", "quarantined_at", "path")
_PROBLEMS: Final = ("table", "key", "attribute", "problem", "store", "path", "detail")

_LONGEST_GRACE: Final = 36_500  # days


def add_commands(commands: "Commands") -> None:
    """Add them to the parser."""
    gc = add_command(
        commands,
        "gc",
        _gc,
        "find objects in stores that no row needs, and remove them",
        "By default it tells what it would act on, and changes nothing. With --run, objects that no row "
        "refers to enter the quarantine, and those that were there for the grace period are removed.",
        examples=("djflow gc my_lab", "djflow gc my_lab --run", "djflow gc my_lab --audit"),
    )
    gc.add_argument("schemas", nargs="+", metavar="SCHEMA", help="whose objects")
    what = gc.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="tell what would be done (the default)")
    what.add_argument("--run", action="store_true", help="do it")
    what.add_argument("--audit", action="store_true", help="list files that the database does not know")
    gc.add_argument("--store", metavar="NAME", help="in this store (default: the default store)")
    gc.add_argument(
        "--grace", type=_days, default=7.0, metavar="DAYS", help="length of the quarantine (default: 7)"
    )
    add_json(gc)
    verify = add_command(
        commands,
        "verify",
        _verify,
        "check that the objects of rows are in their stores as they were written",
        "It reads them all, and prints what is missing or damaged. The exit code is 1 where anything is.",
        examples=("djflow verify --schema my_lab", "djflow verify \"Recording & 'subject = 3'\""),
    )
    verify.add_argument(
        "expressions",
        nargs="*",
        metavar="EXPRESSION",
        help="tables, or some of their rows (default: all tables)",
    )
    add_places(verify)
    add_json(verify)


def _days(text: str) -> float:
    days = float(text)
    if not 0 <= days <= _LONGEST_GRACE:  # neither is NaN
        raise ValueError(text)
    return days


def _gc(options: argparse.Namespace) -> int:
    from djflow.cli.output import as_document, print_rows
    from djflow.tables.default import conn
    from djflow.tables.free import check_schema_exists
    from djflow.tables.objects.collector import GarbageCollector

    for schema in options.schemas:
        check_schema_exists(conn(), schema)
    collector = GarbageCollector(*options.schemas, store=options.store, grace=timedelta(days=options.grace))
    if options.run:
        statistics = collector.collect(dry_run=False)
        done = ("quarantined", "released", "deleted", "bytes_freed", "errors")
        print(as_document(statistics) if options.json else "\n".join(f"{n}: {statistics[n]}" for n in done))
        return int(bool(statistics["errors"]))
    found = collector.audit() if options.audit else collector.plan()
    columns = ("kind", "bytes", "modified", "path") if options.audit else _PLANNED
    print_rows(columns, found.to_dicts(), as_json=options.json)
    if not options.json and not options.audit:
        print("Nothing was changed: --run does it.", file=sys.stderr)
    return 0


def _verify(options: argparse.Namespace) -> int:
    from djflow.cli.output import print_rows

    problems = [row for name, table in _checked(options).items() for row in _problems(name, table)]
    if problems or options.json:
        print_rows(_PROBLEMS, problems, as_json=options.json)
    else:
        print("All objects are there, as they were written.")
    return int(bool(problems))


def _checked(options: argparse.Namespace) -> "dict[str, Table]":
    """The tables to check, or some of their rows, by what they are called."""
    from djflow.cli.expression import parsed
    from djflow.cli.places import chosen
    from djflow.tables.declared import Table

    places = chosen(options)
    if not options.expressions:
        return {name: table for name, table in places if _has_objects(table)}
    found = {text: parsed(text, places.table) for text in options.expressions}
    for text, value in found.items():
        if not isinstance(value, Table):
            raise InvalidArgumentError(f"{text!r} is no table, nor some of the rows of one.")
    return found


def _has_objects(table: "Table") -> bool:
    from djflow.storage.referring import refers

    return any(refers(column, if_unknown=False) for column in table.table_model.columns)


def _problems(name: str, table: "Table") -> list[dict[str, Any]]:
    key = table.primary_key
    return [
        {"table": name, "key": {attribute: row[attribute] for attribute in key}}
        | {column: value for column, value in row.items() if column not in key}
        for row in table.verify().to_dicts()
    ]
