"""Plans of alterations without a server: the changes, and the statements in their order."""

from collections.abc import Mapping
from textwrap import wrap

import pytest
from inline_snapshot import snapshot

from djflow.definition import bind, parse
from djflow.errors import AlterationError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType, CoreType
from djflow.sql.alteration.compare import compare
from djflow.sql.alteration.follow import Lookup, Target, Wanted, follow
from djflow.sql.alteration.lower import Surroundings, lower, new_enums
from djflow.sql.alteration.physical import Index, Physical, Reference
from djflow.sql.enums import plan_enums


def codec_dtype(_codec: CodecType) -> CoreType:
    return CoreType("bytes")


def tables(definitions: Mapping[str, str]) -> dict[str, Table]:
    found: dict[str, Table] = {}
    for name, text in definitions.items():
        found[name] = bind(
            parse(text), TableName("lab", name), resolve=lambda known: found[known], codec_dtype=codec_dtype
        )
    return found


def wanted(name: str, definition: str, renames: Mapping[str, str], *parents: str) -> dict[TableName, Wanted]:
    own = TableName("lab", name)

    def bound(lookup: Lookup) -> Table:
        def resolve(reference: str) -> Table:
            found = lookup(TableName("lab", reference))
            assert found is not None
            return found

        return bind(parse(definition), own, resolve=resolve, codec_dtype=codec_dtype)

    return {own: Wanted(frozenset(TableName("lab", parent) for parent in parents), bound, renames)}


def physical(table: Table) -> Physical:
    """Names as PostgreSQL chooses them."""
    references = tuple(
        Reference(f"{table.name.table}_{'_'.join(fk.own)}_fkey", fk.own, fk.parent, fk.referenced)
        for fk in table.foreign_keys
    )
    indexes = tuple(Index(f"idx_{i.items[0]}", i.items, i.unique) for i in table.indexes)
    return Physical(f"{table.name.table}_pkey", references, indexes)


def statements(catalog: Catalog, target: Target) -> list[str]:
    names = {table.name: physical(table) for table in catalog.tables}
    changes = {name: compare(delta, target.deltas, names[name]) for name, delta in target.deltas.items()}
    enums = plan_enums(new_enums(target.deltas, changes), {})
    lowered = lower(target.deltas, changes, Surroundings(names, enums.names, {}))
    lines = "\n".join((*enums.statements, *lowered.shapes, *lowered.references)).splitlines()
    return [part for line in lines for part in wrap(line, 90, subsequent_indent="    ")]


LAB = {
    "subject": """
        subject : int32
        ---
        code : varchar(8)
        sex : enum('M', 'F')
        index(code)
        """,
    "session": """
        -> subject
        session : int16
        """,
    "score": """
        score : int32
        ---
        -> [nullable] session
        """,
}


def altered(name: str, definition: str, renames: Mapping[str, str] | None = None, *parents: str) -> list[str]:
    catalog = Catalog(tuple(tables(LAB).values()))
    return statements(catalog, follow(catalog, wanted(name, definition, renames or {}, *parents)))


def test_columns_change_in_one_rewrite_of_the_table() -> None:
    definition = """
    subject : int32
    ---
    name : varchar(12)   # short
    sex = 'U' : enum('M', 'F', 'U')
    born = null : date
    """
    assert altered("subject", definition, {"code": "name"}) == snapshot(
        [
            "CREATE TYPE \"lab\".\"enum_e54fc739\" AS ENUM ('M', 'F', 'U')",
            'DROP INDEX "lab"."idx_code"',
            'ALTER TABLE "lab"."subject" RENAME COLUMN "code" TO "name"',
            'ALTER TABLE "lab"."subject"',
            '  ADD COLUMN "born" date DEFAULT NULL,',
            '  ALTER COLUMN "name" TYPE character varying(12) USING CAST("name" AS character',
            "    varying(12)),",
            '  ALTER COLUMN "sex" TYPE "lab"."enum_e54fc739" USING CAST(CAST("sex" AS text) AS',
            '    "lab"."enum_e54fc739")',
            'ALTER TABLE "lab"."subject" ALTER COLUMN "sex" SET DEFAULT \'U\'',
            'COMMENT ON COLUMN "lab"."subject"."name" IS \':varchar(12):short\'',
            "COMMENT ON COLUMN \"lab\".\"subject\".\"sex\" IS ':enum(''M'',''F'',''U''):'",
            'COMMENT ON COLUMN "lab"."subject"."born" IS \':date:\'',
        ]
    )


