"""Any text is a condition or a typed error, and a condition is one that the server understands too.

`DJFLOW_TEST_EXAMPLES` sets how many texts are tried.
"""

import os
import random
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hostile.corpus import REFUSED

from djflow.errors import DataTypeError, QueryError, QuerySyntaxError, UnknownAttributeError
from djflow.planner.calls import known_functions
from djflow.planner.text import parse_condition, parse_expression

Pair = tuple[Any, Any]
EXAMPLES = int(os.environ.get("DJFLOW_TEST_EXAMPLES", "300"))
UNDERSTOOD = (QuerySyntaxError, UnknownAttributeError, DataTypeError)
COLUMNS = ("n", "big", "f", "r", "w", "t", "c", "e", "b", "d", "m", "m3", "u", "j", "raw")
CONSTANTS = (
    *("0", "1", "2.5", "1e3", "-1", "99999999999", "0x1F", "'a'", "'M'", "'1'", '"b"', "'2024-01-31'"),
    *("DATE '2024-01-31'", "TIMESTAMP '2024-01-31 10:00:00'", "NULL", "TRUE", "FALSE", "CURRENT_DATE"),
    *("NOW()", "j->>'k'", "j->'a'->>'b'", "j->>0", "''", "'it''s'", "'%a_'"),
)
VALID = (
    *("n = 1", "n <=> NULL", "n IS DISTINCT FROM big", "t LIKE 'a%'", "t NOT LIKE '%b'", "e = 'M'", "b"),
    *("n BETWEEN 1 AND 3", "w > 0.1", "f = 0.1", "r < 1e3", "n IN (1, 2, 3)", "(n, t) IN ((1, 'a'))"),
    *("d > '2024-01-01'", "YEAR(d) = 2024", "d + INTERVAL 1 DAY > m", "DATEDIFF(NOW(), d) > 3"),
    *("TIMESTAMPDIFF(MONTH, d, m) > 1", "DATE_TRUNC('month', m) = d", "EXTRACT(year FROM m3) = 2024"),
    *("CASE WHEN b THEN n ELSE big END = 1", "IF(b, t, c) = 'a'", "IFNULL(t, 'x') = 'x'", "n DIV 2 = 1"),
    *("t REGEXP '^a|b$'", "t !~* 'x'", "CONCAT(n, '-', d) = 'x'", "n % 2 = 1", "CAST(n AS CHAR) = '1'"),
    *("u IS NOT NULL", "u LIKE 'a%'", "j->>'k' = 1", "j IS NULL", "octet_length(raw) > 1", "t || c = 'a'"),
    *("round(w, 1) = 2.5", "greatest(n, f) > least(w, 1)", "d - DATE '2024-01-01' > 3", "n <> 0 IS TRUE"),
    *("b::int = 1", "f::bigint = 1", "m::date = d", "hour(d) = 0", "SUBSTRING(t FROM 1 FOR 2) = 'ab'"),
)
PIECES = (
    *COLUMNS,
    *CONSTANTS,
    *(f"{name}(" for name in known_functions()),
    *("(", ")", ",", "+", "-", "*", "/", "%", "=", "<>", "<", ">=", "<=>", "||", "&&", "::int", "::text"),
    *("AND", "OR", "NOT", "IS", "NULL", "LIKE", "ILIKE", "IN (", "BETWEEN", "CASE WHEN", "THEN", "ELSE"),
    *("END", "DIV", "MOD", "REGEXP", "INTERVAL 1 DAY", "DISTINCT", "FROM", "SELECT", ";", "--", "?", "`"),
    *("'", '"', "CAST(", "AS", "->>", ".", "[", "{", "$1", ":x", "\\", "\0", "é", "\u202e", "OVER ()"),
)


