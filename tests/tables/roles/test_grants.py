"""Levels of rights: what each lets a role do, and that granting is repeatable and revocable."""

from collections.abc import Callable
from typing import Any, TypeAlias

import polars as pl
import pytest

import djflow as dj
from djflow.errors import AccessError, InvalidArgumentError, MissingSchemaError, UnknownRoleError
from djflow.relation.database import Database
from djflow.sql.identifiers import quote
from djflow.tables.free import FreeTable
from djflow.tables.schema import Schema

NewRole: TypeAlias = Callable[[str], str]
Connect: TypeAlias = Callable[[str], Database]
TablesOf: TypeAlias = Callable[[Database, str], dict[str, FreeTable]]
Redeclared: TypeAlias = Callable[[Database, str], dict[str, Any]]


def test_a_reader_reads_everything_and_writes_nothing(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("ann's")
    lab.grant(role, "reader")
    seen = tables_of(connect_as(role), lab.database)
    assert seen["Subject"].to_dicts() == [{"subject": 1, "kind": "mouse"}, {"subject": 2, "kind": "rat"}]
    assert len(seen["Kind"]) == 2
    with pytest.raises(AccessError):
        seen["Subject"].insert1((3, "rat"))
    with pytest.raises(AccessError):
        seen["Kind"].insert1(("rat",), skip_duplicates=True)


def test_a_writer_enters_and_cannot_compute(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    seen = tables_of(connect_as(role), lab.database)
    seen["Subject"].insert1((3, "rat"))
    seen["Subject.Note"].insert([(3, 1), (3, 2)])
    seen["Subject"].insert1((3, "mouse"), skip_duplicates=True)
    with pytest.raises(AccessError):
        seen["Weight"].insert1((3, 1.5), allow_direct_insert=True)
    assert len(lab.connection.query(f'SELECT 1 FROM "{lab.database}".subject')) == 3


def test_a_writer_may_delete_what_was_computed_from_an_entry(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    writer = connect_as(role)
    tables_of(lab.connection, lab.database)["Weight"].insert1((1, 20.0), allow_direct_insert=True)
    with writer.transaction:
        writer.query(f'DELETE FROM "{lab.database}".__weight WHERE subject = 1')
        writer.query(f'DELETE FROM "{lab.database}".subject WHERE subject = 1')
    assert len(tables_of(writer, lab.database)["Subject"]) == 1


def test_a_populator_computes_and_cannot_enter(
    lab: Schema, new_role: NewRole, connect_as: Connect, redeclared: Redeclared
) -> None:
    role = new_role("worker")
    lab.grant(role, "populator")
    worker = connect_as(role)
    classes = redeclared(worker, lab.database)
    weight = classes["Weight"]()
    assert weight.progress() == (2, 2)
    assert weight.populate()["success"] == 2
    with pytest.raises(AccessError):
        classes["Subject"]().insert1((3, "rat"))


def test_levels_add_up(lab: Schema, new_role: NewRole, connect_as: Connect, redeclared: Redeclared) -> None:
    role = new_role("scientist")
    lab.grant(role, "writer")
    lab.grant(role, "populator")
    classes = redeclared(connect_as(role), lab.database)
    classes["Subject"]().insert1((3, "rat"))
    assert classes["Weight"]().populate()["success"] == 3
    assert lab.grants()["level"].to_list() == ["populator", "writer"]


def test_tables_declared_later_are_granted_too(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    later = Schema(lab.database, connection=lab.connection)

    @later
    class Counted(dj.Manual):
        definition = """
        number : int32
        ---
        mood : enum('good', 'bad')
        """

    @later
    class Derived(dj.Computed):
        definition = "-> Counted"

    later.create()
    seen = tables_of(connect_as(role), lab.database)
    seen["Counted"].insert1((1, "good"))
    assert len(seen["Counted"] & {"mood": "good"}) == 1
    with pytest.raises(AccessError):
        seen["Derived"].insert1((1,), allow_direct_insert=True)
    assert lab.grants()["tables"].to_list() == [
        ["#kind", "__derived", "__weight", "counted", "subject", "subject__note"]
    ]


def test_tables_that_other_programs_create_later_can_be_read(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("reader")
    lab.grant(role, "reader")
    lab.connection.query(f'CREATE TABLE "{lab.database}".by_hand (a int PRIMARY KEY)')
    assert len(tables_of(connect_as(role), lab.database)["ByHand"]) == 0


def test_granting_twice_is_granting_once(lab: Schema, new_role: NewRole) -> None:
    role = new_role("reader")
    lab.grant(role, "reader")
    once = lab.grants()
    lab.grant(role, "reader")
    assert lab.grants().equals(once)
    assert once.to_dicts() == [
        {"role": role, "level": "reader", "tables": ["#kind", "__weight", "subject", "subject__note"]}
    ]


def test_revoking_leaves_no_right(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    lab.grant(role, "populator")
    lab.revoke(role)
    lab.revoke(role)
    assert lab.grants().is_empty()
    assert lab.grants().schema == {"role": pl.String(), "level": pl.String(), "tables": pl.List(pl.String())}
    with pytest.raises(AccessError):
        tables_of(connect_as(role), lab.database)["Subject"].to_dicts()
    lab.connection.query(f'CREATE TABLE "{lab.database}".later (a int PRIMARY KEY)')
    assert lab.grants().is_empty()


def test_a_group_role_gives_its_members_its_rights(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    group, member = new_role("group"), new_role("member")
    lab.connection.query(f"GRANT {quote(group)} TO {quote(member)}")
    lab.grant(group, "reader")
    assert len(tables_of(connect_as(member), lab.database)["Subject"]) == 2
    assert lab.grants()["role"].to_list() == [group]


def test_rights_given_by_hand_are_shown_as_custom(lab: Schema, new_role: NewRole) -> None:
    role = new_role("odd")
    lab.connection.query(f'GRANT SELECT ON "{lab.database}".subject TO {quote(role)}')
    assert lab.grants().to_dicts() == [{"role": role, "level": "custom", "tables": ["subject"]}]


def test_a_grant_that_somebody_took_back_is_not_shown(lab: Schema, new_role: NewRole) -> None:
    role = new_role("reader")
    lab.grant(role, "reader")
    lab.connection.query(f'REVOKE SELECT ON "{lab.database}".subject FROM {quote(role)}')
    assert lab.grants()["tables"].to_list() == [["#kind", "__weight", "subject__note"]]
    lab.connection.query(f'REVOKE USAGE ON SCHEMA "{lab.database}" FROM {quote(role)}')
    assert lab.grants()["tables"].to_list() == [[]]


def test_an_unknown_role_is_refused_with_the_closest(lab: Schema, new_role: NewRole) -> None:
    role = new_role("annabella")
    with pytest.raises(UnknownRoleError, match="Did you mean"):
        lab.grant(role[:-1], "reader")
    with pytest.raises(UnknownRoleError):
        lab.revoke("x" * 40)
    assert lab.grants().is_empty()


def test_an_unknown_level_is_refused_with_the_closest(lab: Schema, new_role: NewRole) -> None:
    with pytest.raises(InvalidArgumentError, match="Did you mean 'reader'"):
        lab.grant(new_role("ann"), "readers")


def test_a_schema_that_does_not_exist_has_nothing_to_grant(schema: Schema, new_role: NewRole) -> None:
    with pytest.raises(MissingSchemaError):
        schema.grant(new_role("ann"), "reader")


def test_only_what_is_ones_own_can_be_given(lab: Schema, new_role: NewRole, connect_as: Connect) -> None:
    reader, other = new_role("reader"), new_role("other")
    lab.grant(reader, "reader")
    theirs = Schema(lab.database, connection=connect_as(reader))
    with pytest.raises(AccessError):
        theirs.grant(other, "reader")
    assert lab.grants()["role"].to_list() == [reader]


def test_a_granter_who_may_not_give_all_gives_nothing(
    lab: Schema, new_role: NewRole, connect_as: Connect
) -> None:
    deputy, other = new_role("deputy"), new_role("other")
    lab.grant(deputy, "writer")
    name = quote(lab.database)
    lab.connection.query(f"GRANT USAGE, CREATE ON SCHEMA {name} TO {quote(deputy)} WITH GRANT OPTION")
    lab.connection.query(f'GRANT ALL ON {name}."~grants" TO {quote(deputy)}')
    deputies = Schema(lab.database, connection=connect_as(deputy))
    with pytest.raises(AccessError, match="ask the owner, djflow, to run"):
        deputies.grant(other, "reader")
    assert lab.grants()["role"].to_list() == [deputy]


def test_an_owner_keeps_the_rights_of_an_owner(
    new_role: NewRole, connect_as: Connect, schema_name: str, database: Database
) -> None:
    owner = new_role("owner")
    database.query(f"CREATE SCHEMA {quote(schema_name)} AUTHORIZATION {quote(owner)}")
    own = Schema(schema_name, connection=connect_as(owner))

    @own
    class Subject(dj.Manual):
        definition = "subject : int32"

    own.grant(new_role("ann"), "writer")
    assert own.grants()["tables"].to_list() == [["subject"]]
    with pytest.raises(AccessError, match="owns the schema"):
        own.revoke(owner)
    Subject().insert1((1,))


def test_rights_that_others_gave_are_named_and_stay(
    new_role: NewRole, connect_as: Connect, lab: Schema
) -> None:
    deputy, ann = new_role("deputy"), new_role("ann")
    name = quote(lab.database)
    lab.grant(ann, "reader")
    lab.connection.query(f"GRANT USAGE ON SCHEMA {name} TO {quote(deputy)}")
    lab.connection.query(f"GRANT SELECT ON {name}.subject TO {quote(deputy)} WITH GRANT OPTION")
    connect_as(deputy).query(f"GRANT SELECT ON {name}.subject TO {quote(ann)}")
    with pytest.raises(AccessError, match=deputy):
        lab.revoke(ann)
    assert lab.grants().filter(pl.col("role") == ann)["level"].to_list() == ["reader"]


def test_a_writer_deletes_an_entry_with_all_that_was_computed_from_it(
    lab: Schema, new_role: NewRole, connect_as: Connect, tables_of: TablesOf
) -> None:
    role = new_role("writer")
    lab.grant(role, "writer")
    tables_of(lab.connection, lab.database)["Weight"].insert1((1, 20.0), allow_direct_insert=True)
    seen = tables_of(connect_as(role), lab.database)
    assert (seen["Subject"] & {"subject": 1}).delete(prompt=False) == 1
    assert len(seen["Weight"]) == 0
