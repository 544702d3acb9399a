"""What `explain()`, `make_sql()` and the looks of a relation tell people."""

import datetime as dt
import math
import re
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from uuid import UUID

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

import djflow as dj
from djflow.display.sheet import STYLE
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Empty
from djflow.planner.rewriter import optimise
from djflow.relation.explanation import Explanation
from djflow.relation.explanation.steps import Answer, answer_to
from djflow.relation.explanation.timings import timings_of
from djflow.relation.explanation.written import written

if TYPE_CHECKING:
    import psycopg

    from djflow.relation.relation import Relation

HOSTILE = """</pre><script>alert("1")</script> ' \\ $1 -- é
; DROP TABLE x;"""


def text_of(query: "Relation", lab: Any) -> str:
    """The explanation with a plain schema and without the optimised plan, which is the rules' affair."""
    text = str(query.explain()).replace(lab.schema.database, "lab")
    return re.sub(r"\n\nOptimised plan \(rules: .*?\n\n", "\n\n...\n\n", text, flags=re.DOTALL)


# text


def test_a_join_with_restrictions_is_explained(lab: Any) -> None:
    query = lab.Session * lab.Subject.proj("sex", "weight") & "duration > 60" & {"sex": "F"}
    assert text_of(query & "weight > 1.5", lab) == snapshot("""\
Logical plan
  Restrict: weight > Decimal('1.5')
    Restrict: sex = 'F'
      Restrict: duration > 60.0
        Join: subject
          Scan: lab.session
          Project: subject, sex, weight
            Scan: lab.subject

...

Server (ADBC)
  SELECT
    t1."subject" AS "subject", t1."session" AS "session", t1."duration" AS "duration",
    t1."mate" AS "mate", t2."sex"::text AS "sex", t2."weight"::text AS "weight"
  FROM "lab"."session" AS t1
    JOIN "lab"."subject" AS t2 ON t1."subject" = t2."subject"
  WHERE t1."duration" > $1::real
    AND t2."sex" = 'F'::"lab"."enum_e54fc739"
    AND t2."weight" > $2::numeric
    $1 = 60.0  (duration)
    $2 = '1.5'  (weight)

Local
  sort by subject, session, unless the rows arrive so\
""")


def test_an_aggregation_is_explained(lab: Any) -> None:
    assert text_of(lab.Session.aggr(lab.Trial, n="count(trial)"), lab) == snapshot("""\
Logical plan
  Aggregate by subject, session: n = count(trial)
    Project: subject, session
      Scan: lab.session
    Scan: lab.session__trial

...

Server (ADBC)
  SELECT
    t1."subject" AS "subject", t1."session" AS "session",
    coalesce(t4."s1", 0)::bigint AS "n"
  FROM "lab"."session" AS t1
    LEFT JOIN (
      SELECT t3."k1" AS "subject", t3."k2" AS "session", t3."s1" AS "s1"
      FROM (
        SELECT
          t2."subject" AS "k1", t2."session" AS "k2", count(t2."trial")::bigint AS "s1"
        FROM "lab"."session__trial" AS t2
        GROUP BY t2."subject", t2."session"
      ) AS t3
    ) AS t4 ON t1."subject" = t4."subject" AND t1."session" = t4."session"

Local
  sort by subject, session, unless the rows arrive so\
""")


