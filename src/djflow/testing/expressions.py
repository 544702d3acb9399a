"""Hypothesis strategies of conditions and expressions as users write them, over a heading."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from djflow.model.table import Attribute, Heading
from djflow.planner.scalar import is_integer, is_numeric, is_text
from djflow.testing.databases import texts, values
from djflow.testing.naive_values import kind_of, text_of

_COMPARISONS: Final = ("=", "<>", "<", "<=", ">", ">=", "!=")
_NUMBERS: Final = ("0", "1", "2", "0.5", "-1", "3", "1.50", "127", "1e3", "40000")


def quoted(text: str) -> str:
    """A text constant as a user writes it.

    >>> print(quoted("it's"))
    'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


_TWO: Final = ("({0}) AND ({1})", "({0}) OR ({1})", "{0} AND {1}", "({0}) OR NOT ({1})")
_ONE: Final = ("{0}", "{0}", "NOT ({0})", "({0}) IS TRUE", "({0}) IS NOT FALSE")


@st.composite
def conditions(draw: st.DrawFn, heading: Heading) -> str:
    """Restriction strings: comparisons joined by AND, OR and NOT."""
    if not heading.names:
        return draw(st.sampled_from(("TRUE", "FALSE", "1=1")))
    text = draw(_comparisons(heading))
    for _ in range(draw(st.sampled_from((0, 0, 1, 2)))):
        text = draw(st.sampled_from(_TWO)).format(text, draw(_comparisons(heading)))
    return draw(st.sampled_from(_ONE)).format(text)


@st.composite
def _comparisons(draw: st.DrawFn, heading: Heading) -> str:
    attribute = draw(st.sampled_from(heading.attributes))
    name = f"`{attribute.name}`"
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from((f"{name} IS NULL", f"{name} IS NOT NULL", f"NOT {name} IS NULL")))
    twins = [a for a in heading if _group(a) == _group(attribute)]
    if len(twins) > 1 and _group(attribute) not in ("json", "bytes") and draw(st.integers(0, 4)) == 0:
        other = draw(st.sampled_from(twins))
        return f"{name} {draw(st.sampled_from(_COMPARISONS))} `{other.name}`"
    return draw(_conditions_on(attribute, name))


