"""One-time changes of existing schemas: previewed, whole or not at all, and repeatable."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import djflow as dj
from djflow import migrate
from djflow.errors import (
    AccessError,
    DjflowError,
    DuplicateError,
    InvalidArgumentError,
    MissingSchemaError,
    MissingTableError,
)
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema
from djflow.tables.schema import Schema


@pytest.fixture
def pipeline(schema: Schema) -> Schema:
    declare(schema)
    return schema


def declare(schema: Schema) -> None:
    @schema
    class Subject(dj.Manual):
        definition = """
        subject : int32
        ---
        mood = 'good' : enum('good', 'bad')
        weight = null : float64
        trace = null : <blob>
        notes = null : json
        """

    @schema
    class Pair(dj.Manual):
        definition = """
        -> Subject
        -> Subject.proj(other='subject')
        """

    @schema
    class Weight(dj.Computed):
        definition = """
        -> Subject
        ---
        grams : float64
        """

        class Each(dj.Part):
            definition = """
            -> master
            each : int16
            """

        def make(self, key: dict[str, Any]) -> None:
            self.insert1({**key, "grams": 20.0})

    schema.create()


@pytest.fixture
def other_name(pipeline: Schema) -> Iterator[str]:
    name = f"{pipeline.database}_other"
    yield name
    if pipeline.connection.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", (name,)):
        pipeline.connection.query(drop_schema(name))


def fill(schema: Schema) -> None:
    schema.registry.by_name["Subject"]().insert(
        [
            {"subject": 1, "mood": "bad", "weight": 20.5, "trace": np.arange(3), "notes": {"a": [1]}},
            {"subject": 2, "weight": float("nan")},
            {"subject": 3, "weight": float("inf")},
        ]
    )
    schema.registry.by_name["Pair"]().insert([(1, 2)])


# job metadata


def test_job_metadata_is_previewed(pipeline: Schema) -> None:
    summary = migrate.add_job_metadata_columns(pipeline)
    assert {name: summary[name] for name in ("tables_analyzed", "tables_modified", "columns_added")} == {
        "tables_analyzed": 1,
        "tables_modified": 1,
        "columns_added": 3,
    }
    [detail] = summary["details"]
    assert (detail["table"], detail["status"]) == (f"{pipeline.database}.__weight", "pending")
    assert detail["sql_statements"][0] == (
        f'ALTER TABLE "{pipeline.database}"."__weight" '
        'ADD COLUMN "_job_start_time" timestamp(3) without time zone DEFAULT NULL'
    )
    assert summary == migrate.add_job_metadata_columns(pipeline)


def test_job_metadata_added_later_is_filled_as_if_declared(pipeline: Schema) -> None:
    fill(pipeline)
    weight = pipeline.registry.by_name["Weight"]()
    weight.insert1((1, 5.0), allow_direct_insert=True)
    summary = migrate.add_job_metadata_columns(type(weight), dry_run=False)
    assert summary["details"][0]["status"] == "migrated"
    assert weight.populate()["success"] == 2  # type: ignore[attr-defined]
    rows = pipeline.connection.query(
        "SELECT subject, _job_start_time IS NOT NULL, _job_duration IS NOT NULL, _job_version IS NOT NULL "
        f'FROM "{pipeline.database}".__weight ORDER BY 1'
    )
    assert rows == [(1, False, False, True), (2, True, True, True), (3, True, True, True)]
    assert weight.heading.names == ("subject", "grams")
    again = migrate.add_job_metadata_columns(pipeline, dry_run=False)
    assert (again["columns_added"], again["details"][0]["status"]) == (0, "up_to_date")


def test_job_metadata_is_for_tables_that_make_fills(pipeline: Schema) -> None:
    by_name: Any = pipeline.registry.by_name
    for target in (by_name["Subject"], by_name["Weight"].Each):
        with pytest.raises(InvalidArgumentError, match="not filled by make"):
            migrate.add_job_metadata_columns(target)
    with pytest.raises(InvalidArgumentError, match="target must be"):
        migrate.add_job_metadata_columns("lab")


# lineage


def test_a_healthy_lineage_is_rebuilt_to_the_same(pipeline: Schema) -> None:
    before = pipeline.lineage
    assert before[f"{pipeline.database}.pair.other"] == f"{pipeline.database}.subject.subject"
    summary = migrate.rebuild_lineage(pipeline)
    assert (summary["added"], summary["removed"], summary["dry_run"]) == ([], [], True)
    pipeline.rebuild_lineage()
    assert pipeline.lineage == before
    assert migrate.rebuild_lineage(pipeline, dry_run=False)["lineage_entries"] == len(before)
    assert pipeline.lineage == before


@pytest.mark.parametrize(
    "damage",
    [
        'DELETE FROM "{0}"."~lineage"',
        """UPDATE "{0}"."~lineage" SET lineage = '`{0}`.`subject`.`subject`'""",
        """INSERT INTO "{0}"."~lineage" VALUES ('subject', 'mood', 'x.y.z'), ('gone', 'a', 'x.y.z')""",
        'DROP TABLE "{0}"."~lineage"',
    ],
)
def test_a_damaged_lineage_is_found_and_repaired(pipeline: Schema, damage: str) -> None:
    good = pipeline.lineage
    pipeline.connection.query(damage.format(pipeline.database))
    assert pipeline.lineage != good
    assert not migrate.verify_schema_v20(pipeline.database, pipeline.connection)["compatible"]
    preview = migrate.rebuild_lineage(pipeline)
    assert preview["added"] or preview["removed"]
    assert pipeline.lineage != good
    migrate.rebuild_lineage(pipeline, dry_run=False)
    assert pipeline.lineage == good
    assert pipeline.lineage_table_exists
    assert migrate.verify_schema_v20(pipeline.database, pipeline.connection) == {
        "compatible": True,
        "issues": [],
        "tables_checked": 4,
    }


def test_a_rebuild_that_fails_leaves_the_old_record(pipeline: Schema) -> None:
    good = pipeline.lineage
    name = pipeline.database
    pipeline.connection.query(
        f"""CREATE FUNCTION "{name}".refuse() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE insufficient_privilege; END $$"""
    )
    pipeline.connection.query(
        f'CREATE TRIGGER refuse BEFORE INSERT ON "{name}"."~lineage" EXECUTE FUNCTION "{name}".refuse()'
    )
    with pytest.raises(AccessError):
        pipeline.rebuild_lineage()
    assert pipeline.lineage == good


def test_what_runs_joins_again_after_a_repair(pipeline: Schema) -> None:
    fill(pipeline)
    pipeline.connection.query(f'UPDATE "{pipeline.database}"."~lineage" SET lineage = table_name')
    pipeline._reload()
    subject, pair = pipeline.registry.by_name["Subject"](), pipeline.registry.by_name["Pair"]()
    with pytest.raises(DjflowError):
        len(subject * pair)
    pipeline.rebuild_lineage()
    assert len(subject * pair) == 1


def test_a_schema_that_does_not_exist_has_no_lineage(schema: Schema) -> None:
    assert not schema.lineage_table_exists
    assert schema.lineage == {}
    with pytest.raises(MissingSchemaError):
        schema.rebuild_lineage()


# state


def test_bytes_without_the_mark_of_a_codec_are_pending(pipeline: Schema) -> None:
    assert migrate.check_migration_status(pipeline) == {
        "total_blob_columns": 1,
        "migrated": 1,
        "pending": 0,
        "columns": [],
    }
    pipeline.connection.query(f"""COMMENT ON COLUMN "{pipeline.database}".subject.trace IS 'unmarked'""")
    status = migrate.check_migration_status(pipeline)
    assert (status["migrated"], status["pending"], status["columns"]) == (0, 1, ["subject.trace"])
    [issue] = migrate.verify_schema_v20(pipeline.database, pipeline.connection)["issues"]
    assert issue.startswith(f"{pipeline.database}.subject.trace: bytes without the mark")


# copies


def test_a_backup_holds_every_row_of_every_table(pipeline: Schema, other_name: str) -> None:
    fill(pipeline)
    lineage = len(pipeline.lineage)
    summary = migrate.backup_schema(pipeline.database, other_name, pipeline.connection)
    assert summary == {"tables_backed_up": 5, "rows_backed_up": 4 + lineage}
    for table in ("subject", "pair", "__weight", "__weight__each"):
        found = migrate.compare_query_results(
            pipeline.database, other_name, table, connection=pipeline.connection
        )
        assert (found["match"], found["discrepancies"]) == (True, [])
    with pytest.raises(DjflowError, match="already"):
        migrate.backup_schema(pipeline.database, other_name, pipeline.connection)


def test_a_backup_of_nothing_makes_nothing(database: Database, schema_name: str) -> None:
    with pytest.raises(MissingSchemaError):
        migrate.backup_schema(schema_name, f"{schema_name}_other", database)


def test_rows_are_copied_between_namesakes(pipeline: Schema, other_name: str) -> None:
    fill(pipeline)
    other = Schema(other_name, connection=pipeline.connection)
    declare(other)
    names = (pipeline.database, other_name)
    copied = migrate.copy_table_data(*names, "subject", connection=pipeline.connection)
    assert copied == {"rows_copied": 3}
    assert other.registry.by_name["Subject"]().to_dicts()[0]["trace"].tolist() == [0, 1, 2]
    found = migrate.compare_query_results(*names, "subject", connection=pipeline.connection)
    assert found == {"match": True, "row_count": 3, "discrepancies": []}
    with pytest.raises(DuplicateError):
        migrate.copy_table_data(*names, "subject", connection=pipeline.connection)
    with pytest.raises(MissingTableError):
        migrate.copy_table_data(*names, "subjct", connection=pipeline.connection)


def test_a_copy_may_stop_early(pipeline: Schema, other_name: str) -> None:
    fill(pipeline)
    other = Schema(other_name, connection=pipeline.connection)
    declare(other)
    migrate.copy_table_data(pipeline.database, other_name, "subject", limit=2, connection=pipeline.connection)
    assert other.registry.by_name["Subject"]().keys() == [{"subject": 1}, {"subject": 2}]


def test_differences_are_named_by_column_and_key(pipeline: Schema, other_name: str) -> None:
    fill(pipeline)
    other = Schema(other_name, connection=pipeline.connection)
    declare(other)
    names = (pipeline.database, other_name)
    migrate.copy_table_data(*names, "subject", connection=pipeline.connection)
    change = f'UPDATE "{other_name}".subject SET '
    pipeline.connection.query(change + "weight = weight * (1 + 1e-9) WHERE subject = 1")
    assert migrate.compare_query_results(*names, "subject", connection=pipeline.connection)["match"]
    pipeline.connection.query(change + "weight = weight + 1, notes = '{}', mood = 'good' WHERE subject = 1")
    pipeline.connection.query(change + "weight = null WHERE subject = 3")
    pipeline.connection.query(change + "subject = 7 WHERE subject = 2")
    found = migrate.compare_query_results(*names, "subject", connection=pipeline.connection)
    assert not found["match"]
    assert found["discrepancies"] == [
        f'1 row only in {pipeline.database}.subject: {{"subject" : 2}}',
        f'1 row only in {other_name}.subject: {{"subject" : 7}}',
        '1 row with a different mood: {"subject" : 1}',
        '2 rows with a different weight: {"subject" : 1}, {"subject" : 3}',
        '1 row with a different notes: {"subject" : 1}',
    ]
