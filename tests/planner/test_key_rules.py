"""What keys and foreign keys tell: golden plans of the rules that need them, and what they leave alone."""

from typing import TYPE_CHECKING

import pytest
from inline_snapshot import snapshot

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.planner import analyze
from djflow.planner.explain import show_plan
from djflow.planner.facts import always_matches, is_unique_on, row_bound, unique_keys
from djflow.planner.nodes import Join, Node, Scan
from djflow.planner.rewriter import optimise
from djflow.planner.text import parse_condition

if TYPE_CHECKING:
    from djflow.model.table import Table

Lab = dict[str, Node]

DEFINITIONS = {
    "subject": """
        subject : int32
        ---
        sex : enum('M','F','U')
        x = null : float64
        """,
    "session": """
        -> subject
        session : int16
        ---
        -> [nullable] subject.proj(mate='subject')
        code : varchar(8)
        label = null : varchar(8)
        unique index (code)
        unique index (label)
        """,
    "trial": """
        -> session
        trial : int16
        ---
        rt = null : float64
        """,
    "badge": """
        badge : int32
        ---
        -> [unique] subject
        """,
    "setting": """
        ---
        factor : float64
        """,
}


@pytest.fixture
def lab() -> Lab:
    known: dict[str, Table] = {}
    for name, text in DEFINITIONS.items():
        known[name] = bind(
            parse(text),
            TableName("lab", name),
            resolve=lambda reference: known[reference.split(".")[0]],
            codec_dtype=lambda codec: pytest.fail(str(codec)),
        )
    return {name: Scan(table) for name, table in known.items()}


def where(node: Node, text: str) -> Node:
    return analyze.restrict(node, parse_condition(text, node.heading))


def proj(node: Node, *names: str, **named: str) -> Node:
    return analyze.project(node, names, named)


def optimised(plan: Node) -> str:
    result = optimise(plan)
    assert result.plan.heading == plan.heading
    return show_plan(result.plan)


# facts


def test_keys_unique_indexes_and_unique_references_identify_rows(lab: Lab) -> None:
    found = {
        name: sorted(map(sorted, unique_keys(scan.table)))
        for name, scan in lab.items()
        if isinstance(scan, Scan)
    }
    assert found == {
        "subject": [["subject"]],
        "session": [["code"], ["session", "subject"]],
        "trial": [["session", "subject", "trial"]],
        "badge": [["badge"], ["subject"]],
        "setting": [[]],
    }


def test_what_a_condition_fixes_need_not_be_asked_for(lab: Lab) -> None:
    plan = where(lab["trial"], "trial = 1 AND session = 2")
    assert is_unique_on(plan, ["subject"])
    assert not is_unique_on(where(lab["trial"], "trial > 1 AND session = 2"), ["subject"])


def test_a_join_is_identified_by_a_key_of_the_side_that_determines_the_other(lab: Lab) -> None:
    plan = analyze.join(lab["subject"], lab["session"])
    assert is_unique_on(plan, ["code"])
    assert not is_unique_on(plan, ["subject"])
    assert not is_unique_on(analyze.join(lab["subject"], lab["setting"]), ["factor"])
    assert is_unique_on(analyze.join(lab["subject"], lab["setting"]), ["subject"])


def test_a_reference_that_may_be_null_guarantees_nothing(lab: Lab) -> None:
    mates = proj(lab["subject"], mate="subject")
    assert not always_matches(lab["session"], mates, ("mate",))


def test_a_reference_holds_over_generations_and_not_backwards(lab: Lab) -> None:
    assert always_matches(lab["trial"], proj(lab["subject"]), ("subject",))
    assert not always_matches(lab["subject"], lab["trial"], ("subject",))


def test_attributes_of_different_rows_are_no_reference(lab: Lab) -> None:
    several = analyze.join(proj(lab["session"]), proj(lab["session"], subject2="subject", session2="session"))
    crossed = proj(several, subject="subject2", subject2="subject")
    assert not always_matches(crossed, lab["session"], ("subject", "session"))
    assert always_matches(several, lab["session"], ("subject", "session"))


def test_what_a_left_join_adds_may_be_missing(lab: Lab) -> None:
    joined = analyze.join(proj(lab["badge"], "subject"), proj(lab["subject"], "x"), keep_left=True)
    assert always_matches(joined, lab["subject"], ("subject",))
    swapped = Join(proj(lab["subject"]), proj(lab["badge"], "subject"), ("subject",), joined.heading, "left")
    assert not always_matches(swapped, lab["badge"], ("badge",))


