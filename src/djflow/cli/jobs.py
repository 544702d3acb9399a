"""`djflow jobs`: the queues of tables that `make` fills."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from djflow.cli.arguments import add_command, add_family, add_json, add_places
from djflow.errors import InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands
    from djflow.pipeline.tiers import AutoPopulated

_ERRORS: Final = 20


def add_commands(commands: "Commands") -> None:
    """Add them to the parser."""
    actions = add_family(
        commands,
        "jobs",
        "look at queues, retry what failed, pass keys over",
        "Queues are filled by `djflow populate`, and by populate(reserve_jobs=True).",
        examples=(
            "djflow jobs ls --schema my_lab",
            "djflow jobs errors Spikes --traceback",
            "djflow jobs retry Spikes --where 'subject = 3'",
            "djflow jobs ignore Spikes 'subject = 7'",
        ),
    )
    _add_ls(actions)
    _add_errors(actions)
    _add_retry(actions)
    _add_ignore(actions)


def _add_ls(actions: "Commands") -> None:
    parser = add_command(actions, "ls", _ls, "count the jobs of each table by what has become of them")
    _add_tables(parser)
    add_json(parser)


def _add_errors(actions: "Commands") -> None:
    parser = add_command(
        actions, "errors", _errors, "show the jobs that failed, of each table the latest first"
    )
    _add_tables(parser)
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help="only such jobs")
    parser.add_argument(
        "--limit", type=int, default=_ERRORS, metavar="N", help=f"of each table (default: {_ERRORS})"
    )
    parser.add_argument("--traceback", action="store_true", help="with the traceback of each")
    add_json(parser)


def _add_retry(actions: "Commands") -> None:
    parser = add_command(
        actions,
        "retry",
        _retry,
        "have what failed tried again",
        "The jobs are taken out of the queue, so that the next populate makes their keys.",
    )
    _add_tables(parser)
    parser.add_argument("--all", action="store_true", help="of all tables, where none is named")
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help="only such jobs")


def _add_ignore(actions: "Commands") -> None:
    parser = add_command(
        actions,
        "ignore",
        _ignore,
        "have keys passed over that are not made yet",
        "`(Table.jobs & condition).delete()` in Python takes that back.",
    )
    parser.add_argument("table", metavar="TABLE", help="a table that make() fills")
    parser.add_argument("condition", metavar="CONDITION", help="of its keys, those")
    add_places(parser)


def _add_tables(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help="tables that make() fills (default: all of them)"
    )
    add_places(parser)


def queued(options: argparse.Namespace) -> "list[AutoPopulated]":
    """The tables with queues that the options name, by default all. Raises `InvalidArgumentError`."""
    from djflow.cli.places import auto_populated, chosen

    tables = auto_populated(chosen(options), options.tables)
    singletons = [table for table in tables if table.table_model.is_singleton]
    if options.tables and singletons:
        raise InvalidArgumentError(f"{singletons[0].table_model.name} has one row at most, and no queue.")
    return [table for table in tables if table not in singletons]


def _ls(options: argparse.Namespace) -> None:
    from djflow.cli.output import print_rows
    from djflow.cli.places import label

    rows = [{"table": label(table), **table.jobs.progress()} for table in queued(options)]
    columns = ("table", "pending", "reserved", "success", "error", "ignore", "total")
    print_rows(columns, rows, as_json=options.json)


def _errors(options: argparse.Namespace) -> None:
    from djflow.cli.output import print_rows

    rows = [row for table in queued(options) for row in _failed(table, options)]
    if options.json or not options.traceback:
        print_rows(("table", "key", "message", "time", "host"), rows, as_json=options.json)
        return
    for row in rows:
        print(f"{row['table']} {row['key']} on {row['host']}, {row['time']}\n{row['traceback']}\n")


def _failed(table: "AutoPopulated", options: argparse.Namespace) -> list[dict[str, Any]]:
    from djflow.cli.places import label
    from djflow.relation.conditions import AndList, Top

    jobs = table.jobs
    latest = jobs.errors & AndList(options.where) & Top(options.limit, "completed_time DESC")
    stack = ("error_stack",) if options.traceback else ()
    names = jobs.primary_key
    rows = latest.proj("error_message", "completed_time", "host", *stack).to_dicts()
    told = []
    for row in sorted(rows, key=lambda row: row["completed_time"], reverse=True):
        line: dict[str, Any] = {
            "table": label(table),
            "key": {name: row[name] for name in names},
            "message": row["error_message"],
            "time": row["completed_time"],
            "host": row["host"],
        }
        told.append(line | ({"traceback": row["error_stack"]} if stack else {}))
    return told


def _retry(options: argparse.Namespace) -> None:
    from djflow.relation.conditions import AndList

    if not options.tables and not options.all:
        raise InvalidArgumentError("Name the tables whose jobs shall be tried again, or say --all.")
    number = sum((table.jobs.errors & AndList(options.where)).delete() for table in queued(options))
    print(f"{number} job{'' if number == 1 else 's'} will be tried again.")


def _ignore(options: argparse.Namespace) -> None:
    from djflow.cli.places import auto_populated, chosen
    from djflow.pipeline.keys import missing

    [table] = auto_populated(chosen(options), [options.table])
    keys = missing(table, [options.condition]).to_dicts()
    number = table.jobs.queue.ignore(keys, table.connection.settings.jobs.default_priority) if keys else 0
    print(f"{number} of {len(keys)} keys that are not made will be passed over.")
