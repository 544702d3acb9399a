"""How a relation looks in a terminal and in a notebook: its first rows, never all of them."""

import html
import shutil
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from djflow.model.types import CodecType
from djflow.planner import analyze
from djflow.planner.nodes import Node, Project
from djflow.planner.scalar import TEXT, Column, Constant, Scalar
from djflow.relation import fetch
from djflow.relation.database import Database

if TYPE_CHECKING:
    import polars as pl

    from djflow.model.table import Attribute

_MOST_COLUMNS: Final = 30
_NAMED: Final = 5  # of the attributes left out
# The characters of a value in text, in HTML, and while the pointer is on it.
_CELL: Final = 32
_LONGEST: Final = 80
_HOVERED: Final = 1_000
_UNBOUND: Final = 65_535  # columns are left out, not squeezed


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
    """The preview as text, as many attributes as fit; those of the key are marked with an asterisk."""
    import polars as pl

    if not len(plan.heading):
        return f"({_without_attributes(plan, database)})"
    frame = preview_frame(_first_attributes(plan), database, limit)
    shown = frame.head(limit).rename({name: f"*{name}" for name in plan.heading.primary_key}, strict=False)
    with pl.Config(
        tbl_rows=limit,
        tbl_cols=_MOST_COLUMNS,
        tbl_width_chars=_UNBOUND,
        tbl_hide_dataframe_shape=True,
        fmt_str_lengths=_CELL,
    ):
        shown = shown[:, : _fitting(shown, shutil.get_terminal_size((100, 24)).columns)]
        return f"{shown}\n({_rows(frame.height, limit)}){_left_out(plan, shown.width)}"


def _fitting(frame: "pl.DataFrame", width: int) -> int:
    """How many columns, one at least, fit side by side."""
    ends = accumulate((str(column.to_frame()).index("\n") - 1 for column in frame.iter_columns()), initial=1)
    return max(sum(end <= width for end in ends) - 1, 1)


def as_html(plan: Node, database: Database, limit: int) -> str:
    """The preview as an HTML table; everything is escaped."""
    if not len(plan.heading):
        return f"<small>{_without_attributes(plan, database)}</small>"
    few = _first_attributes(plan)
    frame = preview_frame(few, database, limit)
    head = "".join(_header(attribute) for attribute in few.heading)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in frame.head(limit).rows())
    note = html.escape(_rows(frame.height, limit) + _left_out(plan, len(few.heading)))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><small>{note}</small>"


def _first_attributes(plan: Node) -> Node:
    """The relation without what is left out anyway: it is not read."""
    attributes = tuple(plan.heading)[:_MOST_COLUMNS]
    if len(attributes) == len(plan.heading):
        return plan
    return Project(plan, tuple((a, Column(a.name, a.stored)) for a in attributes))


def _left_out(plan: Node, shown: int) -> str:
    names = plan.heading.names[shown:]
    if not names:
        return ""
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f" and {len(names)} more attribute{'' if len(names) == 1 else 's'}: {some}"


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    if len(text) <= _LONGEST:
        return f"<td>{html.escape(text)}</td>"
    whole = html.escape(text[:_HOVERED])
    return f"<td title='{whole}'>{html.escape(text[: _LONGEST - 3])}...</td>"


def _header(attribute: "Attribute") -> str:
    name = html.escape(attribute.name)
    shown = f"<u>{name}</u>" if attribute.in_key else name
    return f"<th style='text-align:left'>{shown}<br><small>{html.escape(str(attribute.type))}</small></th>"


def _rows(height: int, limit: int) -> str:
    if height > limit:
        return f"first {limit} row{'' if limit == 1 else 's'}"
    return f"{height} row{'' if height == 1 else 's'}"


def _without_attributes(plan: Node, database: Database) -> str:
    rows = fetch.stored_rows(plan, database).num_rows
    return f"{rows} row{'' if rows == 1 else 's'} without attributes"