@cache
def _conditions_on(attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return _CONDITIONS.get(_group(attribute), _on_anything)(attribute, name)


def _group(attribute: Attribute) -> str:
    if is_numeric(attribute.stored):
        return "number"
    return "text" if is_text(attribute.stored) else kind_of(attribute.stored)


def _on_number(_attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    number, op = st.sampled_from(_NUMBERS), st.sampled_from(_COMPARISONS)
    return st.one_of(
        st.builds(lambda o, n: f"{name} {o} {n}", op, number),
        st.builds(lambda o, n: f"{n} {o} {name}", op, number),
        st.builds(lambda a, b: f"{name} BETWEEN {a} AND {b}", number, number),
        st.builds(lambda a, b: f"{name} IN ({a}, {b})", number, number),
        st.builds(lambda a, b: f"{name} NOT IN ({a}, {b})", number, number),
        st.builds(lambda o, a, n: f"{name} {o} {a} > {n}", st.sampled_from("+-*"), number, number),
        st.builds(lambda n: f"{name} / 2 > {n}", number),
        st.builds(lambda n: f"{name} IN ({n}, NULL)", number),
    )


def _on_text(attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    text = (values(attribute.stored) | texts()).map(quoted)
    pattern = st.sampled_from(("%", "_", "a%", "%b", "a\\b", "\\%", "%'%", "_%_", "100%", "É", "%\n%"))
    return st.one_of(
        st.builds(lambda o, t: f"{name} {o} {t}", st.sampled_from(_COMPARISONS), text),
        st.builds(lambda a, b: f"{name} IN ({a}, {b})", text, text),
        st.builds(
            lambda o, t: f"{name} {o} {quoted(t)}", st.sampled_from(("LIKE", "NOT LIKE", "ILIKE")), pattern
        ),
        st.builds(lambda n: f"length({name}) > {n}", st.sampled_from("0123")),
        st.builds(lambda t: f"lower({name}) = {t}", text),
        st.builds(lambda t: f"concat({name}, 'x') <> {t}", text),
    )


def _on_moment(attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    moment = values(attribute.stored).map(lambda value: quoted(text_of(value)))
    return st.one_of(
        st.builds(lambda o, m: f"{name} {o} {m}", st.sampled_from(_COMPARISONS), moment),
        st.builds(lambda a, b: f"{name} BETWEEN {a} AND {b}", moment, moment),
        st.just(f"year({name}) = 2024"),
        st.just(f"month({name}) + day({name}) > 12"),
        st.just(f"date({name}) = '2024-02-29'"),
    )


def _on_truth(_attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return st.sampled_from((name, f"NOT {name}", f"{name} = TRUE", f"{name} = 0", f"{name} IS FALSE"))


def _on_document(_attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return st.sampled_from((f"{name}->>'k' = '1'", f"{name}->>'s' LIKE '%''s'", f"{name}->>'none' IS NULL"))


def _on_bytes(_attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return st.sampled_from((f"octet_length({name}) > 1", f"octet_length({name}) = 0"))


def _on_uuid(attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return values(attribute.stored).map(lambda value: f"{name} = '{value}'")


def _on_anything(_attribute: Attribute, name: str) -> st.SearchStrategy[str]:
    return st.just(f"{name} IS NOT NULL")


_CONDITIONS: Final[dict[str, Callable[[Attribute, str], st.SearchStrategy[str]]]] = {
    "number": _on_number,
    "text": _on_text,
    "date": _on_moment,
    "datetime": _on_moment,
    "bool": _on_truth,
    "json": _on_document,
    "bytes": _on_bytes,
    "uuid": _on_uuid,
}

_COMPUTED: Final[dict[str, tuple[str, ...]]] = {
    "number": (
        "{0} + 1",
        "{0} * 2",
        "{0} - {1}",
        "{0} * {1}",
        "{0} / 4",
        "abs({0})",
        "floor({0})",
        "ceil({0})",
        "sign({0})",
        "round({0})",
        "greatest({0}, {1})",
        "least({0}, 1)",
        "coalesce({0}, {1})",
        "coalesce({0}, 0.5)",
        "nullif({0}, 1)",
        "-{0}",
        "CASE WHEN {0} > 1 THEN 'big' ELSE 'small' END",
        "CASE WHEN {0} > {1} THEN {0} ELSE {1} END",
        "if({0} > 1, 1, 2.5)",
        "({0})",
        "{0} > 1",
    ),
    "integer": ("{0} % 3", "mod({0}, 2)", "CAST({0} AS TEXT)", "power(2, {0} % 5)", "div({0}, 3)"),
    "text": (
        "upper({0})",
        "lower({0})",
        "trim({0})",
        "length({0})",
        "concat({0}, '-', {1})",
        "{0} || '%' || {1}",
        "substring({0}, 2)",
        "substring({0}, 1, 2)",
        "left({0}, 1)",
        "right({0}, 2)",
        "replace({0}, 'a', '\\')",
        "coalesce({0}, '')",
        "nullif({0}, 'a')",
        "greatest({0}, {1})",
        "({0})",
        "CASE WHEN {0} LIKE 'a%' THEN 1 ELSE 0 END",
        "{0} = {1}",
    ),
    "date": ("{0} + 1", "{0} - 1", "{0} - {1}", "year({0})", "month({0})", "coalesce({0}, {1})", "({0})"),
    "datetime": ("date({0})", "hour({0})", "minute({0})", "second({0})", "({0})"),
    "bool": ("NOT {0}", "{0} OR {1}", "if({0}, 'yes', 'no')", "({0})"),
    "bytes": ("octet_length({0})", "({0})"),
    "json": ("{0}->>'k'", "({0})"),
    "uuid": ("({0})",),
}
_SUMMARIES: Final[dict[str, tuple[str, ...]]] = {
    "number": (
        "sum({0})",
        "avg({0})",
        "min({0})",
        "max({0})",
        "sum({0}) / 2",
        "max({0}) - min({0})",
        "coalesce(sum({0}), 0)",
        "sum({0} > 1)",
        "std({0})",
        "variance({0})",
        "max({0} + 1)",
    ),
    "integer": ("group_concat({0})", "sum({0} % 2)", "bool_or({0} > 1)"),
    "text": ("min({0})", "max({0})", "group_concat({0})", "max(length({0}))", "max(upper({0}))"),
    "date": ("min({0})", "max({0})", "max({0}) - min({0})"),
    "datetime": ("min({0})", "max({0})"),
    "bool": ("sum({0})", "bool_and({0})", "bool_or({0})", "max({0})"),
}
_COUNTS: Final = ("count({0})", "count(*)", "count(distinct {0})", "count({0}) + 1", "count(*) > 1")


def expressions(heading: Heading) -> st.SearchStrategy[str]:
    """Computed attributes."""
    return _filled(heading, _COMPUTED, ("1", "'it''s'", "0.5", "NULL", "TRUE"))


def summaries(heading: Heading) -> st.SearchStrategy[str]:
    """Summaries of groups."""
    return _filled(heading, _SUMMARIES, ("count(*)",), _COUNTS)


@st.composite
def _filled(
    draw: st.DrawFn,
    heading: Heading,
    templates: dict[str, tuple[str, ...]],
    constants: tuple[str, ...],
    universal: tuple[str, ...] = (),
) -> Any:
    if not heading.names or draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from(constants))
    attribute = draw(st.sampled_from(heading.attributes))
    group = _group(attribute)
    options = (*templates.get(group, ()), *(universal if group != "json" else ()))
    if is_integer(attribute.stored):
        options += templates.get("integer", ())
    if not options:
        return draw(st.sampled_from(constants))
    twins = [a.name for a in heading if _group(a) == group]
    return draw(st.sampled_from(options)).format(f"`{attribute.name}`", f"`{draw(st.sampled_from(twins))}`")
