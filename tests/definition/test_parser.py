import pickle

import pytest
from inline_snapshot import snapshot

from djflow.definition import parse
from djflow.errors import DefinitionError, NativeTypeWarning
from djflow.model.table import (
    AttributeSpec,
    CurrentTimestamp,
    Default,
    ForeignKeySpec,
    IndexSpec,
    Literal,
    Null,
    TableSpec,
)
from djflow.model.types import CodecType, CoreType, EnumType, NativeType

INT32 = CoreType("int32")


def test_a_whole_definition_becomes_a_spec() -> None:
    assert parse("""
        # Animal subjects
        subject_id : int32   # id: assigned #1
        # a remark
        ---
        -> Species
        -> [nullable, unique] lab.Cage.Slot.proj(home='slot')
        name = null:varchar(40)
        sex = 'U' : enum('M','F','U')
        data : <blob@>
        Unique INDEX(name, sex)
        index (home, (lower(name)))
        """) == TableSpec(
        "Animal subjects",
        (AttributeSpec("subject_id", INT32, None, "id: assigned #1"),),
        (
            ForeignKeySpec("Species"),
            ForeignKeySpec("lab.Cage.Slot", (("home", "slot"),), nullable=True, unique=True),
            AttributeSpec("name", CoreType("varchar", (40,)), Null()),
            AttributeSpec("sex", EnumType(("M", "F", "U")), Literal("U")),
            AttributeSpec("data", CodecType("blob", "")),
        ),
        (IndexSpec(("name", "sex"), unique=True), IndexSpec(("home", "(lower(name))"))),
    )


def test_only_the_first_line_can_be_the_comment_of_the_table() -> None:
    assert parse("\n\n  # the table\n# a remark\na : int32").comment == "the table"
    assert parse("a : int32\n# a remark").comment == ""
    assert parse("#\n# a remark\na : int32").comment == ""
    assert parse("# : a colon after a space\na : int32").comment == ": a colon after a space"


def test_an_empty_key_section_declares_a_singleton() -> None:
    assert parse("---\na : int32") == TableSpec("", (), (AttributeSpec("a", INT32),))


def test_without_a_separator_everything_is_key() -> None:
    assert parse("a : int32\nb : int32").secondary == ()


def test_windows_line_ends_and_long_separators_are_fine() -> None:
    assert parse("a : int32\r\n-------- # key above\r\nb : int32\r\n") == parse("a : int32\n---\nb : int32")


def test_words_of_the_language_can_name_attributes() -> None:
    spec = parse("index : int32\nunique : int32\nmaster : int32\nnull : int32")
    assert [line.name for line in spec.primary if isinstance(line, AttributeSpec)] == [
        "index",
        "unique",
        "master",
        "null",
    ]


def test_quoted_text_may_contain_the_marks_of_the_language() -> None:
    [line] = parse("---\na = '# : = -> ''x'' \"y\" --- \\' : varchar(40)  # it's: a = \"comment").secondary
    assert isinstance(line, AttributeSpec)
    assert line.default == Literal("# : = -> 'x' \"y\" --- \\")
    assert line.comment == "it's: a = \"comment"


def test_an_index_keeps_sql_as_written() -> None:
    [index] = parse("a : int32\nindex ( ( a  #>> '{x,(}' ), b)  # why").indexes
    assert index.items == ("( a  #>> '{x,(}' )", "b")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("->Subject", ForeignKeySpec("Subject")),
        ("-> master  # comment", ForeignKeySpec("master")),
        ("-> Subject.proj()", ForeignKeySpec("Subject")),
        ("-> [ UNIQUE ] Subject", ForeignKeySpec("Subject", unique=True)),
        (
            "->[nullable]m.S.proj(a='b', c=\"d\",)",
            ForeignKeySpec("m.S", (("a", "b"), ("c", "d")), nullable=True),
        ),
    ],
)
def test_foreign_keys_are_read(line: str, expected: ForeignKeySpec) -> None:
    assert parse(f"a : int32\n---\n{line}").secondary == (expected,)


