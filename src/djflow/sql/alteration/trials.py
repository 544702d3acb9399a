"""Values converted one by one, where one that does not convert would end a query over all."""

from dataclasses import replace

from djflow.sql.alteration.question import Question
from djflow.sql.identifiers import literal, quote

_TRIAL = "pg_temp.djflow_trial"


def trial_function(question: Question) -> str:
    """The statement that makes a function of a value's text, to be rolled back after use.

    It gives null where the value does not convert at all, false where it does not come back the same.
    """
    trial = question.conversion
    assert trial is not None  # noqa: S101 - who asks has looked
    same = f"CAST(CAST(v AS {trial.before}) AS text)"
    body = (
        f"DECLARE w {trial.target};\n"
        "BEGIN\n"
        f"  BEGIN w := {trial.forth}; EXCEPTION WHEN OTHERS THEN RETURN NULL; END;\n"
        f"  BEGIN RETURN CAST({trial.back} AS text) IS NOT DISTINCT FROM {same};\n"
        "  EXCEPTION WHEN OTHERS THEN RETURN false; END;\n"
        "END"
    )
    return f"CREATE FUNCTION {_TRIAL}(v text) RETURNS boolean LANGUAGE plpgsql AS {literal(body)}"


def with_trial(question: Question) -> tuple[Question, Question]:
    """The questions of which values do not convert, and which change; they need `trial_function`."""
    assert question.conversion is not None  # noqa: S101 - who asks has looked
    column = f"t.{quote(question.conversion.column)}"
    tried = f"{_TRIAL}(CAST({column} AS text))"
    failing = replace(
        question,
        condition=f"{column} IS NOT NULL AND {tried} IS NULL",
        reason=f"have a value of {question.conversion.column!r} that is none of the new type",
        advice="Update them first, or choose a type that holds them.",
        loses=False,
        conversion=None,
    )
    changing = replace(question, condition=f"{column} IS NOT NULL AND NOT {tried}", conversion=None)
    return failing, changing
