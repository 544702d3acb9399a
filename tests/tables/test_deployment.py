"""Settings of existing tables for their environment: previewed, repeatable, and as documented."""

import pytest

import djflow as dj
from djflow.errors import DataJointError
from djflow.tables.schema import Schema


@pytest.fixture
def pipeline(schema: Schema) -> Schema:
    @schema
    class Subject(dj.Manual):
        definition = "subject : int32"

        class Note(dj.Part):
            definition = """
            -> master
            note : int32
            """

    @schema
    class Weight(dj.Computed):
        definition = "-> Subject"

    schema.create()
    return schema


def identities(schema: Schema) -> dict[str, str]:
    """How replication identifies rows: "d" by default, "f" in full."""
    rows = schema.connection.query(
        "SELECT c.relname, c.relreplident::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = $1 AND c.relkind = 'r' AND left(c.relname, 1) <> '~'",
        (schema.database,),
    )
    return dict(rows)


def test_a_preview_changes_nothing(pipeline: Schema) -> None:
    summary = dj.deploy.set_replica_identity(pipeline)
    name = f'"{pipeline.database}"'
    assert summary == {
        "tables_analyzed": 3,
        "tables_modified": 0,
        "ddl": [
            f'ALTER TABLE {name}."subject" REPLICA IDENTITY FULL',
            f'ALTER TABLE {name}."__weight" REPLICA IDENTITY FULL',
            f'ALTER TABLE {name}."subject__note" REPLICA IDENTITY FULL',
        ],
    }
    assert set(identities(pipeline).values()) == {"d"}


def test_every_table_of_a_schema_but_hidden_ones_is_set(pipeline: Schema) -> None:
    for _ in range(2):
        summary = dj.deploy.set_replica_identity(pipeline, dry_run=False)
        assert summary["tables_modified"] == 3
        assert identities(pipeline) == {"subject": "f", "subject__note": "f", "__weight": "f"}
    dj.deploy.set_replica_identity(pipeline, mode="default", dry_run=False)
    assert set(identities(pipeline).values()) == {"d"}


def test_a_table_is_set_alone_as_class_or_instance(pipeline: Schema) -> None:
    subject = pipeline.registry.by_name["Subject"]
    summary = dj.deploy.set_replica_identity(subject, dry_run=False)
    assert (summary["tables_analyzed"], summary["tables_modified"]) == (1, 1)
    assert identities(pipeline) == {"subject": "f", "subject__note": "d", "__weight": "d"}
    dj.deploy.set_replica_identity(subject(), mode="default", dry_run=False)
    assert set(identities(pipeline).values()) == {"d"}


@pytest.mark.parametrize("target", [3, "lab", int, None])
def test_another_target_is_refused(target: object) -> None:
    with pytest.raises(DataJointError, match="target must be a Schema or Table class/instance; got"):
        dj.deploy.set_replica_identity(target)


def test_another_mode_is_refused(pipeline: Schema) -> None:
    with pytest.raises(DataJointError, match="mode must be 'default' or 'full'; got 'index'"):
        dj.deploy.set_replica_identity(pipeline, mode="index")  # type: ignore[arg-type]
