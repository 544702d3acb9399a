import pytest
from hypothesis import given
from inline_snapshot import snapshot

from djflow.definition.types import native_advice, parse_type
from djflow.errors import DefinitionError
from djflow.model.types import CodecType, CoreType, DataType, EnumType, NativeType, arrow_type
from djflow.testing.strategies import data_types


@given(data_types())
def test_parsing_inverts_printing(type_: DataType) -> None:
    assert parse_type(str(type_)) == type_


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int32", CoreType("int32")),
        ("  INT32 ", CoreType("int32")),
        ("varchar( 20 )", CoreType("varchar", (20,))),
        ("decimal(8, 3)", CoreType("decimal", (8, 3))),
        ("decimal(76,0)", CoreType("decimal", (76, 0))),
        ("datetime", CoreType("datetime")),
        ("datetime(0)", CoreType("datetime", (0,))),
        ("enum('a', \"b\")", EnumType(("a", "b"))),
        (
            "ENUM ('it''s', \"say \"\"so\"\"\", 'not null', 'a,b)')",
            EnumType(("it's", 'say "so"', "not null", "a,b)")),
        ),
        ("<blob>", CodecType("blob")),
        ("<blob@>", CodecType("blob", "")),
        ("<npy@main>", CodecType("npy", "main")),
    ],
)
def test_core_enum_and_codec_types_are_read(text: str, expected: DataType) -> None:
    assert parse_type(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("int", "integer"),
        ("INTEGER", "integer"),
        ("int(11)", "integer"),
        ("int(10) unsigned", "int64"),
        ("tinyint(1)", "int8"),
        ("bigint unsigned", "decimal(20,0)"),
        ("mediumint", "int32"),
        ("year(4)", "int16"),
        ("double", "float64"),
        ("double  precision", "double precision"),
        ("float", "double precision"),
        ("float(10)", "real"),
        ("float(30)", "double precision"),
        ("float(8,2)", "real"),
        ("real[]", "real[]"),
        ("int4[][3]", "integer[]"),
        ("varchar(20)[]", "character varying(20)[]"),
        ("numeric", "numeric"),
        ("numeric(8,3)", "numeric(8,3)"),
        ("numeric(8)", "numeric(8,0)"),
        ("timestamp(6)", "timestamp(6) without time zone"),
        ("timestamp(3) with time zone", "timestamp(3) with time zone"),
        ("timestamptz", "timestamp with time zone"),
        ("time(2)", "time(2) without time zone"),
        ("interval", "interval"),
        ("boolean", "bool"),
        ("jsonb", "json"),
        ("bytea", "bytes"),
        ("character varying(20)", "varchar(20)"),
        ("character varying", "character varying"),
        ("character", "char(1)"),
        ("longblob", "bytes"),
        ("varbinary(64)", "bytes"),
        ("longtext", "text"),
    ],
)
def test_native_spellings_find_their_type(text: str, expected: str) -> None:
    assert str(parse_type(text)) == expected


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("", "missing", "name : int32"),
        ("int33", "Unknown type", "Did you mean 'int32'?"),
        ("string", "Unknown type", "varchar(255)"),
        ("uint16", "Unknown type", "int32"),
        ("int32 unsigned", "Unknown type", "Leave `unsigned` out"),
        ("blob@store", "Unknown type", "<blob@store>"),
        ("attach", "Unknown type", "<attach>"),
        ("<blob", "Not a codec", "<name@store>"),
        ("varchar", "takes 1 argument", "varchar(255)"),
        ("varchar(0)", "length of varchar is 0", "from 1"),
        ("varchar(n)", "not whole numbers", ""),
        ("int32(11)", "takes no arguments", "Write int32."),
        ("decimal", "takes 2 arguments", "decimal(8,3)"),
        ("decimal(77,0)", "precision", "from 1 to 76"),
        ("decimal(3,4)", "scale", "from 0 to 3"),
        ("numeric(1,2,3)", "at most 2", "decimal(8,3)"),
        ("datetime(7)", "fractional digits", "from 0 to 6"),
        ("timestamp(7)", "fractional digits", "from 0 to 6"),
        ("date time", "Unknown type", "Did you mean 'datetime'?"),
        ("bytes please", "Unknown type", "bytes and nothing after it"),
        ("real(3)", "takes no such arguments", "Write real."),
        ("serial[]", "no arrays", "integer[]"),
        ("enum(a, b)", "quoted strings", "enum('M','F')"),
        ("enum()", "quoted strings", "enum('M','F')"),
        ("enum('a' 'b')", "quoted strings", "enum('M','F')"),
        ("enum('a','a')", "twice", "Leave one out"),
        (f"enum('{'x' * 64}')", "63 bytes", "Shorten"),
        ("int32 not null", "NOT NULL", "leave NOT NULL out"),
        ("int32 null", "NULL", "= null"),
        ("varchar(8) default 'a'", "DEFAULT", "name = value : type"),
        ("int primary key", "PRIMARY KEY", "above `---`"),
        ("int unique", "UNIQUE", "unique index"),
        ("int comment 'x'", "COMMENT", "after `#`"),
        ("text collate utf8", "COLLATE", "leave it out"),
        ("text character set utf8", "CHARACTER SET", "leave the character set out"),
        ("int auto_increment", "AUTO_INCREMENT", "serial"),
    ],
)
def test_mistakes_say_what_to_write_instead(text: str, reason: str, hint: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_type(text)
    assert reason in caught.value.reason
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "text", ["int32", "decimal (8,3)", "VARCHAR(20)", "enum('int')", "<blob@>", "datetime(3)"]
)
def test_portable_types_need_no_advice(text: str) -> None:
    assert native_advice(text, parse_type(text)) is None


def test_advice_names_the_portable_type() -> None:
    spellings = ["int", "tinyint", "numeric(8,3)", "timestamp(3)", "interval", "real[]", "serial", "longblob"]
    assert [native_advice(text, parse_type(text)) for text in spellings] == snapshot(
        [
            "the native type 'int' is not portable; consider int32",
            "the native type 'tinyint' is taken as int8; write int8",
            "the native type 'numeric(8,3)' is not portable; consider decimal(8,3)",
            "the native type 'timestamp(3)' is not portable; consider datetime",
            "the native type 'interval' is not portable",
            "the native type 'real[]' is not portable",
            "the native type 'serial' is not portable; consider uuid, or a key that means something",
            "the native type 'longblob' is taken as bytes; write bytes",
        ]
    )


@given(data_types())
def test_every_stored_type_has_an_arrow_twin(type_: DataType) -> None:
    if not isinstance(type_, CodecType):
        assert arrow_type(type_) is not None


def test_native_types_stay_native() -> None:
    assert isinstance(parse_type("integer"), NativeType)
