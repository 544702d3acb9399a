"""SQL laid out for people means what it meant."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.sql.layout import laid_out
from djflow.sql.select import Select, print_pretty, print_select
from djflow.sql.tokens import tokens_of

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
QUOTED = re.compile(r"""("(?:[^"]|"")*"|E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')""", re.DOTALL)


def without_space(sql: str) -> str:
    """The text without white space, but for what is in quotes."""
    pieces = QUOTED.split(sql)
    return "".join(p if number % 2 else "".join(p.split()) for number, p in enumerate(pieces))


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


ATOMS = st.one_of(
    NAMES.map(quoted),
    NAMES.map(literal),
    NAMES.map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.integers(1, 99).map(lambda number: f"${number}::bigint"),
    st.sampled_from(
        ["TRUE", "NULL::text", "count(*)", "t1.x IS DISTINCT FROM t2.y", "ARRAY[1, 2]::bigint[]"]
    ),
    st.sampled_from(["FROM", "AND", "a BETWEEN 1 AND 2", "left(b, 1)", "LEFT JOIN", "WITH", ")", "(", "]"]),
)


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, min_size=1, max_size=5)
    return st.one_of(
        several.map(lambda items: f"({' AND '.join(items)})"),
        several.map(lambda items: f"f({', '.join(items)})"),
        several.map(lambda items: f"(CASE WHEN {' OR '.join(items)} THEN 1 END)"),
        st.tuples(several, inner).map(
            lambda both: (
                f'EXISTS (SELECT {", ".join(both[0])} FROM "a" AS t1 JOIN (b) ON TRUE WHERE {both[1]})'
            )
        ),
    )


@given(st.recursive(ATOMS, compound, max_leaves=30))
def test_layout_changes_white_space_alone_and_settles_at_once(fragment: str) -> None:
    sql = f'SELECT {fragment} AS "x" FROM {fragment} AS t WHERE {fragment} ORDER BY {fragment}'
    shown = laid_out(sql)
    assert without_space(shown) == without_space(sql)
    assert laid_out(shown) == shown


@given(st.recursive(ATOMS, compound, max_leaves=20))
def test_layout_keeps_every_token(fragment: str) -> None:
    assert [t.text for t in tokens_of(laid_out(fragment))] == [t.text for t in tokens_of(fragment)]


def test_a_short_statement_has_a_clause_a_line() -> None:
    select = Select((('t1."n"', "n"),), '"lab"."a" AS t1', ('t1."n" > $1::bigint',), limit=3)
    assert print_pretty(select) == snapshot("""\
SELECT t1."n" AS "n"
FROM "lab"."a" AS t1
WHERE t1."n" > $1::bigint
LIMIT 3\
""")


def test_joins_subqueries_lists_and_conditions_are_broken_where_they_are_long() -> None:
    groups = print_select(
        Select(
            (('t2."subject"', "k1"), ('t2."session"', "k2"), ('count(t2."trial")', "s1")),
            '"lab"."session__trial" AS t2',
            ('t2."a" IS DISTINCT FROM t2."b"',),
            ('t2."subject"', 't2."session"'),
        )
    )
    found = 'SELECT 1 AS "n" FROM "lab"."subject" AS t4 WHERE t4."subject" = t1."subject"'
    case = '(CASE WHEN t1."a" AND t1."b" THEN t1."c" END)'
    select = Select(
        tuple((f't1."attribute_{n}"', f"attribute_{n}") for n in range(4)),
        f'"lab"."session" AS t1 LEFT JOIN ({groups}) AS t3 ON t3."k1" = t1."subject"',
        (
            f'EXISTS ({found} AND t4."sex"::text = $1::text)',
            f'(t1."duration" > $2::double precision OR t1."duration" IS NULL OR {case}::boolean)',
            't1."day" BETWEEN $3::date AND $4::date',
        ),
        order_by=('t1."subject" COLLATE "C" DESC NULLS LAST',),
    )
    assert print_pretty(select) == snapshot("""\
SELECT
  t1."attribute_0" AS "attribute_0", t1."attribute_1" AS "attribute_1",
  t1."attribute_2" AS "attribute_2", t1."attribute_3" AS "attribute_3"
FROM "lab"."session" AS t1
  LEFT JOIN (
    SELECT t2."subject" AS "k1", t2."session" AS "k2", count(t2."trial") AS "s1"
    FROM "lab"."session__trial" AS t2
    WHERE t2."a" IS DISTINCT FROM t2."b"
    GROUP BY t2."subject", t2."session"
  ) AS t3 ON t3."k1" = t1."subject"
WHERE EXISTS (
  SELECT 1 AS "n"
  FROM "lab"."subject" AS t4
  WHERE t4."subject" = t1."subject" AND t4."sex"::text = $1::text
)
  AND (
    t1."duration" > $2::double precision
    OR t1."duration" IS NULL
    OR (CASE WHEN t1."a" AND t1."b" THEN t1."c" END)::boolean
  )
  AND t1."day" BETWEEN $3::date AND $4::date
ORDER BY t1."subject" COLLATE "C" DESC NULLS LAST\
""")


def test_common_subqueries_stand_on_top() -> None:
    rows = 'SELECT t1."subject" AS "subject" FROM "lab"."subject" AS t1 WHERE t1."name" = $1::text'
    sql = f'WITH "c1" AS MATERIALIZED ({rows}), "c2" AS (SELECT 1) SELECT count(*) AS "n" FROM "c1", "c2"'
    assert laid_out(sql) == snapshot("""\
WITH "c1" AS MATERIALIZED (
  SELECT t1."subject" AS "subject"
  FROM "lab"."subject" AS t1
  WHERE t1."name" = $1::text
),
"c2" AS (SELECT 1)
SELECT count(*) AS "n"
FROM "c1", "c2"\
""")


@pytest.mark.parametrize(
    "sql", ["", ")", "((", "SELECT", "SELECT DISTINCT", 'x = ANY($1::"odd (type"[])', "'"]
)
def test_layout_takes_any_text(sql: str) -> None:
    assert without_space(laid_out(sql)) == without_space(sql)