@pytest.mark.parametrize(
    ("default", "type_", "expected"),
    [
        ("NULL", "json", Null()),
        ("null", "<blob>", Null()),
        ("current_timestamp", "datetime", CurrentTimestamp()),
        ("CURRENT_TIMESTAMP(3)", "datetime(3)", CurrentTimestamp()),
        ("CURRENT_TIMESTAMP()", "date", CurrentTimestamp()),
        ("now()", "datetime", CurrentTimestamp()),
        ("-5", "int8", Literal("-5")),
        ("'007'", "int8", Literal("7")),
        ("1e3", "float64", Literal("1000.0")),
        (".5", "float32", Literal("0.5")),
        ("'nan'", "float64", Literal("NaN")),
        ("1.5", "decimal(8,3)", Literal("1.500")),
        ("-0", "decimal(8,3)", Literal("0.000")),
        ("TRUE", "bool", Literal("true")),
        ("0", "bool", Literal("false")),
        ('"pending"', "varchar(20)", Literal("pending")),
        ("''", "varchar(20)", Literal("")),
        ("1.0", "varchar(20)", Literal("1.0")),
        ("'null'", "varchar(20)", Literal("null")),
        ("'F'", "enum('M','F')", Literal("F")),
        ("'2024-01-31'", "date", Literal("2024-01-31")),
        ("'2024-01-31T12:30'", "datetime", Literal("2024-01-31 12:30:00")),
        (
            "'12345678123456781234567812345678'",
            "uuid",
            Literal("12345678-1234-5678-1234-567812345678"),
        ),
    ],
)
def test_defaults_have_one_spelling(default: str, type_: str, expected: Default) -> None:
    [line] = parse(f"---\na = {default} : {type_}").secondary
    assert isinstance(line, AttributeSpec)
    assert line.default == expected


def test_a_key_can_take_the_time_of_insertion() -> None:
    [line] = parse("at = CURRENT_TIMESTAMP : datetime(6)").primary
    assert isinstance(line, AttributeSpec)
    assert line.default == CurrentTimestamp()


