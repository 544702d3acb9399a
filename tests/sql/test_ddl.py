import warnings

from inline_snapshot import snapshot

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType, CoreType, EnumType
from djflow.sql.ddl import create_schema, create_table, drop_schema
from djflow.sql.enums import create_enum, enum_types, plan_enums
from djflow.sql.lineage import (
    create_lineage_table,
    delete_lineage,
    insert_lineage,
    lineage_columns,
    lineage_rows,
)


def codec_dtype(type_: CodecType) -> CoreType:
    return CoreType("bytes" if type_.store is None else "json")


def bound(name: str, definition: str, *parents: Table, job_metadata: bool = False) -> Table:
    references = [
        (reference, parent) for parent in parents for reference in (parent.name.class_path, "master")
    ]
    return bind(
        parse(definition),
        TableName("lab", name),
        resolve=dict(references).__getitem__,
        codec_dtype=codec_dtype,
        job_metadata=job_metadata,
    )


def script(table: Table) -> str:
    plan = plan_enums(enum_types(table), {})
    return ";\n".join([*plan.statements, *create_table(table, enum_names=plan.names)])


SPECIES = bound("#species", "species : varchar(20)")
SUBJECT = bound(
    "subject",
    """
    # Animal's subjects
    subject_id : int32   # id
    ---
    -> Species
    name = null : varchar(40)   # nick
    sex = 'U' : enum('M','F','U')
    ts = CURRENT_TIMESTAMP : datetime
    at = CURRENT_TIMESTAMP : datetime(3)
    path = 'a\\b' : varchar(9)
    raw = null : <blob@main>
    unique index (name)
    index ((lower(name)), sex)
    """,
    SPECIES,
)


def test_a_table_comes_with_its_types_comments_and_indexes() -> None:
    assert script(SUBJECT) == snapshot("""\
CREATE TYPE "lab"."enum_e54fc739" AS ENUM ('M', 'F', 'U');
CREATE TABLE "lab"."subject" (
  "subject_id" integer NOT NULL,
  "species" character varying(20) NOT NULL,
  "name" character varying(40) DEFAULT NULL,
  "sex" "lab"."enum_e54fc739" NOT NULL DEFAULT 'U',
  "ts" timestamp without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
  "at" timestamp(3) without time zone NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  "path" character varying(9) NOT NULL DEFAULT E'a\\\\b',
  "raw" jsonb DEFAULT NULL,
  PRIMARY KEY ("subject_id"),
  FOREIGN KEY ("species") REFERENCES "lab"."#species" ("species") ON UPDATE CASCADE ON DELETE RESTRICT
);
COMMENT ON TABLE "lab"."subject" IS 'Animal''s subjects';
COMMENT ON COLUMN "lab"."subject"."subject_id" IS ':int32:id';
COMMENT ON COLUMN "lab"."subject"."name" IS ':varchar(40):nick';
COMMENT ON COLUMN "lab"."subject"."sex" IS ':enum(''M'',''F'',''U''):';
COMMENT ON COLUMN "lab"."subject"."ts" IS ':datetime:';
COMMENT ON COLUMN "lab"."subject"."at" IS ':datetime(3):';
COMMENT ON COLUMN "lab"."subject"."path" IS ':varchar(9):';
COMMENT ON COLUMN "lab"."subject"."raw" IS ':<blob@main>:';
CREATE UNIQUE INDEX "idx_subject_name" ON "lab"."subject" ("name");
CREATE INDEX "idx_subject_expr_b6b23299_sex" ON "lab"."subject" ((lower(name)), "sex");
CREATE INDEX "idx_subject_species" ON "lab"."subject" ("species")\
""")


def test_a_nullable_reference_has_an_index_and_no_comment() -> None:
    session = bound(
        "session",
        "-> Subject\nsession : int16\n---\n-> [nullable, unique] Subject.proj(mate_id='subject_id')",
        SUBJECT,
    )
    assert script(session) == snapshot("""\
CREATE TABLE "lab"."session" (
  "subject_id" integer NOT NULL,
  "session" smallint NOT NULL,
  "mate_id" integer DEFAULT NULL,
  PRIMARY KEY ("subject_id", "session"),
  FOREIGN KEY ("subject_id") REFERENCES "lab"."subject" ("subject_id") ON UPDATE CASCADE ON DELETE RESTRICT,
  FOREIGN KEY ("mate_id") REFERENCES "lab"."subject" ("subject_id") ON UPDATE CASCADE ON DELETE RESTRICT
);
COMMENT ON COLUMN "lab"."session"."session" IS ':int16:';
CREATE UNIQUE INDEX "idx_session_mate_id" ON "lab"."session" ("mate_id")\
""")


