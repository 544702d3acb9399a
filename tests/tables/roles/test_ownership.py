"""Protected rows: nobody changes a colleague's by accident, and nothing is passed over in silence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

import djflow as dj
from djflow.errors import AccessError, IntegrityError, InvalidArgumentError, OwnershipError, UnknownRoleError
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

NewRole: TypeAlias = Callable[[str], str]
Connect: TypeAlias = Callable[[str], Database]
TablesOf: TypeAlias = Callable[[Database, str], dict[str, FreeTable]]


@pytest.fixture
def ann(shared: Schema, new_role: NewRole) -> str:
    role = new_role("ann")
    shared.grant(role, "writer")
    return role


@pytest.fixture
def bob(shared: Schema, new_role: NewRole) -> str:
    role = new_role("bob")
    shared.grant(role, "writer")
    return role


@pytest.fixture
def shared(lab: Schema) -> Schema:
    """Subjects and their notes belong to whom inserted them; 1 and 2 to the owner of the tables."""
    lab.protect_rows(lab.registry.by_name["Subject"])
    return lab


def owners(schema: Schema) -> dict[int, str]:
    rows = schema.connection.query(f'SELECT subject, _owner FROM "{schema.database}".subject')
    return dict(rows)


def test_a_row_belongs_to_the_role_that_inserts_it(
    shared: Schema, ann: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    subject = tables_of(connect_as(ann), shared.database)["Subject"]
    subject.insert1((3, "rat"))
    subject.insert([(4, "rat"), (3, "mouse")], skip_duplicates=True)
    assert owners(shared) == {1: "djflow", 2: "djflow", 3: ann, 4: ann}


def test_the_owner_of_a_row_is_out_of_sight(shared: Schema, tables_of: TablesOf) -> None:
    subject = tables_of(shared.connection, shared.database)["Subject"]
    assert subject.heading.names == ("subject", "kind")
    assert "_owner" not in subject.describe()
    assert subject.to_arrow().column_names == ["subject", "kind"]
    assert "_owner" not in shared.registry.by_name["Subject"]().to_polars().columns


def test_a_delete_that_meets_a_colleagues_row_deletes_nothing(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert([(3, "rat"), (4, "rat")])
    theirs = connect_as(bob)
    tables_of(theirs, shared.database)["Subject"].insert1((5, "rat"))
    with pytest.raises(OwnershipError) as caught:
        theirs.query(f'DELETE FROM "{shared.database}".subject')
    assert caught.value.owners == {"djflow": 2, ann: 2}
    assert caught.value.table == f"{shared.database}.subject"
    assert caught.value.sqlstate == "DJ001"
    assert f"{ann} (2), djflow (2); 4 in all" in str(caught.value)
    assert len(owners(shared)) == 5


def test_ones_own_rows_can_be_deleted_and_updated(
    shared: Schema, ann: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    database = connect_as(ann)
    tables_of(database, shared.database)["Subject"].insert([(3, "rat"), (4, "rat")])
    database.query(f"UPDATE \"{shared.database}\".subject SET kind = 'mouse' WHERE subject = 3")
    database.query(f'DELETE FROM "{shared.database}".subject WHERE subject = 4')
    assert set(owners(shared)) == {1, 2, 3}


def test_an_update_that_meets_a_colleagues_row_changes_nothing(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    theirs = connect_as(bob)
    with pytest.raises(OwnershipError):
        theirs.query(f"UPDATE \"{shared.database}\".subject SET kind = 'mouse' WHERE subject = 3")
    with pytest.raises(OwnershipError):
        tables_of(theirs, shared.database)["Subject"].insert1((3, "mouse"), replace=True)
    assert (shared.registry.by_name["Subject"]() & {"subject": 3}).fetch1("kind") == "rat"


def test_nobody_inserts_in_a_colleagues_name(shared: Schema, ann: str, bob: str, connect_as: Connect) -> None:
    insert = f"INSERT INTO \"{shared.database}\".subject VALUES (9, 'rat', $1)"
    with pytest.raises(OwnershipError):
        connect_as(bob).query(insert, (ann,))
    shared.connection.query(insert, (ann,))
    assert owners(shared)[9] == ann


def test_parts_are_protected_with_their_master(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    tables_of(connect_as(ann), shared.database)["Subject.Note"].insert([(3, 1), (3, 2)])
    with pytest.raises(OwnershipError) as caught:
        connect_as(bob).query(f'DELETE FROM "{shared.database}".subject__note')
    assert caught.value.owners == {ann: 2}


def test_members_of_a_role_share_its_rows(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    shared.connection.query(f"GRANT {quote(ann)} TO {quote(bob)}")
    connect_as(bob).query(f'DELETE FROM "{shared.database}".subject WHERE subject = 3')
    assert set(owners(shared)) == {1, 2}


def test_the_owner_of_the_table_may_change_every_row(
    shared: Schema, ann: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    shared.connection.query(f'DELETE FROM "{shared.database}".subject WHERE subject = 3')
    assert set(owners(shared)) == {1, 2}


def test_what_is_caught_in_a_transaction_leaves_it_usable(
    shared: Schema, ann: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    database = connect_as(ann)
    with database.transaction:
        tables_of(database, shared.database)["Subject"].insert1((3, "rat"))
        with pytest.raises(OwnershipError):
            database.query(f'DELETE FROM "{shared.database}".subject')
    assert owners(shared)[3] == ann


def test_truncating_is_deleting(shared: Schema, ann: str, connect_as: Connect) -> None:
    name = quote(shared.database)
    shared.connection.query(f"GRANT TRUNCATE ON ALL TABLES IN SCHEMA {name} TO {quote(ann)}")
    with pytest.raises(OwnershipError) as caught:
        connect_as(ann).query(f"TRUNCATE {name}.subject, {name}.__weight, {name}.subject__note")
    assert caught.value.owners == {"djflow": 2}


def test_rows_of_a_role_that_is_gone_belong_to_the_owner_of_the_table(
    shared: Schema, ann: str, connect_as: Connect
) -> None:
    shared.connection.query(f"INSERT INTO \"{shared.database}\".subject VALUES (3, 'rat', 'long gone')")
    delete = f'DELETE FROM "{shared.database}".subject WHERE subject = 3'
    with pytest.raises(OwnershipError, match="long gone"):
        connect_as(ann).query(delete)
    shared.connection.query(delete)


def test_rows_that_exist_can_be_given_to_somebody(lab: Schema, new_role: NewRole) -> None:
    carl, dora = new_role("carl"), new_role("dora")
    lab.protect_rows(lab.registry.by_name["Subject"], owner=carl)
    assert set(owners(lab).values()) == {carl}
    lab.give_rows(lab.registry.by_name["Subject"], old=carl, new=dora)
    assert set(owners(lab).values()) == {dora}


def test_only_ones_own_rows_can_be_given_away(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    for role in (bob, ann):
        mine = Schema(shared.database, connection=connect_as(role))
        subject = tables_of(mine.connection, shared.database)["Subject"]
        if role == bob:
            with pytest.raises(OwnershipError):
                mine.give_rows(subject, old=ann, new=bob)
        else:
            mine.give_rows(subject, old=ann, new=bob)
    assert owners(shared)[3] == bob


def test_protecting_twice_is_protecting_once(shared: Schema, ann: str) -> None:
    shared.connection.query(f'UPDATE "{shared.database}".subject SET _owner = $1 WHERE subject = 2', (ann,))
    shared.protect_rows(shared.registry.by_name["Subject"])
    assert owners(shared) == {1: "djflow", 2: ann}


def test_protection_can_end_and_begin_again(
    shared: Schema, ann: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    shared.unprotect_rows(shared.registry.by_name["Subject"])
    database = connect_as(ann)
    tables_of(database, shared.database)["Subject"].insert1((3, "rat"))
    database.query(f'DELETE FROM "{shared.database}".subject WHERE subject = 1')
    shared.protect_rows(shared.registry.by_name["Subject"])
    assert owners(shared) == {2: "djflow", 3: ann}
    with pytest.raises(OwnershipError):
        database.query(f'DELETE FROM "{shared.database}".subject WHERE subject = 2')


def test_a_mistake_in_the_arguments_protects_nothing(lab: Schema) -> None:
    other = Schema(f"{lab.database}_other", connection=lab.connection)

    @other
    class Elsewhere(dj.Manual):
        definition = "a : int32"

    with pytest.raises(InvalidArgumentError):
        lab.protect_rows(lab.registry.by_name["Subject"], Elsewhere)
    with pytest.raises(InvalidArgumentError):
        lab.protect_rows("subject")
    with pytest.raises(UnknownRoleError):
        lab.protect_rows(lab.registry.by_name["Subject"], owner="nobody at all")
    columns = lab.connection.query(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attname = '_owner'",
        (f'"{lab.database}".subject',),
    )
    assert columns == []


def test_only_the_owner_of_a_table_protects_it(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    mine = Schema(lab.database, connection=connect_as(role))
    with pytest.raises(AccessError):
        mine.protect_rows(tables_of(mine.connection, lab.database)["Subject"])


def test_a_reference_to_a_colleagues_row_keeps_it_from_going(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    tables_of(connect_as(ann), shared.database)["Subject"].insert1((3, "rat"))
    tables_of(connect_as(bob), shared.database)["Subject.Note"].insert1((3, 1))
    with pytest.raises(IntegrityError):
        connect_as(ann).query(f'DELETE FROM "{shared.database}".subject WHERE subject = 3')


def test_a_cascade_that_meets_a_colleagues_row_deletes_nothing(
    shared: Schema, ann: str, bob: str, connect_as: Connect, tables_of: TablesOf
) -> None:
    mine, theirs = (tables_of(connect_as(role), shared.database) for role in (ann, bob))
    mine["Subject"].insert([(3, "rat"), (4, "rat")])
    mine["Subject.Note"].insert1((4, 1))
    theirs["Subject.Note"].insert1((3, 1))
    with pytest.raises(OwnershipError) as caught:
        (mine["Subject"] & "subject > 2").delete(prompt=False)
    assert caught.value.owners == {bob: 1}
    assert caught.value.table == f"{shared.database}.subject__note"
    assert len(mine["Subject.Note"]) == 2
    assert (mine["Subject"] & "subject = 4").delete(prompt=False) == 1


def with_marks(schema: Schema) -> type[dj.Manual]:
    """The master's class once more, with one part that it did not have."""

    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        -> Kind
        """

        class Mark(dj.Part):
            definition = """
            -> master
            mark : int32
            """

    return Subject


def is_refused(database: Database, schema: str, part: str) -> bool:
    """Whether somebody is kept from deleting the rows of a part."""
    try:
        database.query(f'DELETE FROM "{schema}".{part}')
    except OwnershipError:
        return True
    return False


def test_a_part_that_is_declared_later_is_protected_with_its_master(
    shared: Schema, ann: str, bob: str, connect_as: Connect
) -> None:
    marks: Any = with_marks(shared)
    marks.Mark().insert1((1, 7))
    assert "_owner" in {column.name for column in marks.Mark().table_model.columns}
    assert marks.Mark().heading.names == ("subject", "mark")
    connect_as(ann).query(f'INSERT INTO "{shared.database}".subject__mark VALUES (2, 7)')
    assert is_refused(connect_as(bob), shared.database, "subject__mark")
    assert is_refused(connect_as(ann), shared.database, "subject__mark")


def test_a_part_that_an_alteration_creates_is_protected_with_its_master(
    shared: Schema, ann: str, connect_as: Connect
) -> None:
    marks: Any = with_marks(shared)
    assert "subject__mark: create the table" in str(marks().alter(plan=True).changes[0])
    marks().alter(prompt=False)
    assert "_owner" in {column.name for column in marks.Mark().table_model.columns}
    marks.Mark().insert1((1, 7))
    assert is_refused(connect_as(ann), shared.database, "subject__mark")


def test_a_part_that_comes_back_from_an_archive_is_protected_with_its_master(
    lab: Schema, new_role: NewRole, connect_as: Connect, tmp_path: Path
) -> None:
    master: Any = lab.registry.by_name["Subject"]
    note = master.Note
    note().insert([(1, 1), (2, 1)])
    lab.dump(tmp_path / "archive")
    note().drop(prompt=False, part_integrity="ignore")
    lab.protect_rows(master)
    dj.restore(tmp_path / "archive", connection=lab.connection, on_conflict="skip")
    role = new_role("writer")
    lab.grant(role, "writer")
    assert is_refused(connect_as(role), lab.database, "subject__note")
    assert len(note()) == 2


def test_parts_of_masters_that_are_not_protected_stay_as_declared(lab: Schema) -> None:
    marks: Any = with_marks(lab)
    assert [column.name for column in marks.Mark().table_model.columns] == ["subject", "mark"]


def test_one_who_does_not_own_the_master_may_declare_a_part_of_it(
    shared: Schema, ann: str, connect_as: Connect
) -> None:
    shared.connection.query(f'GRANT CREATE ON SCHEMA "{shared.database}" TO {quote(ann)}')
    shared.connection.query(f'GRANT REFERENCES ON ALL TABLES IN SCHEMA "{shared.database}" TO {quote(ann)}')
    name = quote(shared.database)
    shared.connection.query(f'GRANT SELECT, INSERT, DELETE ON {name}."~lineage" TO {quote(ann)}')
    mine = Schema(shared.database, connection=connect_as(ann))
    declared_kind(mine)
    marks: Any = with_marks(mine)
    marks.Mark().insert1((1, 7))
    assert "_owner" in {column.name for column in marks.Mark().table_model.columns}


def declared_kind(schema: Schema) -> None:
    @schema
    class Kind(dj.Lookup):
        definition = "kind : enum('mouse', 'rat')"
