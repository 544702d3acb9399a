"""The queue's table as text."""

import pytest
from inline_snapshot import snapshot

from djflow.errors import InvalidArgumentError
from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import CoreType, EnumType
from djflow.sql import job_changes, job_counts, jobs
from djflow.sql.enums import SchemaEnum
from djflow.sql.job_changes import Change, JobTable

INT32, TEXT = CoreType("int32"), CoreType("varchar", (20,))
COLORS = EnumType(("red", "it's"))
TARGET = Table(
    TableName("lab", "__ana"),
    "",
    (
        Attribute("subject", INT32, INT32, in_key=True, lineage="lab.subject.subject"),
        Attribute("select", TEXT, TEXT, in_key=True, lineage="lab.subject.select"),
        Attribute("own", INT32, INT32, in_key=True),
        Attribute("y", INT32, INT32),
    ),
    (ForeignKey(TableName("lab", "subject"), (("subject", "subject"), ("select", "select")), in_key=True),),
)
QUEUE = JobTable(TableName("lab", "~~ana"), ("subject", "select"), '"lab"."enum_609a743e"')


def test_the_queue_has_the_layout_of_datajoint() -> None:
    names = {SchemaEnum("lab", jobs.STATUS): "enum_609a743e"}
    create, comment, *comments, index = jobs.create_queue(TARGET, names)
    assert create == snapshot("""\
CREATE TABLE "lab"."~~ana" (
  "subject" integer NOT NULL,
  "select" character varying(20) NOT NULL,
  "status" "lab"."enum_609a743e" NOT NULL,
  "priority" smallint NOT NULL,
  "created_time" timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  "scheduled_time" timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  "reserved_time" timestamp(3) without time zone DEFAULT NULL,
  "completed_time" timestamp(3) without time zone DEFAULT NULL,
  "duration" double precision DEFAULT NULL,
  "error_message" character varying(2047) NOT NULL DEFAULT '',
  "error_stack" bytea DEFAULT NULL,
  "user" character varying(255) NOT NULL DEFAULT '',
  "host" character varying(255) NOT NULL DEFAULT '',
  "pid" integer NOT NULL DEFAULT '0',
  "connection_id" bigint NOT NULL DEFAULT '0',
  "version" character varying(64) NOT NULL DEFAULT '',
  PRIMARY KEY ("subject", "select")
)\
""")
    assert comment == snapshot("""COMMENT ON TABLE "lab"."~~ana" IS 'Job queue for "lab"."__ana"'""")
    told = [text.removeprefix('COMMENT ON COLUMN "lab"."~~ana".') for text in comments]
    assert told[:4] == [
        "\"select\" IS ':varchar(20):'",
        "\"status\" IS ':enum(''pending'', ''reserved'', ''success'', ''error'', ''ignore''):'",
        "\"priority\" IS ':int8:'",
        "\"created_time\" IS ':datetime(3):'",
    ]
    columns = '("status", "priority", "scheduled_time")'
    assert index == f'CREATE INDEX "idx_~~ana_status_priority_scheduled_time" ON "lab"."~~ana" {columns}'


def test_attributes_of_its_own_tell_no_jobs_apart() -> None:
    assert jobs.key_names(TARGET) == ("subject", "select")
    assert jobs.queue_table(TARGET).primary_key == ("subject", "select")


def test_jobs_match_what_they_are_for_although_their_lineage_is_recorded_as_their_own() -> None:
    assert jobs.queue_table(TARGET).heading["subject"].lineage == "lab.subject.subject"
    assert jobs.lineage_of_queue(TARGET).heading["subject"].lineage == "lab.~~ana.subject"


def test_a_label_with_a_quote_in_a_key_is_kept_as_it_is() -> None:
    column = Attribute("color", COLORS, COLORS, in_key=True)
    names = {SchemaEnum("lab", jobs.STATUS): "enum_609a743e", SchemaEnum("lab", COLORS): "enum_1"}
    statements = jobs.create_queue(Table(TARGET.name, "", (column,)), names)
    assert statements[2].endswith("IS ':enum(''red'',''it''''s''):'")


def test_a_claim_takes_what_is_due_in_order_and_passes_over_what_others_lock() -> None:
    statement = job_changes.claim(QUEUE, Change(("pending",), "reserved"), up_to_priority=True)
    order = "ORDER BY q.priority, q.scheduled_time LIMIT $1 FOR UPDATE OF q SKIP LOCKED"
    assert order in statement
    assert "q.priority <= $7" in statement


def test_what_is_done_goes_if_the_token_is_right() -> None:
    statement = job_changes.complete(QUEUE, Change(("reserved",), None))
    assert statement.startswith('DELETE FROM "lab"."~~ana" q USING')
    assert statement.endswith("AND q.status IN ('reserved') AND q._token = $2 RETURNING e._n")


def test_a_queue_is_counted_from_the_moment_of_a_lock() -> None:
    lock, *others = job_counts.count_jobs(QUEUE.name)
    assert lock == 'LOCK TABLE "lab"."~~ana" IN SHARE ROW EXCLUSIVE MODE'
    events = [text.split(" AFTER ")[1].split()[0] for text in others if text.startswith("CREATE TRIGGER")]
    assert events == ["INSERT", "UPDATE", "DELETE", "TRUNCATE"]


def test_a_key_that_is_called_like_a_column_of_queues_is_refused() -> None:
    column = Attribute("priority", INT32, INT32, in_key=True)
    with pytest.raises(InvalidArgumentError, match="priority"):
        jobs.key_names(Table(TARGET.name, "", (column,)))
