"""`djflow populate` and `djflow watch`: fill the tables of a module."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from djflow.cli.arguments import add_command
from djflow.errors import InvalidArgumentError, did_you_mean

if TYPE_CHECKING:
    import polars as pl

    from djflow.cli.arguments import Commands

_AS_IMPORTED: Final = "Name one as Python imports it from this folder: lab.ephys, not lab/ephys.py."


def add_commands(commands: "Commands") -> None:
    """Add both to the parser."""
    populate = add_command(
        commands,
        "populate",
        _populate,
        "make what is missing in the tables of a module",
        "It makes every key that is missing in imported and computed tables, and shows what became of "
        "each table. The exit code is 1 where keys failed.",
        examples=(
            "djflow populate my_lab",
            "djflow populate my_lab.analysis:Spikes --where 'subject > 3' --executor processes --workers 4",
            "djflow populate my_lab --executor dask --watch",
        ),
    )
    what = populate.add_mutually_exclusive_group()
    what.add_argument("--plan", action="store_true", help="show what there is to do, and do nothing")
    what.add_argument(
        "--watch",
        action="store_true",
        help="wait for new rows, and make what they make possible, until Ctrl-C",
    )
    watch = add_command(
        commands,
        "watch",
        _watch,
        "the same, and again whenever rows are inserted, until Ctrl-C",
        "It makes what is missing, waits for rows inserted into the tables on which these depend, and "
        "makes what they make possible, until Ctrl-C.",
        examples=("djflow watch my_lab --executor threads",),
    )
    for parser in (populate, watch):
        _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "targets",
        nargs="+",
        metavar="TARGET",
        help="a module (lab.ephys) or something in it: a table (lab.ephys:Spikes), a schema, a diagram",
    )
    parser.add_argument("--where", action="append", default=[], metavar="CONDITION", help="only such keys")
    parser.add_argument(
        "--executor",
        default="serial",
        metavar="NAME",
        help="serial, threads, processes, dask, or the address of a Dask scheduler (default: serial)",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="how many (default: one a processor)")


def found(targets: Sequence[str]) -> list[Any]:
    """What the targets name. Raises `InvalidArgumentError` for what there is not.

    >>> found(["djflow:Schema"])
    [<class 'djflow.tables.schema.Schema'>]
    """
    if "" not in sys.path:
        sys.path.insert(0, "")  # as of `python -m`: the modules of the working folder
    return [_found(target) for target in targets]


def _found(target: str) -> Any:
    module_name, _, path = target.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise InvalidArgumentError(f"{target!r} names no module.").suggest(_AS_IMPORTED)
    try:
        value: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise InvalidArgumentError(f"There is no module {error.name!r} here.").suggest(_AS_IMPORTED) from None
    for name in path.split(".") if path else ():
        if not hasattr(value, name):
            raise InvalidArgumentError(f"{module_name} has no {path!r}.{did_you_mean(name, dir(value))}")
        value = getattr(value, name)
    return value


def _populate(options: argparse.Namespace) -> int:
    if options.plan:
        from djflow.pipeline.flow.flow import Flow

        _show(Flow(*found(options.targets)).plan(*options.where))
        return 0
    return _run(options, watch=options.watch)


def _watch(options: argparse.Namespace) -> int:
    return _run(options, watch=True)


def _run(options: argparse.Namespace, *, watch: bool) -> int:
    from djflow.pipeline.flow.flow import Flow

    summary = Flow(*found(options.targets)).populate(
        *options.where, executor=options.executor, workers=options.workers, watch=watch
    )
    _show(summary)
    return int(summary["failed"].sum() > 0)


def _show(frame: "pl.DataFrame") -> None:
    import polars as pl

    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=64, tbl_width_chars=160):
        print(frame)