def test_a_singleton_is_keyed_by_a_hidden_column() -> None:
    assert script(bound("#cfg", "# singleton\n---\na : int32")) == snapshot("""\
CREATE TABLE "lab"."#cfg" (
  "a" integer NOT NULL,
  "_singleton" boolean NOT NULL DEFAULT 'true',
  PRIMARY KEY ("_singleton")
);
COMMENT ON TABLE "lab"."#cfg" IS 'singleton';
COMMENT ON COLUMN "lab"."#cfg"."a" IS ':int32:';
COMMENT ON COLUMN "lab"."#cfg"."_singleton" IS ':bool:singleton primary key'\
""")


def test_a_computed_table_records_its_jobs() -> None:
    area = bound("_area", "-> Subject\n---\narea : float64", SUBJECT, job_metadata=True)
    assert script(area) == snapshot("""\
CREATE TABLE "lab"."_area" (
  "subject_id" integer NOT NULL,
  "area" double precision NOT NULL,
  "_job_start_time" timestamp(3) without time zone DEFAULT NULL,
  "_job_duration" real DEFAULT NULL,
  "_job_version" character varying(64) NOT NULL DEFAULT '',
  PRIMARY KEY ("subject_id"),
  FOREIGN KEY ("subject_id") REFERENCES "lab"."subject" ("subject_id") ON UPDATE CASCADE ON DELETE RESTRICT
);
COMMENT ON COLUMN "lab"."_area"."area" IS ':float64:';
COMMENT ON COLUMN "lab"."_area"."_job_start_time" IS ':datetime(3):when computation began';
COMMENT ON COLUMN "lab"."_area"."_job_duration" IS ':float32:computation duration in seconds';
COMMENT ON COLUMN "lab"."_area"."_job_version" IS ':varchar(64):code version'\
""")


def test_a_child_of_a_serial_key_does_not_count() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parent = bound("event", "event : bigserial # counted")
    assert script(parent) == snapshot("""\
CREATE TABLE "lab"."event" (
  "event" bigserial NOT NULL,
  PRIMARY KEY ("event")
);
COMMENT ON COLUMN "lab"."event"."event" IS 'counted'\
""")
    child = bound("event__mark", "-> master", parent)
    assert '"event" bigint NOT NULL' in script(child)


def test_schemas_are_created_and_dropped() -> None:
    assert [
        create_schema("my lab"),
        create_lineage_table("my lab"),
        drop_schema("my lab"),
    ] == snapshot(
        [
            'CREATE SCHEMA IF NOT EXISTS "my lab"',
            """\
CREATE TABLE IF NOT EXISTS "my lab"."~lineage" (
  table_name varchar(64) NOT NULL,
  attribute_name varchar(64) NOT NULL,
  lineage varchar(255) NOT NULL,
  PRIMARY KEY (table_name, attribute_name)
)\
""",
            'DROP SCHEMA "my lab" CASCADE',
        ]
    )


def test_the_lineage_of_tables_is_written_at_once() -> None:
    assert lineage_rows(SUBJECT) == snapshot(
        (("subject", "subject_id", "lab.subject.subject_id"), ("subject", "species", "lab.#species.species"))
    )
    assert list(zip(*lineage_columns([SUBJECT]), strict=True)) == list(lineage_rows(SUBJECT))
    assert insert_lineage("100%") == snapshot("""\
INSERT INTO "100%"."~lineage" (table_name, attribute_name, lineage)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])\
""")
    assert delete_lineage("100%") == snapshot('DELETE FROM "100%"."~lineage" WHERE table_name = ANY($1)')


def test_a_label_cannot_leave_its_quotes() -> None:
    assert create_enum("lab", "e", EnumType(("it's", "a\\"))) == snapshot(
        "CREATE TYPE \"lab\".\"e\" AS ENUM ('it''s', E'a\\\\')"
    )