def test_a_union_is_explained(lab: Any) -> None:
    query = (lab.Session & "duration > 60").proj() + (lab.Session & {"subject": 1}).proj("mate")
    assert text_of(query, lab) == snapshot("""\
Logical plan
  Union: subject, session
    Project: subject, session
      Restrict: duration > 60.0
        Scan: lab.session
    Project: subject, session, mate
      Restrict: subject = 1
        Scan: lab.session

...

Server (ADBC)
  SELECT
    coalesce(t2."subject", t4."subject") AS "subject",
    coalesce(t2."session", t4."session") AS "session", t4."mate" AS "mate"
  FROM (
    SELECT t1."subject" AS "subject", t1."session" AS "session"
    FROM "lab"."session" AS t1
    WHERE t1."duration" > $1::real
  ) AS t2
    FULL JOIN (
      SELECT t3."subject" AS "subject", t3."session" AS "session", t3."mate" AS "mate"
      FROM "lab"."session" AS t3
      WHERE t3."subject" = $2::bigint
    ) AS t4 ON t2."subject" = t4."subject" AND t2."session" = t4."session"
    $1 = 60.0  (duration)
    $2 = 1  (subject)

Local
  sort by subject, session, unless the rows arrive so\
""")


def test_a_top_is_explained(lab: Any) -> None:
    assert text_of(lab.Session & dj.Top(3, "duration DESC"), lab) == snapshot("""\
Logical plan
  Top: by duration DESC, subject, session limit 3
    Scan: lab.session

...

Server (psycopg)
  SELECT
    t1."subject" AS "subject", t1."session" AS "session", t1."duration" AS "duration",
    t1."mate" AS "mate"
  FROM "lab"."session" AS t1
  ORDER BY t1."duration" DESC, t1."subject", t1."session"
  LIMIT 3

Local
  nothing\
""")


def test_a_universal_set_is_explained(lab: Any) -> None:
    assert text_of(dj.U("sex") & lab.Subject, lab) == snapshot("""\
Logical plan
  Distinct
    Project: sex
      Scan: lab.subject

...

Server (ADBC)
  SELECT t2."sex"::text AS "sex"
  FROM (SELECT DISTINCT t1."sex" AS "sex" FROM "lab"."subject" AS t1) AS t2

Local
  sort by sex, unless the rows arrive so\
""")


def test_alternatives_show_the_relation_that_they_ask(lab: Any) -> None:
    assert text_of(lab.Session.proj() & ["session = 1", lab.Subject & {"sex": "F"}], lab) == snapshot("""\
Logical plan
  Restrict: session = 1 OR MATCHES(subject)
    Project: subject, session
      Scan: lab.session
    matching
      Restrict: sex = 'F'
        Scan: lab.subject

...

Server (ADBC)
  SELECT t1."subject" AS "subject", t1."session" AS "session"
  FROM "lab"."session" AS t1
  WHERE (
    t1."session" = $1::bigint
    OR EXISTS (
      SELECT 1 AS "n"
      FROM "lab"."subject" AS t2
      WHERE t2."sex" = 'F'::"lab"."enum_e54fc739"
        AND t2."subject" = t1."subject"
    )
  )
    $1 = 1  (session)

Local
  sort by subject, session, unless the rows arrive so\
""")


def test_steps_in_polars_are_explained_in_order(lab: Any) -> None:
    ranked = lab.Session.proj("duration") & (pl.col("duration").rank() > 2)
    assert text_of(ranked * lab.Subject.proj("weight") & "weight > 1", lab) == snapshot("""\
Logical plan
  Restrict: weight > 1
    Join: subject
      Restrict in Polars: [(col("duration").rank()) > (dyn int: 2)]
        Project: subject, session, duration
          Scan: lab.session
      Project: subject, weight
        Scan: lab.subject

...

Step 1: Server (ADBC)
  SELECT t1."subject" AS "subject", t1."session" AS "session", t1."duration" AS "duration"
  FROM "lab"."session" AS t1

Step 2: Polars
  Restrict in Polars: [(col("duration").rank()) > (dyn int: 2)]
    the rows of step 1

Step 3: Server
  SELECT
    t1."subject" AS "subject", t1."session" AS "session", t1."duration" AS "duration",
    t2."weight"::text AS "weight"
  FROM unnest($1::bigint[], $2::bigint[], $3::real[]) AS t1("subject", "session", "duration")
    JOIN "lab"."subject" AS t2 ON t1."subject" = t2."subject"
  WHERE t2."weight" > $4::bigint
    $1 = the rows of step 2  (subject)
    $2 = the rows of step 2  (session)
    $3 = the rows of step 2  (duration)
    $4 = 1  (weight)

Local
  sort by subject, session, unless the rows arrive so\
""")


