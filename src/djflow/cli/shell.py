"""`djflow shell`: Python with the tables of a schema or module at hand."""

import argparse
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from djflow.cli.arguments import add_command
from djflow.errors import InvalidArgumentError

if TYPE_CHECKING:
    from djflow.cli.arguments import Commands


def add_commands(commands: "Commands") -> None:
    """Add it to the parser."""
    shell = add_command(
        commands,
        "shell",
        _shell,
        "start Python, or IPython where it is installed, with tables at hand",
        "`dj` is imported. A schema is loaded as a module of classes; a module's classes are there by their "
        "own names.",
        examples=(
            "djflow shell -s my_lab:lab",
            "djflow shell --module my_lab.acquisition",
            "djflow shell --host db.lab.org:5432 -u ann",
        ),
    )
    shell.add_argument(
        "-s",
        "--schemas",
        action="append",
        default=[],
        metavar="SCHEMA[:ALIAS]",
        help="load a schema of the database under a name, by default its own (again for more)",
    )
    shell.add_argument(
        "--module", action="append", default=[], metavar="MODULE", help="import a module and take its classes"
    )
    shell.add_argument("--host", metavar="HOST[:PORT]", help="another server than the configured one")
    shell.add_argument("-u", "--user", metavar="USER", help="another user")
    shell.add_argument(
        "-p",
        "--password",
        metavar="PASSWORD",
        help="their password; other users of this machine can read it here, so better set DJ_PASS",
    )
    shell.add_argument("--plain", action="store_true", help="Python's own prompt, even if IPython is there")


def _shell(options: argparse.Namespace) -> None:
    import djflow as dj

    use_server(options)
    names: dict[str, Any] = {"dj": dj}
    told = []
    for given in options.schemas:
        schema, alias = schema_and_alias(given)
        names[alias] = dj.virtual_schema(schema)
        told.append(f"  {alias} -> {schema}")
    for module in options.module:
        classes = _classes(module)
        names |= classes
        told.append(f"  {', '.join(classes)} from {module}")
    banner = "\n".join(
        [
            f"djflow {dj.__version__}, Python {sys.version.partition(' ')[0]}, {dj.conn().place}",
            "Type 'dj.' and press Tab for what there is.",
            *(["", "Loaded:", *told] if told else []),
            "",
        ]
    )
    _interact(names, banner, plain=options.plain)


def use_server(options: argparse.Namespace) -> None:
    """Have `dj.conn()` reach the server that the options name.

    The password that is configured goes to no other server and stands for no other user.
    """
    if options.host is None and options.user is None and options.password is None:
        return
    from djflow.configuration import shared
    from djflow.configuration.database import DEFAULT_PORT

    if options.host is not None or options.user is not None:
        shared["database.password"] = None
        shared["database.options"] = None  # which may hold passwords, or another address
    if options.host is not None:
        host, port = host_and_port(options.host)
        shared["database.host"] = host
        shared["database.port"] = DEFAULT_PORT if port is None else port
    if options.user is not None:
        shared["database.user"] = options.user
    if options.password is not None:
        shared["database.password"] = options.password


def host_and_port(text: str) -> tuple[str, int | None]:
    """The two parts of `host:port`, of which the port may be missing.

    >>> host_and_port("db.lab.org:5433"), host_and_port("[::1]:5433"), host_and_port("::1")
    (('db.lab.org', 5433), ('::1', 5433), ('::1', None))
    """
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return text.strip("[]"), None


def schema_and_alias(text: str) -> tuple[str, str]:
    """The two parts of `schema:alias`, of which the alias may be missing.

    Raises `InvalidArgumentError` for an alias that is no name in Python.

    >>> schema_and_alias("my_lab:lab"), schema_and_alias("my_lab")
    (('my_lab', 'lab'), ('my_lab', 'my_lab'))
    """
    schema, _, alias = text.partition(":")
    alias = alias or schema
    if not alias.isidentifier():
        raise InvalidArgumentError(f"{alias!r} is no name for a variable.").suggest(
            f"Give one behind the schema: -s {schema}:lab."
        )
    return schema, alias


def _classes(module: str) -> Mapping[str, Any]:
    from djflow.cli.places import schemas_of
    from djflow.cli.populating import found

    [target] = found([module])
    classes = {cls.__name__: cls for schema in schemas_of(target) for cls in schema.registry}
    own = {name: cls for name, cls in classes.items() if getattr(cls, "master", None) is None}
    if not own:
        raise InvalidArgumentError(f"No tables are declared in {module}.")
    return own


def _interact(names: dict[str, Any], banner: str, *, plain: bool) -> None:
    if not plain and find_spec("IPython") is not None:
        config = import_module("traitlets.config").Config()
        config.TerminalInteractiveShell.banner1 = f"{banner}\n"
        import_module("IPython").start_ipython(argv=[], user_ns=names, config=config)
        return
    import code

    with suppress(ImportError):  # Windows has no readline
        import readline
        import rlcompleter

        readline.set_completer(rlcompleter.Completer(names).complete)
        readline.parse_and_bind("tab: complete")
    code.interact(banner, local=names, exitmsg="")