def test_the_number_of_rows_is_bounded_through_joins_that_repeat_none(lab: Lab) -> None:
    few = analyze.top(lab["trial"], None, 5)
    assert row_bound(analyze.join(few, lab["subject"])) == 5
    assert row_bound(analyze.join(analyze.top(lab["subject"], None, 5), lab["trial"])) is None
    assert row_bound(where(lab["subject"], "subject = 3")) == 1


# semi-joins


def test_a_child_has_its_parents(lab: Lab) -> None:
    some = where(lab["trial"], "rt > 1")
    assert optimised(analyze.semi_join(some, proj(lab["session"]))) == snapshot("""\
Restrict: rt > 1
  Scan: lab.trial\
""")
    assert optimised(analyze.semi_join(some, lab["subject"])) == snapshot("""\
Restrict: rt > 1
  Scan: lab.trial\
""")
    assert optimised(analyze.semi_join(some, proj(lab["session"]), negated=True)) == snapshot("Empty")


def test_a_mate_that_may_be_missing_is_asked_for(lab: Lab) -> None:
    assert optimised(analyze.semi_join(lab["session"], proj(lab["subject"], mate="subject"))) == snapshot("""\
SemiJoin: mate
  Scan: lab.session
  Project: mate = subject
    Scan: lab.subject\
""")


def test_the_same_is_asked_once(lab: Lab) -> None:
    once = analyze.semi_join(lab["subject"], proj(lab["trial"]))
    assert optimised(analyze.semi_join(once, proj(lab["trial"]))) == snapshot("""\
SemiJoin: subject
  Scan: lab.subject
  Project: subject
    Scan: lab.trial\
""")
    assert optimised(analyze.semi_join(once, proj(lab["trial"]), negated=True)) == snapshot("Empty")


def test_a_child_answers_what_its_parent_is_asked_about_their_key(lab: Lab) -> None:
    some = where(proj(lab["session"]), "session > 2")
    assert optimised(analyze.semi_join(lab["trial"], some)) == snapshot("""\
Restrict: session > 2
  Scan: lab.trial\
""")
    assert optimised(analyze.semi_join(lab["trial"], some, negated=True)) == snapshot("""\
Restrict: session <= 2
  Scan: lab.trial\
""")


def test_existence_needs_no_groups(lab: Lab) -> None:
    groups = where(analyze.group(lab["trial"], ["subject", "session"], {"n": "count(*)"}), "session > 1")
    assert optimised(analyze.semi_join(lab["subject"], groups)) == snapshot("""\
SemiJoin: subject
  Scan: lab.subject
  Project: subject
    Restrict: session > 1
      Scan: lab.trial\
""")
    many = where(analyze.group(lab["trial"], ["subject", "session"], {"n": "count(*)"}), "n > 1")
    assert optimised(analyze.semi_join(lab["subject"], many)) == snapshot("""\
SemiJoin: subject
  Scan: lab.subject
  Project: subject
    Restrict: n > 1
      Group by subject, session: n = count(*)
        Project: subject, session
          Scan: lab.trial\
""")


# joins


def test_a_parent_that_gives_nothing_is_not_joined(lab: Lab) -> None:
    both = analyze.join(analyze.join(lab["trial"], lab["session"]), lab["subject"])
    assert optimised(proj(both, "rt")) == snapshot("Scan: lab.trial")
    assert optimised(proj(both, "rt", "sex")) == snapshot("""\
LeftJoin: subject
  Scan: lab.trial
  Project: subject, sex
    Scan: lab.subject\
""")


def test_a_restricted_parent_that_gives_nothing_filters(lab: Lab) -> None:
    some = analyze.join(lab["trial"], where(lab["subject"], "sex = 'F'"))
    assert optimised(proj(some, "rt")) == snapshot("""\
SemiJoin: subject
  Scan: lab.trial
  Project: subject
    Restrict: sex = 'F'
      Scan: lab.subject\
""")


def test_a_left_join_that_gives_nothing_goes(lab: Lab) -> None:
    plan = analyze.join(lab["session"], proj(lab["subject"], "x", mate="subject"), keep_left=True)
    assert optimised(proj(plan, "code")) == snapshot("""\
Project: subject, session, code
  Scan: lab.session\
""")


