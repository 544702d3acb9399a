"""The statements of the triggers that tell of inserts."""

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.model.names import TableName
from djflow.model.table import Attribute, Table
from djflow.model.types import CoreType, NativeType, StoredType
from djflow.sql import watch


def table(*key: tuple[str, StoredType]) -> Table:
    columns = tuple(Attribute(name, stored, stored, in_key=True) for name, stored in key)
    return Table(TableName("lab", "subject"), "", columns)


def test_a_function_tells_keys_in_forms_that_no_setting_changes() -> None:
    subject = table(("subject", CoreType("int32")), ("at", NativeType("timestamp with time zone")))
    function = watch.watching_function(subject, 16402)
    assert function.settings == ""
    assert function.body == snapshot("""\
#variable_conflict use_column
DECLARE
  told bigint;
  message text;
BEGIN
BEGIN
  SELECT count(*), json_build_array(TG_RELID::bigint, '9b1630dc', json_agg(k0), json_agg(k1))::text
  INTO told, message
  FROM (SELECT "subject", "at" AT TIME ZONE 'UTC' FROM became LIMIT 1001) AS keys(k0, k1);
EXCEPTION WHEN OTHERS THEN
  told := 1001;
END;
IF told = 0 THEN
  RETURN NULL;
END IF;
IF told > 1000 OR octet_length(message) > 7999 THEN
  message := json_build_array(TG_RELID::bigint)::text;
END IF;
PERFORM pg_notify('djflow_watch_f9664ea1803311b3', message);
RETURN NULL;
END\
""")


def test_keys_that_cannot_be_told_are_left_out() -> None:
    span = table(("span", NativeType("interval")))
    assert watch.told_keys(span) == ()
    assert watch.watching_function(span, 1).body == snapshot("""\
BEGIN
IF EXISTS (SELECT FROM became) THEN
  PERFORM pg_notify('djflow_watch_f9664ea1803311b3', json_build_array(TG_RELID::bigint)::text);
END IF;
RETURN NULL;
END\
""")


def test_a_trigger_is_called_once_a_statement() -> None:
    assert watch.create_trigger(TableName("lab", "subject"), TableName("lab", "~watch_1")) == snapshot("""\
CREATE OR REPLACE TRIGGER "~watch_insert" AFTER INSERT ON "lab"."subject"
REFERENCING NEW TABLE AS became FOR EACH STATEMENT EXECUTE FUNCTION "lab"."~watch_1"()\
""")


def test_a_function_belongs_to_one_table_and_one_purpose() -> None:
    one, other = table(("subject", CoreType("int32"))), table(("subject", CoreType("float64")))
    names = {watch.watching_function(each, number).name for each in (one, other) for number in (1, 2)}
    assert len(names) == 4
    assert watch.watching_function(one, 1) == watch.watching_function(one, 1)


@given(st.text(min_size=1))
def test_a_channel_is_an_identifier_whatever_the_schema_is_called(schema: str) -> None:
    assert len(watch.channel(schema).encode()) <= 63
    assert watch.channel(schema).isidentifier()
