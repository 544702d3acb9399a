"""An explanation as HTML for notebooks: without scripts, styles or anything else from outside.

Colours are of middle lightness and backgrounds transparent, so that it reads on dark and on light.
"""

import re
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING, Final

from djflow.planner.explain import asked_by, show_node
from djflow.planner.nodes import Node, inputs
from djflow.relation.explanation.lines import cut_to_line
from djflow.relation.explanation.parameters import ShownParameter, shown_parameters
from djflow.relation.explanation.steps import PolarsStep, ServerStep
from djflow.relation.explanation.timings import Timing, timings_of
from djflow.sql.tokens import Token, tokens_of

if TYPE_CHECKING:
    from djflow.relation.explanation.explanation import Analysis, Explanation

_GREEN, _ORANGE, _BLUE, _PURPLE, _PINK, _TEAL, _RED = (
    f"hsl({colour})"
    for colour in (
        "150 60% 38%",
        "30 75% 42%",
        "210 60% 52%",
        "275 50% 62%",
        "330 55% 55%",
        "185 60% 40%",
        "0 60% 55%",
    )
)
# What reads, keeps, combines, computes, summarises and orders.
_NODES: Final = {
    "Scan": _GREEN,
    "LocalFrame": _GREEN,
    "Empty": _GREEN,
    "Restrict": _ORANGE,
    "Project": _PURPLE,
    "Aggregate": _PINK,
    "Group": _PINK,
    "Distinct": _PINK,
    "Top": _TEAL,
}
_TOKENS: Final = {"text": f"color:{_ORANGE}", "place": f"color:{_PINK}"}
_MONO: Final = "font-family:monospace;font-size:.92em"
_BOX: Final = "border-left:2px solid hsl(0 0% 50%/.4);margin:.2em 0 .2em .4em;padding-left:.8em"
_PRE: Final = f"{_MONO};background:transparent;color:inherit;margin:.3em 0;overflow-x:auto;white-space:pre"
_WORD: Final = re.compile(r"[A-Za-z]+")
# Other words of our SQL are names of functions and types, in lower case.
_KEYWORDS: Final = re.compile(r"[A-Z]{2,}")


def page(explanation: "Explanation") -> str:
    """The whole explanation; every name and value is escaped."""
    answer = explanation.answer
    plans = (
        f"<div style='display:flex;flex-wrap:wrap;gap:.5em 3em'>{_column('as written', answer.logical)}"
        f"{_column('optimised', answer.optimised)}</div>"
    )
    rules = ", ".join(
        escape(name) + (f" &times;{times}" if times > 1 else "") for name, times in answer.counted_rules
    )
    sections = [
        _section("Plan", plans + f"<small>rules: {rules or 'none'}</small>"),
        *(_section(explanation.title(step), _step(step)) for step in answer.steps),
        _section("Local", escape(explanation.local_part)),
        *(_section(explanation.analysis_title(each), _analysis(each)) for each in explanation.analyses),
    ]
    return f"<div style='text-align:left'>{''.join(sections)}</div>"


def _section(title: str, body: str, *, is_open: bool = True) -> str:
    return (
        f"<details{' open' if is_open else ''} style='margin:.3em 0'>"
        f"<summary style='cursor:pointer'><b>{escape(title)}</b></summary>"
        f"<div style='{_BOX}'>{body}</div></details>"
    )


# plans


def _column(title: str, plan: Node) -> str:
    return f"<div><small>{title}</small>{_tree([('', plan)])}</div>"


def _tree(nodes: Iterable[tuple[str, Node]]) -> str:
    style = "list-style:none;margin:0;padding-left:1.1em"
    items = "".join(f"<li style='margin:.1em 0'>{label}{_node(node)}</li>" for label, node in nodes)
    return f"<ul style='{style}'>{items}</ul>"


