"""`djflow populate` and `djflow watch`: fill the tables of a module."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from djflow.errors import InvalidArgumentError, did_you_mean


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add both to the parser."""
    populate = commands.add_parser(
        "populate",
        help="make what is missing in the tables of a module",
        description="Make every key that is missing in imported and computed tables, and show what became of "
        "each table. The exit code is 1 where keys failed.",
    )
    populate.add_argument("--plan", action="store_true", help="show what there is to do, and do nothing")
    populate.set_defaults(command=_populate)
    watch = commands.add_parser(
        "watch",
        help="the same, and again whenever rows are inserted, until Ctrl-C",
        description="Make what is missing, wait for rows inserted into the tables on which these depend, and "
        "make what they make possible, until Ctrl-C.",
    )
    watch.set_defaults(command=_watch)
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
    try:
        value: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise InvalidArgumentError(f"There is no module {error.name!r} here.").suggest(
            "Name one as Python imports it from this folder: lab.ephys, not lab/ephys.py."
        ) from None
    for name in path.split(".") if path else ():
        if not hasattr(value, name):
            raise InvalidArgumentError(f"{module_name} has no {path!r}.{did_you_mean(name, dir(value))}")
        value = getattr(value, name)
    return value


def _populate(options: argparse.Namespace) -> None:
    from djflow.pipeline.flow.flow import Flow

    flow = Flow(*found(options.targets))
    if options.plan:
        _show(flow.plan(*options.where))
        return
    _end(flow.populate(*options.where, executor=options.executor, workers=options.workers))


def _watch(options: argparse.Namespace) -> None:
    from djflow.pipeline.flow.flow import Flow

    flow = Flow(*found(options.targets))
    _end(flow.populate(*options.where, executor=options.executor, workers=options.workers, watch=True))


def _show(frame: Any) -> None:
    import polars as pl

    with pl.Config(tbl_rows=-1, tbl_cols=-1, fmt_str_lengths=64, tbl_width_chars=160):
        print(frame)


def _end(summary: Any) -> None:
    _show(summary)
    if summary["failed"].sum():
        raise SystemExit(1)
