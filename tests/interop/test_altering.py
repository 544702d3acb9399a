"""Tables that DataJoint made need no alteration, and can be altered with all that depends on them."""

from typing import Any


def test_the_same_definitions_ask_for_nothing(lab: Any) -> None:
    assert str(lab.schema.alter(plan=True)) == "Nothing to alter."


def test_a_key_is_renamed_and_retyped_through_the_whole_pipeline(lab: Any) -> None:
    lab.schema.create()
    before = lab.Ana.to_dicts(order_by="KEY")
    lab.Subject.definition = lab.Subject.definition.replace("subject_id : int32", "animal : int64")
    plan = lab.Subject.alter(plan=True, renames={"subject_id": "animal"})
    assert [note.partition(",")[0] for note in plan.notes] == ["lab.session follows"]
    lab.Session.definition = lab.Session.definition.replace("mate_id='subject_id'", "mate_id='animal'")
    lab.Subject.alter(renames={"subject_id": "animal"}, prompt=False)
    after = lab.Ana.to_dicts(order_by="KEY")
    assert [row["animal"] for row in after] == [row["subject_id"] for row in before]
    assert str(lab.Ana.P.heading["animal"].type) == "int64"
    assert str(lab.Subject.alter(plan=True)) == "Nothing to alter."
    assert str(lab.schema.alter(plan=True)) == "Nothing to alter."