@pytest.mark.parametrize(
    ("default", "type_", "hint"),
    [
        ("128", "int8", "from -128 to 127"),
        (f"{'9' * 5000}", "int64", "from -9223372036854775808"),
        ("1.5", "int32", "whole number"),
        ("'x'", "float64", "a number"),
        ("1e39", "float32", "within its range"),
        ("1e999", "float64", "within its range"),
        ("1.2345", "decimal(8,3)", "3 after it"),
        ("123456", "decimal(8,3)", "5 digits before"),
        ("1e99999999", "decimal(8,3)", "5 digits before"),
        ("1e99999999999999999999", "decimal(8,3)", "5 digits before"),
        ("2", "bool", "true or false"),
        ("'abc'", "varchar(2)", "at most 2 characters"),
        ("'X'", "enum('M','F')", "Labels: 'M', 'F'."),
        ("'0000-00-00'", "date", "a date such as"),
        ("'CURRENT_TIMESTAMP'", "datetime", "CURRENT_TIMESTAMP without quotes"),
        ("'2024-01-31 12:00:00.123456'", "datetime(3)", "at most 3 fractional digits"),
        ("'2024-01-31 12:00:00+01:00'", "datetime", "without an offset"),
        ("'x'", "uuid", "a UUID"),
        ("''", "<blob>", "Only `= null`"),
        ("'{}'", "json", "Only `= null`"),
        ("''", "bytes", "Only `= null`"),
        ("CURRENT_TIMESTAMP", "int32", "`datetime`"),
        ("pending", "varchar(20)", "= 'pending'"),
        ("2024-01-31", "date", "= '2024-01-31'"),
        ("it", "varchar(20)", "= 'it'"),
        ("'a' 'b'", "varchar(20)", "Quote"),
    ],
)
def test_a_default_must_be_a_constant_of_its_type(default: str, type_: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(f"---\na = {default} : {type_}")
    assert hint in caught.value.hint
    assert (caught.value.line, caught.value.column) == (2, 5)


@pytest.mark.parametrize(
    ("text", "place", "reason", "hint"),
    [
        ("", (0, 1), "no attributes", "subject_id : int32"),
        ("# only a comment\n---", (0, 1), "no attributes", ""),
        ("#: x\na : int32", (1, 1), "cannot start with a colon", "Leave"),
        ("a : int32  #:x", (1, 12), "cannot start with a colon", "Leave"),
        ("a = '#' : varchar(3)  # :x", (1, 23), "cannot start with a colon", "Leave"),
        ("a : int33", (1, 5), "Unknown type", "'int32'"),
        ("a :", (1, 3), "type is missing", "name : int32"),
        ("a", (1, 1), "not understood", "`name : type`"),
        (": int32", (1, 1), "name of the attribute is missing", ""),
        ("= 5 : int32", (1, 1), "name of the attribute is missing", ""),
        ("a b : int32", (1, 3), "Expected `:` or `=`", ""),
        ("Name : int32", (1, 1), "cannot name an attribute", "'name'"),
        ("_hidden : int32", (1, 1), "leading underscore", "'hidden'"),
        ("session-date : date", (1, 8), "consists of", "session_date"),
        ("'a' : int32", (1, 1), "without quotes", ""),
        ("2nd : int32", (1, 2), "consists of", ""),
        ("a = : int32", (1, 3), "default is missing", "leave `=` out"),
        ("a : int32 = 5", (1, 11), "before the type", "`a = 5 : int32`"),
        ("a = 12:30 : time", (1, 11), "second colon", "quotes"),
        ("a = 'x : varchar(8)", (1, 5), "not closed", "quote"),
        ("a = null : int32", (1, 5), "cannot be null", "below `---`"),
        ("a = 5 : int32", (1, 5), "default of a primary key", "CURRENT_TIMESTAMP"),
        ("a : int32\nb : int32\n---\na : int32", (4, 1), "already, in line 1", "Rename"),
        ("a : int32\n---\n---", (3, 1), "first is in line 2", ""),
        ("a : int32\n--- b", (2, 5), "follow the separator", ""),
        ("->", (1, 3), "parent is missing", "`-> Parent`"),
        ("-> Subject.", (1, 12), "parent is missing", ""),
        ("-> (mate) Subject", (1, 4), "parent is missing", ".proj(new='old')"),
        ("-> Subject()", (1, 11), "Nothing else", ""),
        ("-> Subject & 'a=1'", (1, 12), "Nothing else", ""),
        ("-> Subject Cage", (1, 12), "Nothing else", ""),
        ("-> [nullable] Subject", (1, 5), "cannot be nullable", "below `---`"),
        ("-> [uniqe] Subject", (1, 5), "nullable and unique", "'unique'"),
        ("-> [] Subject", (1, 5), "nullable and unique", ""),
        ("-> [unique Subject", (1, 4), "not closed", ""),
        ("-> S.proj(a='b'", (1, 10), "not closed", ""),
        ("-> S.proj(a='b').x", (1, 17), "follow proj", ""),
        ("-> S.proj(a=b)", (1, 13), "not quoted", "a='b'"),
        ("-> S.proj('a')", (1, 11), "only rename", ""),
        ("-> S.proj(...)", (1, 11), "only rename", ""),
        ("-> S.proj(,a='b')", (1, 17), "missing", ""),
        ("-> S.proj(a='b', a='c')", (1, 18), "twice", ""),
        ("-> S.proj(A='b')", (1, 11), "cannot name", "'a'"),
        ("index ()", (1, 8), "missing", "`index (a, b)`"),
        ("index (a,)", (1, 10), "missing", ""),
        ("index (a", (1, 7), "not closed", "`)`"),
        ("index (a) b", (1, 11), "Nothing can follow", ""),
        ("index (lower(a))", (1, 8), "Not the name", "index ((lower(a)))"),
        ("index ((a) + (b))", (1, 8), "Not the name", ""),
    ],
)
def test_every_mistake_has_a_place_and_a_way_out(
    text: str, place: tuple[int, int], reason: str, hint: str
) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    assert reason in caught.value.reason
    assert hint in caught.value.hint
    assert (caught.value.line, caught.value.column) == place


def test_the_message_shows_the_line_with_a_caret() -> None:
    with pytest.raises(DefinitionError) as caught:
        parse("# Subjects\n\tsubject_id : int33  # id\n")
    assert str(caught.value) == snapshot("""\
Unknown type 'int33'.
   2 |  subject_id : int33  # id
                     ^
Did you mean 'int32'?\
""")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_native_types_warn_and_pass() -> None:
    with pytest.warns(NativeTypeWarning, match=r"attribute 'a'.*consider int32") as caught:
        spec = parse("a : int")
    assert spec.primary == (AttributeSpec("a", NativeType("integer")),)
    assert caught[0].filename == __file__


def test_mapped_types_warn_with_what_they_become() -> None:
    with pytest.warns(NativeTypeWarning, match=r"attribute 'a'.*taken as int16; write int16"):
        assert parse("a : tinyint unsigned").primary == (AttributeSpec("a", CoreType("int16")),)