def test_summaries_in_polars_read_both_sides(lab: Any) -> None:
    query = lab.Subject.aggr(lab.Session, skew=pl.col("duration").skew())
    places = [step.place for step in answer_to(query.logical_plan).steps]
    assert places == ["Server (ADBC)", "Server (ADBC)", "Polars"]


def test_the_optimised_plan_is_the_one_that_runs(lab: Any) -> None:
    query = lab.Session * lab.Subject & "duration > 60" & {"sex": "F"}
    rewritten = optimise(query.logical_plan)
    (plan,) = (text for title, text in query.explain().sections() if title.startswith("Optimised plan"))
    assert plan == show_plan(rewritten.plan)
    assert all(name in str(query.explain()) for name in rewritten.fired)


def test_rules_are_counted_in_the_order_in_which_they_first_fired(lab: Any) -> None:
    plan = Empty(lab.Subject.heading)
    answer = Answer(plan, plan, ("b", "a", "b"), answer_to(plan).steps)
    assert "Optimised plan (rules: b x2, a)" in str(Explanation(answer))


def test_values_are_cut_to_a_line_and_counted(lab: Any) -> None:
    text = str((lab.Subject & {"name": "x" * 200} & pl.DataFrame({"subject": range(1, 9)})).explain())
    assert "8 values: 1, 2, 3, 4, 5, ...  (subject)" in text
    assert "xxx...  (name)" in text
    assert max(map(len, text.splitlines())) < 160


def test_analysed_plans_have_times(lab: Any) -> None:
    text = str((lab.Session & "duration > 60").explain(analyze=True))
    assert "actual time" in text
    assert "Execution Time" in text
    staged = lab.Subject.aggr(lab.Session, skew=pl.col("duration").skew()).explain(analyze=True)
    assert [title for title, _ in staged.sections()][-2:] == ["PostgreSQL, step 1", "PostgreSQL, step 2"]
    assert str(staged).count("Execution Time") == 2


def test_times_of_nodes_are_read_from_the_analysed_plan() -> None:
    analysis = """\
Nested Loop  (cost=4.23..32.08 rows=2 width=265) (actual time=0.009..0.250 rows=6.00 loops=1)
  Buffers: shared hit=1
  ->  Seq Scan on "odd (cost=" t2  (cost=0.0..17.2 rows=1 width=193) (actual time=0.009..0.100 rows=2 loops=2)
        Filter: (weight > 1.5)
  ->  Bitmap Heap Scan on session t1  (cost=4.23..14.81 rows=3 width=14) (never executed)
        ->  Bitmap Index Scan on session_pkey  (cost=0.00..4.23 rows=10 width=0) (never executed)
Planning Time: 0.200 ms"""
    assert [(t.depth, t.node, t.milliseconds, t.rows) for t in timings_of(analysis)] == [
        (0, "Nested Loop", 0.25, 6),
        (1, 'Seq Scan on "odd (cost=" t2', 0.2, 4),
        (1, "Bitmap Heap Scan on session t1", 0.0, 0),
        (2, "Bitmap Index Scan on session_pkey", 0.0, 0),
    ]


# SQL to learn from