def test_a_join_that_repeats_rows_stays(lab: Lab) -> None:
    plan = analyze.group(analyze.join(lab["session"], lab["trial"]), ["code"], {"n": "count(*)"})
    assert optimised(plan) == snapshot("""\
Group by code: n = sum(part)
  Project: part, code
    LeftJoin: subject, session
      Group by subject, session: part = count(*)
        Project: subject, session
          Scan: lab.trial
      Project: subject, session, code
        Scan: lab.session\
""")


# distinct rows


def test_rows_with_a_key_are_distinct(lab: Lab) -> None:
    assert optimised(analyze.distinct(lab["session"], ["code", "mate"])) == snapshot("""\
Project: code, mate
  Scan: lab.session\
""")
    assert optimised(analyze.distinct(lab["session"], ["label"])) == snapshot("""\
Distinct
  Project: label
    Scan: lab.session\
""")


# first rows


def test_only_the_first_rows_are_joined(lab: Lab) -> None:
    extended = analyze.join(lab["trial"], lab["subject"], keep_left=True)
    assert optimised(analyze.top(extended, "rt DESC", 3, 1)) == snapshot("""\
Top: by rt DESC, subject, session, trial limit 3
  LeftJoin: subject
    Top: by rt DESC, subject, session, trial limit 3 offset 1
      Scan: lab.trial
    Scan: lab.subject\
""")
    assert optimised(analyze.top(analyze.join(lab["subject"], lab["trial"]), "rt", 3)) == snapshot("""\
Top: by rt, subject, session, trial limit 3
  LeftJoin: subject
    Top: by rt, subject, session, trial limit 3
      Scan: lab.trial
    Scan: lab.subject\
""")
    assert optimised(analyze.top(analyze.join(lab["subject"], lab["trial"]), "x", 3)) == snapshot("""\
Top: by x, subject, session, trial limit 3
  LeftJoin: subject
    Scan: lab.trial
    Scan: lab.subject\
""")


def test_only_the_groups_of_the_first_rows_are_summarised(lab: Lab) -> None:
    plan = analyze.aggregate(lab["session"], lab["trial"], (), {"n": "count(*)"})
    assert optimised(analyze.top(plan, "session", 3)) == snapshot("""\
Project: subject, session, n = _one_if_null(s1)
  Top: by session, subject limit 3
    LeftJoin: subject, session
      Project: subject, session
        Top: by session, subject limit 3
          Scan: lab.session
      Group by subject, session: s1 = count(*)
        Project: subject, session
          SemiJoin: subject, session
            Scan: lab.trial
            Project: subject, session
              Top: by session, subject limit 3
                Scan: lab.session\
""")
    assert optimised(analyze.top(plan, "n", 3)) == snapshot("""\
Top: by n, subject, session limit 3
  Project: subject, session, n = _one_if_null(s1)
    LeftJoin: subject, session
      Project: subject, session
        Scan: lab.session
      Group by subject, session: s1 = count(*)
        Project: subject, session
          Scan: lab.trial\
""")


# groups


def test_groups_are_restricted_like_what_they_are_joined_to(lab: Lab) -> None:
    keyed = where(lab["session"], "session > 1")
    plan = analyze.aggregate(keyed, lab["trial"], (), {"n": "count(*)"})
    assert optimised(plan) == snapshot("""\
Project: subject, session, n = _one_if_null(s1)
  LeftJoin: subject, session
    Project: subject, session
      Restrict: session > 1
        Scan: lab.session
    Group by subject, session: s1 = count(*)
      Project: subject, session
        Restrict: session > 1
          Scan: lab.trial\
""")
    mixed = analyze.aggregate(where(keyed, "code = 'a'"), lab["trial"], (), {"n": "count(*)"})
    assert optimised(mixed) == snapshot("""\
Project: subject, session, n = _one_if_null(s1)
  LeftJoin: subject, session
    Project: subject, session
      Restrict: session > 1 AND code = 'a'
        Scan: lab.session
    Group by subject, session: s1 = count(*)
      Project: subject, session
        SemiJoin: subject, session
          Restrict: session > 1
            Scan: lab.trial
          Project: subject, session
            Restrict: session > 1 AND code = 'a'
              Scan: lab.session\
""")


def test_optimising_twice_changes_nothing(lab: Lab) -> None:
    plan = proj(analyze.join(analyze.join(lab["trial"], lab["session"]), lab["subject"]), "rt", "sex")
    once = optimise(analyze.top(plan, "rt", 3)).plan
    assert optimise(once).plan == once
