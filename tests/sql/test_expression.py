import pytest
from inline_snapshot import snapshot

from djflow.errors import QuerySyntaxError
from djflow.sql.expression import checked_expression


@pytest.mark.parametrize(
    "text",
    [
        "lower(name)",
        "(a + b) * 2",
        "meta ->> 'k'",
        "meta #>> '{x,y}'",
        "coalesce(a, 0)",
        "a::text",
        "case when a then b end",
        "date_trunc('day', ts)",
        'name collate "C"',
        "a || ', (' || b",
        r"name ~ '\.\d'",
        "a in (1, 2)",
    ],
)
def test_one_expression_is_kept_verbatim_in_parentheses(text: str) -> None:
    assert checked_expression(text) == f"({text})"
    assert checked_expression(f"({text})") == f"({text})"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a, b",
        "(a, b)",
        "a) , (b",
        "lower(name) -- end",
        "lower(name) /* end */",
        "(select 1)",
        "exists (select 1)",
        "a in (select 1)",
        "a; drop table subject",
        "a;",
        "a as b",
        "a desc",
        "name text_pattern_ops",
        "*",
        "count(*)",
        "1 from subject",
        "a where b",
        "a union select 2",
        "a into b",
        "distinct a",
        "sum(a) over ()",
        r"E'\'' || a",
        "$$a$$",
        "$1",
        "%s",
        ":a",
        "?",
        "'open",
        'open"',
        "a\0",
        "a order by 1",
        "a limit 1",
    ],
)
def test_what_is_not_one_expression_is_refused(text: str) -> None:
    with pytest.raises(QuerySyntaxError):
        checked_expression(text)
    with pytest.raises(QuerySyntaxError):
        checked_expression(f"({text})")


def test_the_error_points_at_the_offending_place() -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        checked_expression("lower(name)) + (1")
    assert caught.value.position == 11
    assert str(caught.value) == snapshot("""\
The index expression cannot be understood.
  lower(name)) + (1
             ^\
""")
