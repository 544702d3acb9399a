"""What is no condition, expression or name is refused with a typed error, and nothing is sent."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.hostile.corpus import EXPRESSIONS, NAMES, REFUSED

import djflow as dj
from djflow.errors import (
    ConnectionFailedError,
    DataTypeError,
    DjflowError,
    QuerySyntaxError,
    UnknownAttributeError,
)

Pair = tuple[Any, Any]
UNDERSTOOD = (QuerySyntaxError, UnknownAttributeError, DataTypeError)
Understood = QuerySyntaxError | UnknownAttributeError | DataTypeError


def short(text: str) -> str:
    return ascii(text if len(text) < 50 else f"{text[:20]}~{len(text)}")


def refusal(table: Any, text: str) -> Understood:
    try:
        table & text
    except UNDERSTOOD as error:
        return error
    pytest.fail(f"{short(text)} was accepted")


def test_the_server_of_these_tests_cannot_be_reached(offline: Pair) -> None:
    with pytest.raises(ConnectionFailedError):
        len(offline[0] & "n = 1")


CONDITIONS: dict[str, Callable[[Any, str], Any]] = {
    "restriction": lambda table, text: table & text,
    "exclusion": lambda table, text: table - text,
    "any": lambda table, text: table & [text, "n = 1"],
    "all": lambda table, text: table & dj.AndList(["n = 1", text]),
    "not": lambda table, text: table & dj.Not(text),
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("place", CONDITIONS)
@pytest.mark.parametrize("text", REFUSED, ids=short)
def test_a_condition_that_is_none_is_refused(text: str, place: str, offline: Pair) -> None:
    with pytest.raises(UNDERSTOOD) as caught:
        CONDITIONS[place](offline[0], text).to_arrow()
    assert len(str(caught.value)) < len(text) + 2000 or len(text) < 2000


@pytest.mark.sampled(7)
@pytest.mark.parametrize("text", [text for text in REFUSED if text not in EXPRESSIONS], ids=short)
def test_an_expression_that_is_none_is_refused(text: str, offline: Pair) -> None:
    specimen, reading = offline
    if text.strip() and text.strip("()* ") not in specimen.heading.names:
        with pytest.raises(UNDERSTOOD):
            specimen.proj(x=text).to_arrow()
    with pytest.raises(DjflowError) as caught:
        specimen.aggr(reading.proj(..., v="value"), x=text).to_arrow()
    assert not isinstance(caught.value, ConnectionFailedError)


@pytest.mark.sampled(7)
@pytest.mark.parametrize("text", REFUSED, ids=short)
def test_a_refusal_says_where(text: str, offline: Pair) -> None:
    error = refusal(offline[0], text)
    assert error.text == text
    if error.position is not None:
        assert 0 <= error.position <= len(text)
        assert str(error).splitlines()[-1].strip() == "^" or error.position == 0


CHOSEN: dict[str, Callable[[Any, Any, str], Any]] = {
    "proj": lambda a, _b, name: a.proj(name),
    "proj without": lambda a, _b, name: a.proj(..., "-" + name),
    "order_by": lambda a, _b, name: a.to_arrow(order_by=name),
    "order_by, descending": lambda a, _b, name: a.to_arrow(order_by=f"{name} DESC"),
    "order_by, listed": lambda a, _b, name: a.to_arrow(order_by=["n", name]),
    "top": lambda a, _b, name: a & dj.Top(3, order_by=name),
    "to_arrays": lambda a, _b, name: a.to_arrays(name),
    "fetch1": lambda a, _b, name: a.fetch1(name),
    "aggr": lambda a, b, name: a.aggr(b, name, x="count(*)"),
    "U": lambda a, _b, name: dj.U(name) & a,
    "U.aggr": lambda a, _b, name: dj.U(name).aggr(a, x="count(*)"),
}
# In an order, a list of names and a name in quotes are attributes too.
_ORDERS = frozenset({"n, big", "n`"})


@pytest.mark.sampled(7)
@pytest.mark.parametrize("place", CHOSEN)
@pytest.mark.parametrize("name", NAMES, ids=short)
def test_a_name_that_no_attribute_has_is_refused(name: str, place: str, offline: Pair) -> None:
    if name in _ORDERS and ("order" in place or place == "top"):
        return
    with pytest.raises(DjflowError) as caught:
        _fetched(CHOSEN[place](*offline, name))
    assert not isinstance(caught.value, ConnectionFailedError), place


def _fetched(relation: Any) -> Any:
    return relation.to_arrow()


def test_an_unknown_name_shows_its_place_and_a_suggestion(offline: Pair) -> None:
    with pytest.raises(UnknownAttributeError, match="Did you mean 'big'") as caught:
        offline[0] & "n = 1 AND bigg > 2"
    assert caught.value.position == len("n = 1 AND ")
    assert str(caught.value).splitlines()[-2:] == ["  n = 1 AND bigg > 2", "            ^"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("n = 1 AND lowwer(t) = 'a'", 10),
        ("n = 1 AND (SELECT 1)", 11),
        ("n = 1 AND d = 'monday'", 10),
        ("n = 1 AND t = n", 10),
        ("n = 1 AND t", 10),
        ("n = 1 AND", 6),
        ("n = 1 -- no", 6),
        ("n = 1 AND\n t = $1", 15),
        ("n = 1 AND t = 'open", 14),
    ],
)
def test_the_caret_stands_below_what_is_wrong(text: str, place: int, offline: Pair) -> None:
    assert refusal(offline[0], text).position == place


def test_relations_that_do_not_fit_are_refused(offline: Pair) -> None:
    specimen, reading = offline
    misfits: list[Callable[[], Any]] = [
        lambda: specimen + reading,
        lambda: specimen * reading.proj(..., t="value"),
        lambda: specimen * reading.proj(big="reading"),
        lambda: specimen & reading.proj(big="reading"),
        lambda: specimen.proj(..., reading="big") * reading,
        lambda: specimen.proj(n="t"),
        lambda: specimen.proj(x="n", y="n"),
        lambda: specimen.proj("-n"),
        lambda: specimen * "reading",
        lambda: specimen + {"n": 1},
        lambda: specimen & 5,
        lambda: specimen & b"n = 1",
        lambda: specimen & {"d": "monday"},
        lambda: specimen & {"n": "1 OR 1=1"},
        lambda: specimen & {"n": ["1) OR (1=1"]},
        lambda: specimen & [{"n": "1; DROP TABLE specimen"}],
        lambda: specimen & {"t": "a\0b"},
        lambda: specimen & {"t": "\ud800"},
        lambda: specimen & {"j": {"k": "a\0b"}},
        lambda: specimen & {"j": float("nan")},
        lambda: specimen & {"n": 10**5000},
        lambda: specimen & {"u": "not a uuid"},
        lambda: specimen & dj.Top("1; DROP TABLE specimen"),  # type: ignore[arg-type]
        lambda: specimen & dj.Top(1, offset="1"),  # type: ignore[arg-type]
    ]
    for number, misfit in enumerate(misfits):
        with pytest.raises(DjflowError) as caught:
            misfit().to_arrow()
        assert not isinstance(caught.value, ConnectionFailedError), number