QUERIES: dict[str, Any] = {
    "everything": lambda lab: lab.Subject(),
    "text": lambda lab: lab.Subject & {"name": 'it\'s \\ "odd" é'},
    "date": lambda lab: lab.Subject & {"born": dt.date(2024, 2, 29)},
    "moment": lambda lab: lab.Subject & {"seen": dt.datetime(2024, 5, 6, 7, 8, 9, 123456)},
    "decimal": lambda lab: lab.Subject & {"weight": Decimal("1.500")},
    "uuid": lambda lab: lab.Subject & {"uid": UUID("12345678-1234-5678-1234-567812345678")},
    "enum": lambda lab: lab.Subject & [{"sex": "F"}, {"sex": "M"}],
    "bool": lambda lab: lab.Subject & {"alive": False},
    "json": lambda lab: lab.Subject & {"meta.age": 7},
    "bytes": lambda lab: lab.Subject & pl.DataFrame({"raw": [b"\x00\xff", b"'\\"]}),
    "null": lambda lab: lab.Subject & "weight is null" & "subject > -1",
    "infinite": lambda lab: lab.Trial & [{"rt": math.inf}, {"rt": math.nan}, {"rt": 0.5}],
    "computed": lambda lab: lab.Subject.proj(x="name || ' -- \\ '", y="subject - -1", z="weight * 1.50"),
    "keys": lambda lab: lab.Session & pl.DataFrame({"subject": [1, 2], "session": [0, 1]}),
    "names": lambda lab: lab.Subject & pl.DataFrame({"name": ["ann", "it's", "a\nb", "ben"]}),
    "frame": lambda lab: lab.Session.proj() * pl.DataFrame({"subject": [1, 3], "note": ['"', None]}),
    "join": lambda lab: lab.Session * lab.Subject & "duration > 60",
    "summaries": lambda lab: lab.Session.aggr(lab.Trial, n="count(trial)", m="avg(rt)"),
    "union": lambda lab: (lab.Session & "duration > 60").proj() + (lab.Session & {"session": 0}).proj("mate"),
    "top": lambda lab: lab.Session & dj.Top(3, "duration DESC"),
    "distinct": lambda lab: dj.U("sex", "alive") & lab.Subject,
    "nothing": lambda lab: lab.Subject & False,
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_the_sql_shown_gives_the_rows_of_the_relation(
    query: Any, lab: Any, connection: "psycopg.Connection[Any]"
) -> None:
    relation = query(lab)
    expected = [tuple(row.values()) for row in relation.to_dicts()]
    sql = relation.make_sql()
    found = connection.execute(sql).fetchall()
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert connection.execute(f"SELECT count(*) FROM ({sql}) AS q").fetchone() == (len(relation),)


SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double precision": st.floats(),
    "boolean": st.booleans(),
    "bytea": st.binary(),
}


def typed(kind: str) -> st.SearchStrategy[tuple[Any, str]]:
    return st.tuples(st.none() | SCALARS[kind], st.just(kind))


def arrays(kind: str) -> st.SearchStrategy[tuple[list[Any], str]]:
    return st.tuples(st.lists(st.none() | SCALARS[kind]), st.just(kind))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(values=st.lists(st.sampled_from([*SCALARS]).flatmap(typed), max_size=8))
def test_a_value_written_in_is_the_value(
    values: list[tuple[Any, str]], connection: "psycopg.Connection[Any]"
) -> None:
    columns = ", ".join(["1", *(f"{written(value)}::{kind}" for value, kind in values)])
    for setting in ("on", "off"):
        connection.execute(f"SET standard_conforming_strings = {setting}")
        found = connection.execute(f"SELECT {columns}").fetchone()
        assert repr(found) == repr((1, *(value for value, _ in values)))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(array=st.sampled_from([*SCALARS]).flatmap(arrays))
def test_an_array_written_in_is_the_array(
    array: tuple[list[Any], str], connection: "psycopg.Connection[Any]"
) -> None:
    values, kind = array
    for form in (values, values * 50):
        found = connection.execute(f"SELECT {written(form)}::{kind}[], 1").fetchone()
        assert repr(found) == repr((form, 1))
        assert written(pa.array(form)) == written(form)