def operands(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Well-formed expressions over smaller ones, of whatever types."""
    operator = st.sampled_from(
        ["+", "-", "*", "/", "%", "||", "=", "<>", "<", ">=", "<=>", "DIV", "AND", "OR"]
    )
    name = st.sampled_from([*known_functions(), "if", "ifnull", "isnull", "mod", "log10", "date_add"])
    cast = st.sampled_from(["int", "bigint", "text", "date", "timestamp", "bool", "float", "decimal(9,2)"])
    return st.one_of(
        st.builds("({} {} {})".format, inner, operator, inner),
        st.builds("{}({})".format, name, st.lists(inner, max_size=3).map(", ".join)),
        st.builds("({})::{}".format, inner, cast),
        st.builds("({}) IN ({}, {})".format, inner, inner, inner),
        st.builds("({}) BETWEEN ({}) AND ({})".format, inner, inner, inner),
        st.builds("(({}) {} NULL)".format, inner, st.sampled_from(["IS", "IS NOT"])),
        st.builds("(({}) {} ({}))".format, inner, st.sampled_from(["LIKE", "NOT ILIKE"]), inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, inner, inner, inner),
        st.builds("CASE {} WHEN {} THEN {} END".format, inner, inner, inner),
        st.builds("(NOT ({}))".format, inner),
        st.builds("(-({}))".format, inner),
        st.builds("(({}) + INTERVAL 2 {})".format, inner, st.sampled_from(["DAY", "MONTH", "HOUR"])),
        st.builds("DATE_TRUNC('week', {})".format, inner),
        st.builds("TIMESTAMPDIFF(YEAR, {}, {})".format, inner, inner),
        st.builds("EXTRACT(month FROM {})".format, inner),
    )


leaves = st.sampled_from([*COLUMNS, *COLUMNS, *CONSTANTS])
well_formed = st.recursive(leaves, operands, max_leaves=5)


def mutated(text: str, seed: int) -> str:
    """A text with a piece taken out, doubled, replaced or put in."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    words = text.split(" ")
    place = chance.randrange(len(words))
    piece = chance.choice(PIECES)
    words[place : place + chance.choice([0, 1])] = chance.choice([[], [piece], [words[place], piece]])
    return " ".join(words)


texts = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join),
    st.builds(mutated, st.sampled_from(VALID), st.integers()),
    st.builds(mutated, st.sampled_from([text for text in REFUSED if len(text) < 100]), st.integers()),
    st.text(max_size=30),
    well_formed,
)
conditions = st.one_of(
    well_formed,
    st.builds("({}) = ({})".format, well_formed, well_formed),
    st.builds(mutated, st.sampled_from(VALID), st.integers()),
    st.sampled_from(VALID),
)
slowly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@slowly
@given(text=texts)
def test_any_text_is_understood_or_refused(offline: Pair, text: str) -> None:
    for parse in (parse_condition, parse_expression):
        with suppress(*UNDERSTOOD):
            parse(text, offline[0].heading)


def test_the_valid_conditions_of_these_tests_are_accepted(offline: Pair) -> None:
    for text in VALID:
        parse_condition(text, offline[0].heading)


@slowly
@given(text=conditions)
def test_what_is_accepted_the_server_understands(online: Pair, text: str) -> None:
    specimen = online[0]
    _fill(specimen)
    try:
        wanted = specimen & text
    except UNDERSTOOD:
        return
    _run(wanted, text)


@slowly
@given(text=conditions, name=st.sampled_from(["sum", "avg", "min", "max", "count", "group_concat", "std"]))
def test_accepted_expressions_and_summaries_the_server_understands(
    online: Pair, text: str, name: str
) -> None:
    import djflow as dj

    specimen = online[0]
    _fill(specimen)
    refused: list[QueryError] = []
    for make in (
        lambda: specimen.proj(x=text),
        lambda: dj.U().aggr(specimen, x=f"{name}({text})"),
        lambda: dj.U("e").aggr(specimen, x=f"{name}({text})"),
    ):
        try:
            wanted = make()
        except QueryError as error:
            refused.append(error)
            continue
        _run(wanted, text)
    assert all(error.sqlstate is None for error in refused)


def _run(wanted: Any, text: str) -> None:
    """A value may be out of range or not a number; what was sent must not be wrong as SQL."""
    try:
        wanted.to_arrow()
    except QueryError as error:
        state = error.sqlstate or _state(wanted)
        assert not state.startswith("42"), (text, wanted.make_sql())


def _state(wanted: Any) -> str:
    """The code that a streamed failure lacks."""
    with pytest.raises(QueryError) as caught:
        wanted.connection.query(wanted.make_sql())
    return caught.value.sqlstate or "42"


def _fill(specimen: Any) -> None:
    if not len(specimen):
        row = {"n": 1, "big": 2, "f": 0.5, "r": 0.25, "w": "1.125", "t": "ab", "d": "2024-02-29", "raw": b"x"}
        times = {"m": "2024-02-29 10:11:12.5", "m3": "2024-02-29 10:11:12.5"}
        more = {"u": "12345678-1234-5678-1234-567812345678", "j": {"k": 1, "a": {"b": "c"}}}
        specimen().insert([row | times | more, {"n": 2, "t": "", "b": False, "e": "F"}])
