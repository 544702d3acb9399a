"""`djflow status`: how far each table is."""

import argparse
from typing import TYPE_CHECKING, Any, Final

from djflow.cli.arguments import add_command, add_json, add_places

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands
    from djflow.cli.places import Places

_COLUMNS: Final = ("table", "tier", "rows", "missing", "errors", "running", "bytes")


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    parser = add_command(
        commands,
        "status",
        _status,
        "show rows, missing keys, errors and running jobs of each table",
        "Numbers of rows of large tables are the server's estimates, marked ≈. What is missing is counted "
        "by foreign keys; name the module for tables with a key_source of their own.",
        examples=("djflow status --schema my_lab", "djflow status --module my_lab --json"),
    )
    add_places(parser)
    add_json(parser)


def _status(options: argparse.Namespace) -> None:
    from djflow.cli.output import print_rows
    from djflow.cli.places import chosen

    places = chosen(options)
    rows = _rows(places) if places.places else []
    if not options.json:
        rows = [{**row, "rows": f"≈{row['rows']}" if row["is_estimate"] else row["rows"]} for row in rows]
    print_rows(_COLUMNS, rows, as_json=options.json)


def _rows(places: "Places") -> list[dict[str, Any]]:
    from djflow.cli.places import auto_populated, label
    from djflow.diagram import Diagram
    from djflow.pipeline.keys import missing

    rows = {row["table"]: row for row in Diagram.from_sequence(places.schemas()).status().to_dicts()}
    for table in auto_populated(places):
        row = rows.get(label(table))
        if row is not None and row["missing"] is None:  # its class is not known here
            row["missing"] = len(missing(table))
    return list(rows.values())
