"""How a relation looks in a terminal and in a notebook: its first rows, never all of them."""

import html
from dataclasses import replace
from typing import TYPE_CHECKING

from djflow.model.types import CodecType
from djflow.planner import analyze
from djflow.planner.nodes import Node, Project
from djflow.planner.scalar import TEXT, Column, Constant, Scalar
from djflow.relation import fetch
from djflow.relation.database import Database

if TYPE_CHECKING:
    import polars as pl

    from djflow.model.table import Attribute


def preview_frame(plan: Node, database: Database, limit: int) -> "pl.DataFrame":
    """The first rows, with the type's name in place of values that a codec encodes."""
    return fetch.to_polars(analyze.top(_without_objects(plan), limit=limit + 1), database)


def _without_objects(plan: Node) -> Node:
    outputs: list[tuple[Attribute, Scalar]] = []
    for attribute in plan.heading:
        if isinstance(attribute.type, CodecType):
            shown = replace(attribute, type=TEXT, stored=TEXT)
            outputs.append((shown, Constant(str(attribute.type), TEXT)))
        else:
            outputs.append((attribute, Column(attribute.name, attribute.stored)))
    return Project(plan, tuple(outputs))


def as_text(plan: Node, database: Database, limit: int) -> str:
    """The preview as text; key attributes are marked with an asterisk."""
    import polars as pl

    frame = preview_frame(plan, database, limit)
    more = frame.height > limit
    key = plan.heading.primary_key
    shown = frame.head(limit).rename({name: f"*{name}" for name in key})
    with pl.Config(tbl_rows=limit, tbl_cols=20, tbl_hide_dataframe_shape=True):
        text = str(shown)
    return f"{text}\n({'first ' if more else ''}{shown.height} row{'s' if shown.height != 1 else ''})"


def as_html(plan: Node, database: Database, limit: int) -> str:
    """The preview as an HTML table; everything is escaped."""
    frame = preview_frame(plan, database, limit)
    more = frame.height > limit
    head = "".join(_header(attribute) for attribute in plan.heading)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape('' if v is None else str(v))}</td>" for v in row) + "</tr>"
        for row in frame.head(limit).rows()
    )
    note = f"first {limit} rows" if more else f"{frame.height} rows"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{note}</small>"


def _header(attribute: "Attribute") -> str:
    name = html.escape(attribute.name)
    shown = f"<u>{name}</u>" if attribute.in_key else name
    return f"<th style='text-align:left'>{shown}<br><small>{html.escape(str(attribute.type))}</small></th>"
