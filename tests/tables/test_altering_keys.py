"""Primary keys and foreign keys change, and all that inherits them follows."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from inline_snapshot import snapshot

import djflow as dj
from djflow.errors import AlterationError, IntegrityError
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema
from djflow.tables.alteration.plan import AlterationPlan
from djflow.tables.schema import Schema

WIDER = """
subject : int32
code : varchar(8)
"""


def planned(table: Any, **options: Any) -> AlterationPlan:
    plan = table.alter(plan=True, **options)
    assert isinstance(plan, AlterationPlan)
    return plan


def lines(plan: AlterationPlan) -> list[str]:
    """The changes by table, without the names of schemas."""
    return [re.sub(r"testz?_[0-9a-f]{12}\.", "", str(each)) for each in plan.changes]


@pytest.fixture
def lab(schema: Schema) -> Any:
    """A pipeline: Subject <- Session <- Scan, Session <- Score; Pair refers to Subject twice."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        code : varchar(8)
        """

    @schema
    class Session(dj.Manual):
        definition = """
        -> Subject
        session : int16
        ---
        note = '' : varchar(20)
        """

        class Scan(dj.Part):
            definition = """
            -> master
            scan : int16
            """

    @schema
    class Pair(dj.Manual):
        definition = """
        pair : int32
        ---
        -> Subject.proj(left='subject')
        -> [nullable] Subject.proj(right='subject')
        """

    @schema
    class Score(dj.Manual):
        definition = """
        score : int32
        ---
        -> [nullable] Session
        """

    class Lab:
        subject: Any = Subject
        session: Any = Session
        scan: Any = Session.Scan
        pair: Any = Pair
        score: Any = Score

    Subject().insert([(1, "a"), (2, "b")])
    Session().insert([(1, 1, "x"), (1, 2, "y"), (2, 1, "z")])
    Session.Scan().insert([(1, 1, 1), (2, 1, 5)])
    Pair().insert([(1, 1, 2), (2, 2, None)])
    Score().insert([(1, 1, 2), (2, None, None)])
    return Lab


@pytest.fixture
def elsewhere(database: Database, lab: Any) -> Iterator[Any]:  # noqa: ARG001 - its definition names it
    """A table of another schema that refers to the pipeline."""
    other = Schema(f"testz_{uuid4().hex[:12]}", connection=database)  # behind the other by name

    @other
    class Remark(dj.Manual):
        definition = """
        -> lab.session
        ---
        text : varchar(20)
        """

    Remark().insert1((1, 2, "hm"))
    yield Remark
    database.session.execute(drop_schema(other.database))


def test_a_renamed_key_is_renamed_wherever_it_is_inherited(lab: Any, elsewhere: Any) -> None:
    lab.subject.definition = """
    animal : int32
    ---
    code : varchar(8)
    """
    plan = planned(lab.subject, renames={"subject": "animal"})
    assert lines(plan) == snapshot(
        [
            "subject: rename subject -> animal",
            "session: rename subject -> animal",
            "score: rename subject -> animal",
            "session__scan: rename subject -> animal",
            "remark: rename subject -> animal",
        ]
    )
    lab.subject.alter(renames={"subject": "animal"})
    assert elsewhere.heading.primary_key == ("animal", "session")
    assert elsewhere.heading["animal"].lineage == f"{lab.subject().table_model.name}.animal"
    assert (lab.subject * lab.session * elsewhere).to_dicts() == snapshot(
        [{"animal": 1, "session": 2, "note": "y", "code": "a", "text": "hm"}]
    )
    assert lab.pair.heading.names == ("pair", "left", "right")
    assert not planned(lab.subject)


def test_a_retyped_key_is_retyped_wherever_it_is_inherited(lab: Any, elsewhere: Any) -> None:
    lab.subject.definition = lab.subject.definition.replace("int32", "varchar(6)")
    plan = planned(lab.subject)
    assert lines(plan) == snapshot(
        [
            "subject: type of subject: int32 -> varchar(6)",
            "pair: type of left: int32 -> varchar(6)",
            "pair: type of right: int32 -> varchar(6)",
            "session: type of subject: int32 -> varchar(6)",
            "score: type of subject: int32 -> varchar(6)",
            "session__scan: type of subject: int32 -> varchar(6)",
            "remark: type of subject: int32 -> varchar(6)",
        ]
    )
    assert not plan.losses
    lab.subject.alter()
    assert elsewhere.to_dicts() == snapshot([{"subject": "1", "session": 2, "text": "hm"}])
    assert (lab.subject * lab.pair.proj(subject="right")).to_dicts() == snapshot(
        [{"pair": 1, "subject": "2", "code": "b"}]
    )
    assert str(lab.score.heading["subject"].type) == "varchar(6)"


def test_an_added_key_attribute_that_would_mean_two_rows_is_refused(lab: Any) -> None:
    lab.subject.definition = WIDER
    with pytest.raises(AlterationError, match=r"pair cannot follow: .*'code' from .* by more than one"):
        lab.subject.alter()


def test_an_added_key_attribute_is_filled_from_the_parent_all_the_way_down(
    lab: Any, elsewhere: Any, schema: Schema
) -> None:
    lab.subject.definition = WIDER
    lab.pair.definition = """
    pair : int32
    ---
    -> Subject.proj(left='subject', left_code='code')
    -> [nullable] Subject.proj(right='subject', right_code='code')
    """
    plan = schema.alter(plan=True)
    assert plan is not None
    assert lines(plan) == snapshot(
        [
            "subject: primary key: (subject) -> (subject, code)",
            "pair: add left_code : varchar(8), filled from 'code' of subject",
            "pair: add right_code = null : varchar(8), filled from 'code' of subject",
            "pair: drop foreign key (left) -> subject (subject)",
            "pair: drop foreign key (right) -> subject (subject)",
            "pair: add foreign key (left, left_code) -> subject (subject, code)",
            "pair: add foreign key (right, right_code) -> subject (subject, code)",
            "pair: drop index(left)",
            "pair: drop index(right)",
            "pair: add index(left, left_code)",
            "pair: add index(right, right_code)",
            "session: add key attribute code : varchar(8), filled from 'code' of subject",
            "session: primary key: (subject, session) -> (subject, session, code)",
            "session: drop foreign key (subject) -> subject (subject)",
            "session: add foreign key (subject, code) -> subject (subject, code)",
            "session: add index(subject, code)",
            "score: add code = null : varchar(8), filled from 'code' of session",
            "score: drop foreign key (subject, session) -> session (subject, session)",
            "score: add foreign key (subject, session, code) -> session (subject, session, code)",
            "score: drop index(subject, session)",
            "score: add index(subject, session, code)",
            "session__scan: add key attribute code : varchar(8), filled from 'code' of session",
            "session__scan: primary key: (subject, session, scan) -> (subject, session, scan, code)",
            "session__scan: drop foreign key (subject, session) -> session (subject, session)",
            "session__scan: add foreign key (subject, session, code) -> session (subject, session, code)",
            "session__scan: add index(subject, session, code)",
            "remark: add key attribute code : varchar(8), filled from 'code' of session",
            "remark: primary key: (subject, session) -> (subject, session, code)",
            "remark: drop foreign key (subject, session) -> session (subject, session)",
            "remark: add foreign key (subject, session, code) -> session (subject, session, code)",
        ]
    )
    schema.alter()
    assert not schema.alter(plan=True)
    assert elsewhere.to_dicts() == snapshot([{"subject": 1, "session": 2, "code": "a", "text": "hm"}])
    assert lab.scan.to_dicts() == snapshot(
        [
            {"subject": 1, "session": 1, "scan": 1, "code": "a"},
            {"subject": 2, "session": 1, "scan": 5, "code": "b"},
        ]
    )
    assert lab.score.to_dicts(order_by="score") == snapshot(
        [
            {"score": 1, "subject": 1, "session": 2, "code": "a"},
            {"score": 2, "subject": None, "session": None, "code": None},
        ]
    )
    assert lab.pair.to_dicts(order_by="pair") == snapshot(
        [
            {"pair": 1, "left": 1, "right": 2, "left_code": "a", "right_code": "b"},
            {"pair": 2, "left": 2, "right": None, "left_code": "b", "right_code": None},
        ]
    )
    with pytest.raises(IntegrityError):
        lab.session.insert1({"subject": 1, "code": "b", "session": 9})


def test_a_key_replaced_by_an_attribute_takes_the_tree_along(lab: Any, elsewhere: Any) -> None:
    lab.subject.definition = """
    code : varchar(8)
    """
    with pytest.raises(AlterationError, match="cannot follow"):
        lab.subject.alter(allow_loss=True)
    lab.pair.drop(prompt=False)
    lab.subject.alter(allow_loss=True)
    assert not planned(lab.subject)
    assert elsewhere.to_dicts() == snapshot([{"session": 2, "code": "a", "text": "hm"}])
    assert (lab.subject * lab.session * lab.scan).to_dicts() == snapshot(
        [
            {"session": 1, "scan": 1, "code": "a", "note": "x"},
            {"session": 1, "scan": 5, "code": "b", "note": "z"},
        ]
    )
    assert lab.score.to_dicts(order_by="score") == snapshot(
        [{"score": 1, "session": 2, "code": "a"}, {"score": 2, "session": None, "code": None}]
    )


def test_a_key_attribute_that_goes_goes_everywhere(lab: Any, elsewhere: Any) -> None:
    lab.session.definition = """
    -> Subject
    ---
    session : int16
    note = '' : varchar(20)
    """
    with pytest.raises(AlterationError) as refused:
        lab.session.alter()
    assert "share" in str(refused.value)
    (lab.session & {"subject": 1, "session": 1}).delete(prompt=False)
    plan = planned(lab.session)
    assert lines(plan) == snapshot(
        [
            "session: primary key: (subject, session) -> (subject)",
            "score: drop session = null : int16",
            "score: drop foreign key (subject, session) -> session (subject, session)",
            "score: add foreign key (subject) -> session (subject)",
            "score: add index(subject)",
            "session__scan: drop key attribute session : int16",
            "session__scan: primary key: (subject, session, scan) -> (subject, scan)",
            "session__scan: drop foreign key (subject, session) -> session (subject, session)",
            "session__scan: add foreign key (subject) -> session (subject)",
            "remark: drop key attribute session : int16",
            "remark: primary key: (subject, session) -> (subject)",
            "remark: drop foreign key (subject, session) -> session (subject, session)",
            "remark: add foreign key (subject) -> session (subject)",
        ]
    )
    lab.session.alter()
    assert elsewhere.to_dicts() == snapshot([{"subject": 1, "text": "hm"}])
    assert lab.scan.to_dicts() == snapshot([{"subject": 2, "scan": 5}])
    assert lab.score.to_dicts(order_by="score") == snapshot(
        [{"score": 1, "subject": 1}, {"score": 2, "subject": None}]
    )
    assert not planned(lab.session)