def _node(node: Node) -> str:
    text = show_node(node)
    found = _WORD.match(text)
    name = found[0] if found else ""
    rest = text.removeprefix(name).removeprefix(":")
    columns = escape("\n".join(f"{a.name} : {a.type}{' (key)' if a.in_key else ''}" for a in node.heading))
    below = [("", each) for each in inputs(node)] + [("<small>matching </small>", n) for n in asked_by(node)]
    return (
        f"<span title='{columns}' style='{_MONO}'><b style='color:{_colour(name, rest)}'>{name}</b>"
        f"{escape(cut_to_line(rest))}</span>{_tree(below) if below else ''}"
    )


def _colour(name: str, rest: str) -> str:
    return _RED if rest.startswith(" in Polars") else _NODES.get(name, _BLUE)


# steps


def _step(step: ServerStep | PolarsStep) -> str:
    if isinstance(step, PolarsStep):
        return f"<pre style='{_PRE}'>{escape(step.text)}</pre>"
    statement = step.compiled.statement
    values = _values(shown_parameters(statement, step.inputs))
    return f"<pre style='{_PRE}'>{coloured_sql(statement.pretty)}</pre>{values}"


def _values(parameters: tuple[ShownParameter, ...]) -> str:
    rows = "".join(
        f"<tr><td style='{_CELL};color:{_PINK}'>{each.place}</td>"
        f"<td style='{_CELL}'>{escape(each.value)}</td><td style='{_CELL}'>{escape(each.attribute)}</td></tr>"
        for each in parameters
    )
    return f"<table style='{_TABLE}'><tbody>{rows}</tbody></table>" if rows else ""


_CELL: Final = "text-align:left;padding:.05em 1em .05em 0;background:transparent;border:0"
_TABLE: Final = f"border-collapse:collapse;border:0;background:transparent;{_MONO}"


def coloured_sql(sql: str) -> str:
    """Escaped SQL with its keywords, texts and placeholders in colour.

    >>> coloured_sql("a < 'x'")
    "a &lt; <span style='color:hsl(30 75% 42%)'>&#x27;x&#x27;</span>"
    """
    pieces: list[str] = []
    end = 0
    for token in tokens_of(sql):
        begin = sql.index(token.text, end)
        pieces += [sql[end:begin], _coloured(token)]
        end = begin + len(token.text)
    return "".join([*pieces, sql[end:]])


def _coloured(token: Token) -> str:
    style = _TOKENS.get(token.kind, "")
    if token.kind == "word" and _KEYWORDS.fullmatch(token.text):
        style = f"color:{_BLUE};font-weight:bold"
    text = escape(token.text)
    return f"<span style='{style}'>{text}</span>" if style else text


# times


def _analysis(analysis: "Analysis") -> str:
    timings = timings_of(analysis.text)
    whole = _section(
        "as PostgreSQL prints it", f"<pre style='{_PRE}'>{escape(analysis.text)}</pre>", is_open=False
    )
    return (_bars(timings) if timings else "") + whole


def _bars(timings: tuple[Timing, ...]) -> str:
    longest = max(timing.milliseconds for timing in timings) or 1.0
    head = "".join(f"<th style='{_CELL}'>{name}</th>" for name in ("node", "rows", "ms", ""))
    rows = "".join(_bar(timing, timing.milliseconds / longest) for timing in timings)
    return f"<table style='{_TABLE}'><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _bar(timing: Timing, share: float) -> str:
    number = f"{_CELL};text-align:right"
    bar = f"width:{max(share * 10, 0.05):.2f}em;height:.7em;background:{_BLUE}"
    return (
        f"<tr><td style='{_CELL};padding-left:{timing.depth}em'>{escape(timing.node)}</td>"
        f"<td style='{number}'>{timing.rows:,}</td><td style='{number}'>{timing.milliseconds:,.3f}</td>"
        f"<td style='{_CELL};min-width:10em'><div style='{bar}'></div></td></tr>"
    )