def test_a_key_that_grows_is_filled_down_the_tree() -> None:
    definition = """
    subject : int32
    code : varchar(8)
    ---
    sex : enum('M', 'F')
    index(code)
    """
    assert altered("subject", definition) == snapshot(
        [
            'ALTER TABLE "lab"."score" DROP CONSTRAINT "score_subject_session_fkey"',
            'ALTER TABLE "lab"."session" DROP CONSTRAINT "session_subject_fkey"',
            'ALTER TABLE "lab"."session" DROP CONSTRAINT "session_pkey"',
            'ALTER TABLE "lab"."subject" DROP CONSTRAINT "subject_pkey"',
            'ALTER TABLE "lab"."session" ADD COLUMN "code" character varying(8)',
            'ALTER TABLE "lab"."score" ADD COLUMN "code" character varying(8)',
            'UPDATE "lab"."session" AS child SET "code" = parent."code"',
            'FROM "lab"."subject" AS parent WHERE child."subject" = parent."subject"',
            'UPDATE "lab"."score" AS child SET "code" = parent."code"',
            'FROM "lab"."session" AS parent WHERE child."subject" = parent."subject" AND',
            '    child."session" = parent."session"',
            'ALTER TABLE "lab"."session" ALTER COLUMN "code" SET NOT NULL',
            'ALTER TABLE "lab"."subject" ADD PRIMARY KEY ("subject", "code")',
            'ALTER TABLE "lab"."session" ADD PRIMARY KEY ("subject", "session", "code")',
            'CREATE INDEX "idx_session_subject_code" ON "lab"."session" ("subject", "code")',
            'CREATE INDEX "idx_score_subject_session_code" ON "lab"."score" ("subject", "session",',
            '    "code")',
            'ALTER TABLE "lab"."session" ADD FOREIGN KEY ("subject", "code") REFERENCES "lab"."subject"',
            '    ("subject", "code") ON UPDATE CASCADE ON DELETE RESTRICT',
            'ALTER TABLE "lab"."score" ADD FOREIGN KEY ("subject", "session", "code") REFERENCES',
            '    "lab"."session" ("subject", "session", "code") ON UPDATE CASCADE ON DELETE RESTRICT',
        ]
    )


def test_references_to_a_retyped_key_are_made_again() -> None:
    assert altered("subject", LAB["subject"].replace("int32", "int64")) == snapshot(
        [
            'ALTER TABLE "lab"."score" DROP CONSTRAINT "score_subject_session_fkey"',
            'ALTER TABLE "lab"."session" DROP CONSTRAINT "session_subject_fkey"',
            'ALTER TABLE "lab"."subject" ALTER COLUMN "subject" TYPE bigint USING CAST("subject" AS',
            "    bigint)",
            'ALTER TABLE "lab"."session" ALTER COLUMN "subject" TYPE bigint USING CAST("subject" AS',
            "    bigint)",
            'ALTER TABLE "lab"."score"',
            '  ALTER COLUMN "subject" DROP DEFAULT,',
            '  ALTER COLUMN "subject" TYPE bigint USING CAST("subject" AS bigint)',
            'ALTER TABLE "lab"."score" ALTER COLUMN "subject" SET DEFAULT NULL',
            'ALTER TABLE "lab"."session" ADD FOREIGN KEY ("subject") REFERENCES "lab"."subject"',
            '    ("subject") ON UPDATE CASCADE ON DELETE RESTRICT',
            'ALTER TABLE "lab"."score" ADD FOREIGN KEY ("subject", "session") REFERENCES',
            '    "lab"."session" ("subject", "session") ON UPDATE CASCADE ON DELETE RESTRICT',
            'COMMENT ON COLUMN "lab"."subject"."subject" IS \':int64:\'',
        ]
    )


def test_a_renamed_key_keeps_its_references() -> None:
    definition = LAB["subject"].replace("subject :", "animal :")
    assert altered("subject", definition, {"subject": "animal"}) == snapshot(
        [
            'ALTER TABLE "lab"."subject" RENAME COLUMN "subject" TO "animal"',
            'ALTER TABLE "lab"."session" RENAME COLUMN "subject" TO "animal"',
            'ALTER TABLE "lab"."score" RENAME COLUMN "subject" TO "animal"',
        ]
    )


def test_equal_definitions_need_no_statement() -> None:
    assert altered("subject", LAB["subject"]) == []
    assert altered("session", LAB["session"], {}, "subject") == []


@pytest.mark.filterwarnings("ignore::djflow.errors.NativeTypeWarning")
def test_a_serial_cannot_be_made_of_a_column() -> None:
    with pytest.raises(AlterationError, match="counts by itself"):
        altered("score", LAB["score"].replace("score : int32", "score : serial"), {}, "session")


def test_a_parent_without_a_key_is_refused() -> None:
    with pytest.raises(AlterationError, match="no key to refer to"):
        altered("subject", "---\ncode : varchar(8)\nsex : enum('M', 'F')\nindex(code)")
