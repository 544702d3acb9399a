"""`djflow schema`: what a database holds, and how its tables are declared."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from djflow.cli.arguments import add_command, add_family, add_json
from djflow.errors import DjflowError, InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands
    from djflow.tables.schema import Schema


def add_commands(commands: "Commands") -> None:
    """Add them to the parser."""
    actions = add_family(
        commands,
        "schema",
        "list, describe, draw and alter schemas",
        examples=(
            "djflow schema ls",
            "djflow schema describe my_lab Session",
            "djflow schema diagram my_lab --output lab.svg",
            "djflow schema alter my_lab.acquisition --plan",
        ),
    )
    listing = add_command(actions, "ls", _ls, "list the schemas of the database, their tables and size")
    add_json(listing)
    _add_describe(actions)
    _add_diagram(actions)
    _add_alter(actions)


def _add_describe(actions: "Commands") -> None:
    describe = add_command(
        actions,
        "describe",
        _describe,
        "print a schema as the Python module that declares it, or definitions of single tables",
        examples=("djflow schema describe my_lab > my_lab.py", "djflow schema describe my_lab Session.Trial"),
    )
    describe.add_argument("schema", metavar="SCHEMA", help="a schema of the database")
    describe.add_argument("tables", nargs="*", metavar="TABLE", help="names of its classes (default: all)")


def _add_diagram(actions: "Commands") -> None:
    diagram = add_command(
        actions,
        "diagram",
        _diagram,
        "draw the tables and what depends on what",
        "Without a file, it is printed as text.",
        examples=("djflow schema diagram my_lab", "djflow schema diagram my_lab --output lab.png"),
    )
    diagram.add_argument("schemas", nargs="*", metavar="SCHEMA", help="schemas of the database")
    diagram.add_argument("--module", action="append", default=[], metavar="MODULE", help="those of a module")
    diagram.add_argument(
        "--progress", action="store_true", help="with rows, missing keys and errors of each table"
    )
    diagram.add_argument("--mermaid", action="store_true", help="print Mermaid, as Markdown pages take it")
    diagram.add_argument(
        "--output", type=Path, metavar="FILE", help="write a file instead: .svg, .png, .dot, .mmd or .txt"
    )


def _add_alter(actions: "Commands") -> None:
    alter = add_command(
        actions,
        "alter",
        _alter,
        "change tables to what their classes say by now",
        "It shows what it would do and asks before it does it. The exit code is 1 where an alteration "
        "would be refused.",
        examples=("djflow schema alter my_lab --plan", "djflow schema alter my_lab.acquisition --yes"),
    )
    alter.add_argument("module", metavar="MODULE", help="a Python module, or a schema in it: my_lab:schema")
    alter.add_argument("--plan", action="store_true", help="show what would be done, and do nothing")
    alter.add_argument("--yes", action="store_true", help="do it without asking")
    alter.add_argument("--allow-loss", action="store_true", help="do it even where values are lost")


_SIZES = """
SELECT n.nspname::text, count(*)::int, sum(pg_total_relation_size(c.oid))::bigint,
  pg_get_userbyid(n.nspowner)::text
FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
WHERE n.nspname = ANY($1) AND c.relkind IN ('r', 'p') AND c.relname !~ '^~' GROUP BY n.oid ORDER BY 1
"""


def _ls(options: argparse.Namespace) -> None:
    from djflow.cli.output import print_rows
    from djflow.tables.default import conn

    database = conn()
    names = sorted({table.name.schema for table in database.whole_catalog().tables})
    columns = ("schema", "tables", "bytes", "owner")
    rows = [dict(zip(columns, row, strict=True)) for row in database.session.execute(_SIZES, [names])]
    print_rows(columns, rows, as_json=options.json)


def _describe(options: argparse.Namespace) -> None:
    from djflow.cli.places import of_database
    from djflow.tables.default import conn

    schema = of_database(conn(), options.schema)
    if not options.tables:
        print(schema.describe(), end="")
        return
    print("\n\n".join(_definition(schema, name) for name in options.tables))


def _definition(schema: "Schema", name: str) -> str:
    return f"# {schema.database}.{name}\n{schema[name].describe().strip()}"


def _diagram(options: argparse.Namespace) -> None:
    from djflow.diagram import Diagram

    diagram = Diagram.from_sequence(_drawn(options))
    if options.progress:
        diagram = diagram.progress()
    if options.output is not None:
        try:
            diagram.save(options.output)
        except OSError as error:
            raise DjflowError(f"{options.output} cannot be written: {error.strerror or error}.") from error
        print(options.output)
    else:
        print(diagram.make_mermaid() if options.mermaid else diagram)


def _drawn(options: argparse.Namespace) -> list[Any]:
    from djflow.cli.places import of_database
    from djflow.cli.populating import found
    from djflow.tables.default import conn

    drawn = [*found(options.module), *(of_database(conn(), name) for name in options.schemas)]
    if not drawn:
        raise InvalidArgumentError("Name a schema of the database, or a module with --module.").suggest(
            "`djflow schema ls` lists the schemas."
        )
    return drawn


def _alter(options: argparse.Namespace) -> int:
    from djflow.cli.places import schemas_of
    from djflow.cli.populating import found

    schemas = [schema for target in found([options.module]) for schema in schemas_of(target)]
    if not schemas:
        raise InvalidArgumentError(f"No schema is declared in {options.module}.")
    refused = False
    for schema in schemas:
        if options.plan:
            plan = schema.alter(plan=True, allow_loss=options.allow_loss)
            assert plan is not None  # noqa: S101 - it was asked for
            print(f"-- {schema.database}\n{plan}")
            refused |= bool(plan.problems) or bool(plan.losses and not options.allow_loss)
        else:
            schema.alter(prompt=not options.yes, allow_loss=options.allow_loss)
    return int(refused)
