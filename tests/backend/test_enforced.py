"""A foreign key that the server does not check at every moment is no promise to the planner."""

from typing import TYPE_CHECKING, Any

import pytest

import djflow as dj
from djflow.sql.identifiers import qualified
from djflow.tables.schema import Schema

if TYPE_CHECKING:
    import psycopg


@pytest.mark.parametrize("clause", ["NOT VALID", "DEFERRABLE INITIALLY DEFERRED"])
def test_what_is_checked_later_or_never_promises_nothing(
    schema: Schema, connection: "psycopg.Connection[Any]", clause: str
) -> None:
    @schema
    class Parent(dj.Manual):
        definition = "parent : int32"

    @schema
    class Child(dj.Manual):
        definition = """
        -> Parent
        child : int32
        """

    schema.create()
    child, parent = Child().table_model.name, Parent().table_model.name
    (name,) = connection.execute(
        "SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass",
        [qualified(child)],
    ).fetchone() or ("",)
    connection.execute(f'ALTER TABLE {qualified(child)} DROP CONSTRAINT "{name}"'.encode())
    Child().insert([(1, 1)])
    if clause != "NOT VALID":
        connection.execute(f"DELETE FROM {qualified(child)}".encode())
    connection.execute(
        f'ALTER TABLE {qualified(child)} ADD CONSTRAINT "{name}" FOREIGN KEY (parent) '
        f"REFERENCES {qualified(parent)} (parent) {clause}".encode()
    )
    known = {table.name: table for table in schema.catalog()}
    assert [key.is_enforced for key in known[child].foreign_keys] == [False]
