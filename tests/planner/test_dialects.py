"""What old pipelines write, in MySQL's dialect and PostgreSQL's, means what it says there."""

from typing import Any

import pytest

import djflow as dj
from djflow.planner.nodes import Scan
from djflow.planner.scalar import show
from djflow.planner.text import parse_condition, parse_expression
from djflow.tables.schema import Schema

Lab = dict[str, Scan]

# Every condition of DataJoint's documentation has one of these forms.
CONDITIONS = {
    "(subject > 0) AND (session < 100)": "subject > 0 AND session < 100",
    "subject=1": "subject = 1",
    'day > "2024-01-01"': "day > datetime.datetime(2024, 1, 1, 0, 0)",
    "day > '2024-1-1'": "day > datetime.datetime(2024, 1, 1, 0, 0)",
    "YEAR(day) = 2024": "year(day) = 2024",
    "duration BETWEEN 30 AND 60": "duration >= 30.0 AND duration <= 60.0",
    "notes != 'deprecated'": "notes <> 'deprecated'",
    "notes LIKE '%test%'": "notes LIKE '%test%'",
    "notes = 'C57BL/6'": "notes = 'C57BL/6'",
    "subject IN (1, 2, 3)": "subject IN (1, 2, 3)",
    "notes IS NOT NULL": "notes IS NOT NULL",
    "subject = 1 and not duration > 3": "subject = 1 AND NOT duration > 3.0",
    # MySQL
    "subject <=> NULL": "subject IS NULL",
    "subject <=> 1": "subject = 1 IS TRUE",
    "subject = 1 && session = 2": "subject = 1 AND session = 2",
    "subject DIV 2 = 1": "div(subject, 2) = 1",
    "subject MOD 2 = 1": "(subject % 2) = 1",
    "MOD(subject, 2) = 1": "(subject % 2) = 1",
    "subject = 0x1F": "subject = 31",
    "notes REGEXP '^a.*z$'": "notes LIKE 'a%z'",
    "notes NOT RLIKE 'a|b'": "NOT (notes LIKE '%a%' OR notes LIKE '%b%')",
    "IFNULL(notes, 'x') = 'x'": "coalesce(notes, 'x') = 'x'",
    "IF(subject > 1, 'a', 'b') = 'a'": "(CASE WHEN subject > 1 THEN 'a' ELSE 'b' END) = 'a'",
    "(subject, session) IN ((1, 2), (3, 4))": (
        "(subject = 1 AND session = 2) OR (subject = 3 AND session = 4)"
    ),
    "DATE(day) = CURDATE()": "date(day) = current_date(*)",
    "day > NOW() - INTERVAL 1 DAY": "day > _add_days(now(*), -1)",
    "DATE_SUB(day, INTERVAL 2 MONTH) < NOW()": "_add_months(day, -2) < now(*)",
    "DATEDIFF(NOW(), day) < 7": "datediff(now(*), day) < 7",
    "TIMESTAMPDIFF(HOUR, day, NOW()) < 7": "timestampdiff_hour(day, now(*)) < 7",
    "SUBSTRING(notes FROM 1 FOR 2) = 'ab'": "substring(notes, 1, 2) = 'ab'",
    "CAST(subject AS CHAR) = '1'": "CAST(subject AS varchar) = '1'",
    "JSON_VALUE(meta, '$.a.b') = 'x'": "meta.a.b = 'x'",
    "meta->>'$.a[0]' = 'x'": "meta.a.0 = 'x'",
    '"it""s" = notes': "notes = 'it\"s'",
    "\"it''s\" = notes": "notes = \"it''s\"",
    # PostgreSQL
    "subject::text = '1'": "CAST(subject AS varchar) = '1'",
    "notes ILIKE 'A%'": "notes ILIKE 'A%'",
    "notes ~ '^a'": "notes LIKE 'a%'",
    "notes !~* 'a'": "NOT notes ILIKE '%a%'",
    "EXTRACT(year FROM day) = 2024": "year(day) = 2024",
    "day::date - DATE '2024-01-01' > 3": "(CAST(day AS date) - datetime.date(2024, 1, 1)) > 3",
    "subject IS DISTINCT FROM session": (
        "NOT (subject = session IS TRUE OR (subject IS NULL AND session IS NULL))"
    ),
    "meta->'a'->>'b' = 1": "meta.a.b = 1",
    "meta->>'a.b' = 'x'": "meta.a.b = 'x'",
    "DATE_TRUNC('month', day) = '2024-01-01'": (
        "date_trunc_month(day) = datetime.datetime(2024, 1, 1, 0, 0)"
    ),
    "GREATEST(subject, 3) = 3": "greatest(subject, 3) = 3",
    "notes || '-' || subject = 'a-1'": "notes || '-' || CAST(subject AS varchar) = 'a-1'",
    "CASE subject WHEN 1 THEN 'a' END = 'a'": "(CASE WHEN subject = 1 THEN 'a' END) = 'a'",
    "day > TIMESTAMP '2024-01-01 10:00:00'": "day > datetime.datetime(2024, 1, 1, 10, 0)",
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions_of_both_dialects_are_read(text: str, lab: Lab) -> None:
    assert show(parse_condition(text, lab["session"].heading)) == CONDITIONS[text]


# Computed attributes and summaries of DataJoint's documentation.
EXPRESSIONS = [
    "DATEDIFF(CURDATE(), day)",
    "TIMESTAMPDIFF(YEAR, day, CURDATE())",
    "CONCAT(notes, ' ', notes)",
    'CONCAT(subject, "-", day)',
    "YEAR(day)",
    "MONTH(day)",
    "session - session % 10",
    "SUM(duration * session) / SUM(session)",
    "sum(CASE WHEN session THEN 1 ELSE 0 END)",
    "sum(session = 1)",
    "sum(notes = notes)",
    "SUM(notes='F')",
    "count(*)",
    "COUNT(notes)",
    "COUNT(DISTINCT notes)",
    "std(duration)",
    "MAX(session)",
    "group_concat(session)",
    "GROUP_CONCAT(notes SEPARATOR ';')",
    "STRING_AGG(notes, ',')",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_expressions_of_the_documentation_are_read(text: str, lab: Lab) -> None:
    assert show(parse_expression(text, lab["session"].heading))


# What each expression is on the server, over d = 2024-02-29, m = 2024-02-29 10:11:12.5, t = 'b,a', n = 7.
ANSWERS: dict[str, Any] = {
    "TIMESTAMPDIFF(YEAR, DATE '2023-03-01', d)": 0,
    "TIMESTAMPDIFF(YEAR, DATE '2023-02-28', d)": 1,
    "TIMESTAMPDIFF(MONTH, DATE '2024-01-31', d)": 0,
    "TIMESTAMPDIFF(MONTH, d, DATE '2024-01-29')": -1,
    "TIMESTAMPDIFF(SECOND, d, m)": 36672,
    "TIMESTAMPDIFF(HOUR, m, d)": -10,
    "TIMESTAMPDIFF(DAY, m, TIMESTAMP '2024-03-02 10:11:12')": 1,
    "DATEDIFF(m, '2024-02-27')": 2,
    "DAYOFWEEK(d)": 5,
    "WEEKDAY(d)": 3,
    "DAYOFYEAR(d)": 60,
    "QUARTER(m)": 1,
    "DATE_TRUNC('week', m)::text": "2024-02-26 00:00:00",
    "(d + INTERVAL 1 YEAR)::text": "2025-02-28",
    "(d - INTERVAL '1 day')::text": "2024-02-28",
    "(m + INTERVAL 2 HOUR)::text": "2024-02-29 12:11:12.5",
    "(d + INTERVAL 1 MINUTE)::text": "2024-02-29 00:01:00",
    "n DIV 2": 3,
    "-n DIV 2": -3,
    "n / 2": 3.5,
    "HOUR(d)": 0,
    "CAST(n AS DECIMAL(6,2))::text": "7.00",
    "n <=> NULL": False,
    "NULL <=> n": False,
    "t REGEXP ',a$'": True,
    "t REGEXP '^a|^b'": True,
    "CONCAT(t, NULL, n)": "b,a7",
    "t || n": "b,a7",
}


def test_expressions_mean_the_same_on_the_server(schema: Schema) -> None:
    @schema
    class Moment(dj.Manual):
        definition = "n : int32\n---\nd : date\nm : datetime\nt : varchar(10)"

    Moment().insert1({"n": 7, "d": "2024-02-29", "m": "2024-02-29 10:11:12.5", "t": "b,a"})
    names = {f"x{place}": text for place, text in enumerate(ANSWERS)}
    row = Moment().proj(**names).fetch1()
    assert {text: row[name] for name, text in names.items()} == ANSWERS


def test_a_separator_stands_between_the_texts_of_a_group(schema: Schema) -> None:
    @schema
    class Word(dj.Manual):
        definition = "n : int32\n---\nt : varchar(10)"

    Word().insert([(1, "b"), (2, "a"), (3, "it's")])
    summary = dj.U().aggr(Word(), x="GROUP_CONCAT(t SEPARATOR '; ')", y="STRING_AGG(t, ',')")
    assert summary.fetch1() == {"x": "a; b; it's", "y": "a,b,it's"}
