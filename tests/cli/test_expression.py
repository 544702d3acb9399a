"""Queries as text: what is allowed means what it means in Python, and nothing else does anything."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djflow as dj
from djflow.cli.expression import parsed
from djflow.errors import DjflowError, InvalidArgumentError, QuerySyntaxError
from djflow.relation.relation import Relation

schema = dj.Schema("expressions_in_text")


@schema
class Subject(dj.Manual):
    definition = """
    subject : int32
    ---
    sex : varchar(1)
    """


@schema
class Session(dj.Manual):
    definition = """
    -> Subject
    session : int32
    ---
    duration : float64
    """


TABLES: dict[str, Any] = {"Subject": Subject(), "Session": Session(), "lab.Session": Session()}


def lookup(name: str) -> Any:
    try:
        return TABLES[name]
    except KeyError:
        raise InvalidArgumentError(f"There is no table {name!r}.") from None


@pytest.mark.parametrize(
    "text",
    [
        "Session",
        " lab.Session\n",
        "Session & 'duration > 60'",
        "Session & {'subject': 3} & [\"duration > 1\", {'session': -1}]",
        "Session - Subject & 'duration > 60'",
        "Session * Subject.proj('sex')",
        "Session.proj(..., minutes='duration / 60')",
        "Subject.aggr(Session, ..., n='count(*)')",
        "Session & Top(3, ['duration DESC', 'KEY'])",
        "dj.U('sex').aggr(Subject, n='count(*)')",
        "U('sex') & Subject",
        "Session & Not(AndList(['duration > 1', Subject]))",
        "Subject.extend(Subject.proj(s='sex'), semantic_check=False)",
    ],
)
def test_an_expression_means_what_it_means_in_python(text: str) -> None:
    lab = SimpleNamespace(Session=Session())
    made = {name: getattr(dj, name) for name in ("Top", "U", "Not", "AndList")}
    meant = eval(text.strip(), {}, {**TABLES, **made, "lab": lab, "dj": dj})  # noqa: S307 - to compare with
    assert parsed(text, lookup).logical_plan == meant.logical_plan


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("Session & duration > 60", ">", "A condition is a text"),
        ("Session | Subject", "|", "Any of several conditions is a list"),
        ("Session and Subject", "and", "Write A & 'x > 1'"),
        ("not Session", "not", "Write A - condition"),
        ("Session & [s for s in Subject]", "[", "has no place here"),
        ("Session['duration']", "Session[", "Write lab.Session"),
        ("Subject & f'{1}'", "f'", "Write the values"),
        ("lambda: Session", "lambda", "has no place here"),
        ("(x := Session)", "x :=", "has no place here"),
        ("__import__('os').system('true')", "__import__", "cannot be called"),
        ("Session.fetch1()", "Session", "cannot be called"),
        ("Session.proj.__globals__", "Session", None),
        ("Session.proj().__class__", "Session", "not one of its methods"),
        ("Session & Top(1)(2)", "Top", "cannot be called"),
        ("Session & Top(limit=1, by=2)", "Top", "not its arguments"),
        ("Session.proj(**{'a': 'b'})", "{", "Name each argument"),
        ("Session.proj(*['a'])", "*", "has no place here"),
        ("Session & {**{'a': 1}}", "{**", "names of attributes"),
        ("Session & {1: 2}", "1:", "names of attributes"),
        ("'é' & Session.x[0]", "Session", "Write lab.Session"),
        ("'a'.join(Session)", "'a'", "neither a table nor a query"),
        ("Session & -'a'", "-'a'", "has no place here"),
        ("Session & b'a'", "b'", "has no place here"),
        ("Session & 1j", "1j", "has no place here"),
        ("Session & (", "(", "This is no query"),
        ("Session Subject", None, "This is no query"),
        ("", None, "This is no query"),
        ("'a' & 'b'", "&", "On the left"),
    ],
)
def test_anything_else_is_refused_at_its_place(text: str, at: str | None, told: str | None) -> None:
    with pytest.raises((QuerySyntaxError, InvalidArgumentError)) as caught:
        parsed(text, lookup)
    if told is not None:
        assert told in str(caught.value)
    if at is not None and isinstance(caught.value, QuerySyntaxError):
        assert caught.value.position == text.index(at)


def test_a_name_that_is_unknown_is_pointed_at() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parsed("Session & Subjcet", lookup)
    assert caught.value.__notes__ == ["Session & Subjcet\n            ^"]


def test_expressions_that_are_too_large_are_refused() -> None:
    for text in (
        "(" * 1000,
        "[" * 150 + "]" * 150,
        "-".join(["Session"] * 70_000),
        " & ".join(["Session"] * 90),
    ):
        with pytest.raises(QuerySyntaxError):
            parsed(text, lookup)


_PIECES = st.sampled_from(
    [
        *(
            "Session",
            "Subject",
            "Top",
            "U",
            "dj",
            ".",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "=",
            "...",
            "*",
        ),
        *(
            "&",
            "-",
            "+",
            "|",
            "'sex'",
            "'duration > 1'",
            "1",
            "None",
            "proj",
            "aggr",
            "lambda",
            "if",
            "\n",
            " ",
        ),
        *("__class__", "open", "eval", "import os", "f'", "@", "~", "**", "<<", ">>", "é", "\0", "\\"),
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join) | st.text(max_size=20))
def test_whatever_is_typed_gives_a_query_or_an_error_of_ours(text: str) -> None:
    try:
        value = parsed(text, lookup)
    except DjflowError:
        return
    assert isinstance(
        value, Relation | dj.U | dj.Top | str | int | float | list | tuple | dict | type(...) | None
    )


@pytest.mark.parametrize("text", ["'a' * 9999999999", "1 << -1", "1 << 20000", "2 - 1"])
def test_nothing_is_computed_that_is_no_query(text: str) -> None:
    with pytest.raises(QuerySyntaxError, match="On the left there must be a table or a query"):
        parsed(text, lookup)
