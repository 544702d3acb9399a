"""An explanation as HTML for notebooks."""

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Final

from djflow.display import sheet
from djflow.display.sheet import BLUE, GREEN, ORANGE, PINK, PURPLE, RED, TEAL
from djflow.display.sql_text import coloured_sql
from djflow.planner.explain import asked_by, show_node
from djflow.planner.nodes import Node, inputs
from djflow.relation.explanation.lines import cut_to_line
from djflow.relation.explanation.parameters import ShownParameter, shown_parameters
from djflow.relation.explanation.steps import PolarsStep, ServerStep
from djflow.relation.explanation.timings import Timing, timings_of

if TYPE_CHECKING:
    from djflow.relation.explanation.explanation import Analysis, Explanation

# What reads, keeps, combines, computes, summarises and orders.
_NODES: Final = {
    "Scan": GREEN,
    "LocalFrame": GREEN,
    "Empty": GREEN,
    "Restrict": ORANGE,
    "Project": PURPLE,
    "Aggregate": PINK,
    "Group": PINK,
    "Distinct": PINK,
    "Top": TEAL,
}
_WORD: Final = re.compile(r"[A-Za-z]+")


def page(explanation: "Explanation") -> str:
    """The whole explanation; every name and value is escaped."""
    answer = explanation.answer
    plans = (
        f"<div class='dj-beside'>{_column('as written', answer.logical)}"
        f"{_column('optimised', answer.optimised)}</div>"
    )
    rules = ", ".join(
        escape(name) + (f" &times;{times}" if times > 1 else "") for name, times in answer.counted_rules
    )
    sections = [
        _section("Plan", plans + f"<small>rules: {rules or 'none'}</small>"),
        *(_section(explanation.title(step), _step(step)) for step in answer.steps),
        _section("Local", escape(explanation.local_part).replace("\n", "<br>")),
        *(_section(explanation.analysis_title(each), _analysis(each)) for each in explanation.analyses),
    ]
    return sheet.page("".join(sections))


def _section(title: str, body: str, *, is_open: bool = True) -> str:
    return (
        f"<details{' open' if is_open else ''}>"
        f"<summary><b>{escape(title)}</b></summary>"
        f"<div class='dj-box'>{body}</div></details>"
    )


# plans


def _column(title: str, plan: Node) -> str:
    return f"<div><small>{title}</small>{_tree([('', plan)])}</div>"


def _tree(nodes: Iterable[tuple[str, Node]]) -> str:
    items = "".join(f"<li>{label}{_node(node)}</li>" for label, node in nodes)
    return f"<ul>{items}</ul>"


def _node(node: Node) -> str:
    text = show_node(node)
    found = _WORD.match(text)
    name = found[0] if found else ""
    rest = text.removeprefix(name).removeprefix(":")
    columns = escape("\n".join(f"{a.name} : {a.type}{' (key)' if a.in_key else ''}" for a in node.heading))
    below = [("", each) for each in inputs(node)] + [("<small>matching </small>", n) for n in asked_by(node)]
    return (
        f"<span title='{columns}' class='dj-node'><b style='color:{_colour(name, rest)}'>{name}</b>"
        f"{escape(cut_to_line(rest))}</span>{_tree(below) if below else ''}"
    )


def _colour(name: str, rest: str) -> str:
    return RED if rest.startswith(" in Polars") else _NODES.get(name, BLUE)


# steps


def _step(step: ServerStep | PolarsStep) -> str:
    if isinstance(step, PolarsStep):
        return f"<pre>{escape(step.text)}</pre>"
    statement = step.compiled.statement
    values = _values(shown_parameters(statement, step.inputs))
    return f"<pre>{coloured_sql(statement.pretty)}</pre>{values}"


def _values(parameters: tuple[ShownParameter, ...]) -> str:
    rows = "".join(
        f"<tr><td class='dj-place'>{each.place}</td>"
        f"<td>{escape(each.value)}</td><td>{escape(each.attribute)}</td></tr>"
        for each in parameters
    )
    return f"<table class='dj-plain'><tbody>{rows}</tbody></table>" if rows else ""


# times


def _analysis(analysis: "Analysis") -> str:
    timings = timings_of(analysis.text)
    whole = _section("as PostgreSQL prints it", f"<pre>{escape(analysis.text)}</pre>", is_open=False)
    return (_bars(timings) if timings else "") + whole


def _bars(timings: tuple[Timing, ...]) -> str:
    longest = max(timing.milliseconds for timing in timings) or 1.0
    head = "".join(f"<th>{name}</th>" for name in ("node", "rows", "ms", ""))
    rows = "".join(_bar(timing, timing.milliseconds / longest) for timing in timings)
    return f"<table class='dj-plain'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _bar(timing: Timing, share: float) -> str:
    bar = f"width:{max(share * 10, 0.05):.2f}em"
    return (
        f"<tr><td style='padding-left:{timing.depth}em'>{escape(timing.node)}</td>"
        f"<td class='dj-number'>{timing.rows:,}</td><td class='dj-number'>{timing.milliseconds:,.3f}</td>"
        f"<td><div class='dj-bar' style='{bar}'></div></td></tr>"
    )
