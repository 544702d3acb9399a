"""Headings, primary keys and lineage of each operator's result."""

import pytest

from djflow.errors import QueryError, QuerySyntaxError, SemanticMatchError, UnknownAttributeError
from djflow.planner import analyze
from djflow.planner.nodes import Node, Scan
from djflow.planner.scalar import show

Lab = dict[str, Scan]


def described(node: Node) -> str:
    return ", ".join(f"{'*' if a.in_key else ''}{a.name}{'?' if a.nullable else ''}" for a in node.heading)


def test_a_join_with_a_child_has_the_childs_key_and_order(lab: Lab) -> None:
    joined = analyze.join(lab["subject"], lab["trial"])
    assert described(joined) == "*subject, *session, *trial, rt?, sex, born, weight?"


def test_a_join_of_unrelated_tables_has_both_keys(lab: Lab) -> None:
    assert described(analyze.join(lab["trial"], analyze.project(lab["rig"], (), {}))) == (
        "*subject, *session, *trial, *rig, rt?"
    )


def test_namesakes_of_different_origin_do_not_match(lab: Lab) -> None:
    with pytest.raises(SemanticMatchError, match=r"notes.*no lineage of their own"):
        analyze.join(lab["session"], lab["rig"])
    with pytest.raises(SemanticMatchError):
        analyze.semi_join(lab["session"], lab["rig"])


def test_the_lineage_check_can_be_waived(lab: Lab) -> None:
    joined = analyze.join(lab["session"], lab["rig"], semantic_check=False)
    assert joined.heading.primary_key == ("subject", "session", "rig")


def test_a_renamed_attribute_keeps_its_lineage_and_its_place_in_the_key(lab: Lab) -> None:
    renamed = analyze.project(lab["session"], (), {"mouse": "subject"})
    assert described(renamed) == "*mouse, *session"
    assert renamed.heading["mouse"].lineage == "lab.subject.subject"


def test_a_projection_keeps_renames_duplicates_and_computes(lab: Lab) -> None:
    made = analyze.project(lab["session"], ("notes",), {"d2": "(duration)", "hours": "duration / 60"})
    assert described(made) == "*subject, *session, notes, d2, hours"


def test_everything_but_some(lab: Lab) -> None:
    chosen = analyze.project(lab["session"], (..., "-trace", "-meta"), {})
    assert described(chosen) == "*subject, *session, duration, day, notes"


@pytest.mark.parametrize(
    ("names", "named", "error"),
    [
        (("ntes",), {}, UnknownAttributeError),
        ((..., "-subject"), {}, QueryError),
        ((), {"a": "notes", "b": "notes"}, QueryError),
        (("notes",), {"notes": "duration"}, QueryError),
        ((), {"n": "count(*)"}, QuerySyntaxError),
        ((), {"n": "nosuch + 1"}, UnknownAttributeError),
    ],
)
def test_impossible_projections_are_errors(
    names: tuple[str, ...], named: dict[str, str], error: type[Exception], lab: Lab
) -> None:
    with pytest.raises(error):
        analyze.project(lab["session"], names, named)


def test_an_aggregation_keeps_the_groups_key(lab: Lab) -> None:
    summary = analyze.aggregate(
        lab["session"], lab["trial"], ("notes",), {"n": "count(trial)", "m": "avg(rt)"}
    )
    assert described(summary) == "*subject, *session, notes, n, m?"


def test_an_aggregation_needs_the_groups_key_in_what_it_summarises(lab: Lab) -> None:
    with pytest.raises(QueryError, match="session"):
        analyze.aggregate(lab["session"], lab["subject"], (), {"n": "count(*)"})


def test_a_bare_attribute_of_the_summarised_relation_is_an_error(lab: Lab) -> None:
    with pytest.raises(QuerySyntaxError, match="rt"):
        analyze.aggregate(lab["session"], lab["trial"], (), {"x": "rt + 1"})


def test_a_left_join_needs_to_determine_the_other_side(lab: Lab) -> None:
    with pytest.raises(QueryError, match="trial"):
        analyze.join(lab["session"], lab["trial"], keep_left=True)
    extended = analyze.join(lab["trial"], lab["session"], keep_left=True)
    assert extended.heading["duration"].nullable


def test_dicts_ignore_what_the_heading_lacks(lab: Lab) -> None:
    condition = analyze.equalities({"subject": 1, "nosuch": 2, "notes": None}, lab["session"].heading)
    assert show(condition) == "subject = 1 AND notes IS NULL"


@pytest.mark.parametrize("order", ["nosuch", "duration SIDEWAYS", "duration; drop table x"])
def test_an_order_names_attributes(order: str, lab: Lab) -> None:
    with pytest.raises(QueryError):
        analyze.top(lab["session"], order)
