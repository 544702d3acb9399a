"""Users' strings become scalars, or are refused with the place and the reason."""

import pytest

from djflow.errors import DataTypeError, QuerySyntaxError, UnknownAttributeError
from djflow.planner.nodes import Scan
from djflow.planner.scalar import show
from djflow.planner.text import parse_condition, parse_expression

Lab = dict[str, Scan]

READ = {
    "subject = 5": "subject = 5",
    '`subject` > 5 AND notes = "x"': "subject > 5 AND notes = 'x'",
    "5 < subject": "subject > 5",
    "subject BETWEEN 1 AND 3": "subject >= 1 AND subject <= 3",
    "subject in (1, 2, 3)": "subject IN (1, 2, 3)",
    "subject NOT IN (1, 2)": "NOT subject IN (1, 2)",
    "notes LIKE 'a%'": "notes LIKE 'a%'",
    "notes NOT LIKE 'a%'": "NOT notes LIKE 'a%'",
    "NOT notes ILIKE 'a%'": "NOT notes ILIKE 'a%'",
    "subject NOT BETWEEN 1 AND 3": "NOT (subject >= 1 AND subject <= 3)",
    "notes IS NULL": "notes IS NULL",
    "NOT notes IS NULL": "notes IS NOT NULL",
    "(subject > 1) IS NOT TRUE": "NOT subject > 1 IS TRUE",
    "round(duration, 2) = 1": "round(duration, 2) = 1.0",
    "round(duration) = 1": "round(duration) = 1.0",
    "substring(notes, 1, 2) = 'ab'": "substring(notes, 1, 2) = 'ab'",
    "coalesce(notes, 'x') = 'x'": "coalesce(notes, 'x') = 'x'",
    "length(trim(notes)) > 1": "length(trim(notes)) > 1",
    "notes = 'it''s \\ here -- not a comment'": 'notes = "it\'s \\\\ here -- not a comment"',
    "YEAR(day) = 2024": "year(day) = 2024",
    "meta IS NOT NULL": "meta IS NOT NULL",
    "meta->>'k' = 'a'": "meta.k = 'a'",
    "duration = 0.1": "duration = 0.1",
    "DURATION > 1": "duration > 1.0",
    "day > '2024-01-31'": "day > datetime.datetime(2024, 1, 31, 0, 0)",
    "if(subject > 1, 2, 3) = 2": "(CASE WHEN subject > 1 THEN 2 ELSE 3 END) = 2",
    "-subject < 0": "(0 - subject) < 0",
    "subject": "subject <> 0",
    "true": "TRUE",
    "0": "FALSE",
}


@pytest.mark.parametrize("text", READ)
def test_habits_of_both_dialects_are_read(text: str, lab: Lab) -> None:
    assert show(parse_condition(text, lab["session"].heading)) == READ[text]


HOSTILE = [
    "subject = 1; DROP TABLE session",
    "1=1) OR (1=1",
    "subject = (SELECT 1)",
    "subject IN (SELECT 1)",
    "EXISTS (SELECT 1)",
    "pg_sleep(10) IS NULL",
    "lo_import('/etc/passwd') > 0",
    "pg_read_file('/etc/passwd') = 'x'",
    "subject = 1 -- and more",
    "subject /* hidden */ = 1",
    "subject = 1 GROUP BY subject",
    "subject = 1 UNION SELECT 2",
    "subject = 1 LIMIT 1",
    "subject = $1",
    "subject = ?",
    "lab.subject = 1",
    "notes = 'open",
    "notes",
    "",
    "notes = E'\\x41'",
    "current_setting('data_directory') = 'x'",
    "notes = 'a\0b' OR \0",
    "trim(both 'x' from notes) = 'a'",
    "notes LIKE 'a%' ESCAPE '!'",
    "notes SIMILAR TO 'a'",
    "subject BETWEEN SYMMETRIC 3 AND 1",
    "(notes).x = 1",
    "subject = ANY(ARRAY[1,2])",
    "notes COLLATE \"C\" = 'a'",
    "session = CURRVAL('x')",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_not_one_known_expression_is_refused(text: str, lab: Lab) -> None:
    with pytest.raises((QuerySyntaxError, UnknownAttributeError, DataTypeError)):
        parse_condition(text, lab["session"].heading)


def test_an_unknown_name_comes_with_a_suggestion(lab: Lab) -> None:
    with pytest.raises(UnknownAttributeError, match="Did you mean 'duration'"):
        parse_condition("durtion > 5", lab["session"].heading)


def test_a_value_that_its_column_cannot_hold_is_named(lab: Lab) -> None:
    with pytest.raises(DataTypeError, match=r"'day'.*Expected datetime, got 'monday'"):
        parse_condition("day = 'monday'", lab["session"].heading)


def test_a_syntax_error_shows_its_place(lab: Lab) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_condition("subject = = 1", lab["session"].heading)
    assert caught.value.position is not None
    assert str(caught.value).splitlines()[-1].strip() == "^"


def test_a_double_quoted_attribute_name_is_ambiguous(lab: Lab) -> None:
    with pytest.raises(QuerySyntaxError, match="could be the attribute or a text"):
        parse_condition('notes = "duration"', lab["session"].heading)


def test_text_and_numbers_do_not_compare(lab: Lab) -> None:
    with pytest.raises(QuerySyntaxError, match="Cannot compare"):
        parse_condition("notes > subject", lab["session"].heading)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("subject / 2", "float64"),
        ("subject + session", "int64"),
        ("subject % 2", "int64"),
        ("duration * 2", "float64"),
        ("count(*)", "int64"),
        ("avg(subject)", "float64"),
        ("sum(subject)", "int64"),
        ("max(day)", "datetime"),
        ("upper(notes)", "varchar"),
        ("day > '2024-01-01'", "bool"),
    ],
)
def test_results_have_known_types(text: str, type_: str, lab: Lab) -> None:
    from djflow.planner.scalar import type_of

    assert str(type_of(parse_expression(text, lab["session"].heading))) == type_