def test_the_sql_of_a_staged_plan_says_what_polars_does_and_runs(
    lab: Any, connection: "psycopg.Connection[Any]"
) -> None:
    query = lab.Session & (pl.col("duration").rank() > pl.lit(HOSTILE).str.len_bytes()).alias(
        "a\nDROP TABLE b"
    )
    sql = query.make_sql()
    assert "-- Then Polars: Restrict in Polars" in sql
    assert all(line.startswith("-- ") for line in sql.split("\n-- Then", 1)[1].splitlines()[1:])
    assert len(connection.execute(sql).fetchall()) == 9


# HTML


class Balanced(HTMLParser):
    """Fails on tags that do not match, and on any that could run or load something."""

    ALLOWED = frozenset(
        "b br code details div li pre small span style summary table tbody td th thead tr ul".split()  # noqa: SIM905
    )

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.ALLOWED
        assert {name for name, _ in attrs} <= {"class", "style", "title", "open"}
        if tag != "br":
            self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["style"]:
            assert data == STYLE
        else:
            self.text += data


def parsed(page: str) -> str:
    """The text of a page that is sound."""
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert not parser.tags
    return parser.text


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_pages_are_balanced(query: Any, lab: Any) -> None:
    text = parsed(query(lab).explain()._repr_html_())
    for part in ("as written", "optimised", "SELECT", "Local"):
        assert part in text


def test_the_page_of_an_analysed_query_has_its_nodes_and_times(lab: Any) -> None:
    staged = lab.Subject.aggr(lab.Session & "duration > 60", skew=pl.col("duration").skew())
    text = parsed(staged.explain(analyze=True)._repr_html_())
    assert "Seq Scan on session t1" in text
    assert "PostgreSQL, step 2" in text
    assert "Aggregate in Polars by subject" in text


def test_hostile_names_and_values_are_text_in_pages(lab: Any) -> None:
    name = '<img src=x onerror="alert(1)">'
    frame = pl.DataFrame({"subject": [1], name: ["</td><script>"]})
    query = lab.Subject.proj("name") * frame & {"name": HOSTILE}
    assert "<script>alert" in parsed(query.explain(analyze=True)._repr_html_())
    local = lab.Subject & (pl.col("name") == pl.lit(HOSTILE)).over("subject")
    parsed(local.explain(analyze=True)._repr_html_())
    assert name in parsed((lab.Subject.proj("name") * frame)._repr_html_())


# relations


def test_a_preview_of_polars_expressions_has_their_rows(lab: Any) -> None:
    query = lab.Session.proj(r=pl.col("duration").rank()) & {"subject": 1}
    assert "(3 rows)" in query.preview()
    assert parsed(query._repr_html_()).endswith("(3 rows)")


def test_a_relation_without_attributes_counts_its_rows(lab: Any) -> None:
    assert repr(dj.U() & lab.Subject) == "(1 row without attributes)"
    assert parsed((dj.U() & lab.Subject)._repr_html_()) == "(1 row without attributes)"
    assert repr(dj.U() & (lab.Subject & False)) == "(0 rows without attributes)"


def test_wide_relations_show_what_fits_and_name_the_rest(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = lab.Subject.proj(**{f"a{n}": f"subject + {n}" for n in range(40)})
    monkeypatch.setenv("COLUMNS", "80")
    text = wide.preview()
    assert max(map(len, text.splitlines()[:-1])) <= 80
    assert re.search(r"\(3 rows\) and \d+ more attributes: a\d+, ", text)
    assert parsed(wide._repr_html_()).endswith(
        "(3 rows) and 11 more attributes: a29, a30, a31, a32, a33, ..."
    )
    monkeypatch.setenv("COLUMNS", "3")
    assert "*subject" in wide.preview()


def test_long_values_are_cut(lab: Any) -> None:
    long = lab.Subject.proj(text=f"'{'<' * 5000}'") & {"subject": 1}
    assert max(map(len, long.preview().splitlines())) < 90
    assert parsed(long._repr_html_()).endswith(f"{'<' * 79}…(1 row)")
