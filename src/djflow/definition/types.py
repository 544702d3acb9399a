"""Texts of attribute types to `DataType`; `str` goes the other way.

The parser here is silent about native spellings: introspection reads them by the thousand.
Definitions that people write are answered with `native_advice` by the definition parser.
"""

import re
from collections.abc import Sequence
from typing import Final

from djflow.errors import DefinitionError, did_you_mean
from djflow.model.types import (
    CORE_ARITY,
    NATIVE_ALIASES,
    CodecType,
    CoreType,
    DataType,
    EnumType,
    NativeType,
    StoredType,
    sql_type,
)

MAX_PRECISION: Final = 76  # digits of Arrow's widest decimal; PostgreSQL's limit is far higher
MAX_LENGTH: Final = 10_485_760  # characters; PostgreSQL's limit for char and varchar
MAX_LABEL: Final = 63  # bytes; PostgreSQL's limit for an enum label
_FRACTION_DIGITS: Final = 6
_SINGLE_PRECISION_BITS: Final = 24
_DOUBLE_PRECISION_BITS: Final = 53

_STRING: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_CODEC: Final = re.compile(r"<([A-Za-z_]\w*)(?:@([\w.-]*))?>")
_OLD_CODEC: Final = re.compile(r"(\w+)@([\w.-]*)")
_ENUM: Final = re.compile(r"enum\s*\((.*)\)", re.IGNORECASE | re.DOTALL)
_WORDS: Final = re.compile(
    r"(?P<head>[a-z_]\w*(?:\s+[a-z_]\w*)*)\s*(?:\((?P<args>[^()]*)\))?"
    r"(?P<tail>(?:\s*[a-z_]\w*)*)\s*(?P<array>(?:\[\d*\]\s*)*)"
)
_MODIFIERS: Final = (
    (r"not\s+null", "An attribute without `= null` is required already; leave NOT NULL out."),
    (r"null", "Write `name = null : type`."),
    (r"default", "Write `name = value : type`."),
    (r"primary\s+key", "Put the attribute above `---`."),
    (r"unique", "Add a line `unique index (name)`."),
    (r"comment", "Write the comment after `#`."),
    (r"references", "Add a line `-> Parent`."),
    (r"collate", "Collation belongs to the database; leave it out."),
    (r"character\s+set|charset", "Every database is UTF-8; leave the character set out."),
    (r"auto_increment", "Use a key that means something, a `uuid`, or the native type `serial`."),
    (r"zerofill", "Format numbers where they are shown; leave it out."),
)
_EXAMPLES: Final = {
    "decimal": "decimal(8,3)",
    "char": "char(8)",
    "varchar": "varchar(255)",
    "datetime": "datetime(3)",
}
# What people write who come from other languages, and what they mean.
_MEANINGS: Final = {
    "string": "varchar(255)",
    "str": "varchar(255)",
    "uint8": "int16",
    "uint16": "int32",
    "uint32": "int64",
    "uint64": "decimal(20,0)",
    "float16": "float32",
    "attach": "<attach>",
    "filepath": "<filepath@store>",
    "hash": "<hash@>",
    "npy": "<npy@>",
    "object": "<object@>",
    "set": "a part table with a row for each member",
}
# MySQL's arguments of these are display widths or size hints that change no value.
_ARGUMENTS_IGNORED: Final = re.compile(
    r"(?:tiny|small|medium|big)?int\b|integer|year|double|\w*text|\w*blob|(?:var)?binary"
)
# SQL's names of types that are core types once they have a length.
_CHARACTER: Final = {"character": "char", "character varying": "varchar"}
_RECOMMENDED: Final = {
    "smallint": "int16",
    "integer": "int32",
    "bigint": "int64",
    "real": "float32",
    "double precision": "float64",
    "text": "varchar(n) with a limit",
    "character varying": "varchar(n) with a limit",
    "numeric": "decimal(p,s)",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "datetime, in UTC",
    "serial": "uuid, or a key that means something",
    "bigserial": "uuid, or a key that means something",
}


def parse_type(text: str) -> DataType:
    """The type that a text names: a core type, an enum, a codec, or a native type of PostgreSQL.

    Spellings of MySQL become the nearest core type. Raises `DefinitionError` for anything else,
    with a suggestion and without a position.

    >>> parse_type("decimal(8, 3)"), parse_type("<npy@main>")
    (CoreType(name='decimal', args=(8, 3)), CodecType(name='npy', store='main'))
    >>> parse_type("enum('M','F')"), parse_type("int unsigned"), str(parse_type("float8[]"))
    (EnumType(labels=('M', 'F')), CoreType(name='int64', args=()), 'double precision[]')
    """
    text = text.strip()
    if not text:
        raise DefinitionError("The type is missing.", hint="Write, for example, `name : int32`.")
    if text.startswith("<"):
        return _codec(text)
    _refuse_modifiers(text)
    if enum := _ENUM.fullmatch(text):
        return EnumType(_labels(enum[1]))
    words = _WORDS.fullmatch(text.lower())
    if words is None:
        raise DefinitionError(f"Unknown type {text!r}.", hint=_old_codec_hint(text))
    name = " ".join((words["head"] + " " + words["tail"]).split())
    stored = _stored(name, _arguments(words["args"], text))
    return _array(stored) if words["array"] else stored


def native_advice(text: str, type_: DataType) -> str | None:
    """What to write instead of a native spelling, or None where `text` is no such spelling.

    >>> native_advice("int", parse_type("int"))
    "the native type 'int' is not portable; consider int32"
    >>> native_advice("int32", parse_type("int32"))
    """
    spelling = " ".join(text.split())
    match type_:
        case NativeType(sql):
            base = re.sub(r"\(.*?\)", "", sql)
            better = (
                sql.replace("numeric", "decimal") if sql.startswith("numeric(") else _RECOMMENDED.get(base)
            )
            advice = f"; consider {better}" if better else ""
            return f"the native type {spelling!r} is not portable{advice}"
        case CoreType() if re.split(r"[\s(]", spelling.lower(), maxsplit=1)[0] != type_.name:
            return f"the native type {spelling!r} is taken as {type_}; write {type_}"
        case _:
            return None


def _codec(text: str) -> CodecType:
    match = _CODEC.fullmatch(text)
    if match is None:
        raise DefinitionError(
            f"Not a codec: {text!r}.", hint="Write <name>, <name@> for the default store, or <name@store>."
        )
    return CodecType(match[1], match[2])


def _old_codec_hint(text: str) -> str:
    old = _OLD_CODEC.fullmatch(text)
    return f"Write <{old[1]}@{old[2]}>." if old else "Write, for example, int32, varchar(255) or <blob>."


def _refuse_modifiers(text: str) -> None:
    bare = _STRING.sub("''", text)
    for pattern, hint in _MODIFIERS:
        if found := re.search(rf"\b(?:{pattern})\b", bare, re.IGNORECASE):
            raise DefinitionError(f"{found[0].upper()} is not part of a type.", hint=hint)


def _labels(text: str) -> tuple[str, ...]:
    labels: list[str] = []
    rest = text.strip()
    while quoted := _STRING.match(rest):
        quote = quoted[0][0]
        labels.append(quoted[0][1:-1].replace(quote * 2, quote))
        rest = rest[quoted.end() :].lstrip()
        if not rest:
            return _checked_labels(labels)
        if not rest.startswith(","):
            break
        rest = rest[1:].lstrip()
    raise DefinitionError(
        "The labels of an enum are quoted strings, separated by commas.",
        hint="Write, for example, enum('M','F').",
    )


def _checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    for position, label in enumerate(labels):
        if label in labels[:position]:
            raise DefinitionError(f"The enum has the label {label!r} twice.", hint="Leave one out.")
        if len(label.encode()) > MAX_LABEL:
            raise DefinitionError(
                f"The enum label {label!r} has more than {MAX_LABEL} bytes.", hint="Shorten it."
            )
    return tuple(labels)


def _arguments(text: str | None, whole: str) -> tuple[int, ...]:
    if text is None:
        return ()
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(re.fullmatch(r"[0-9]{1,9}", piece) for piece in pieces):
        raise DefinitionError(f"The arguments of {whole!r} are not whole numbers.")
    return tuple(map(int, pieces))


def _stored(name: str, args: tuple[int, ...]) -> CoreType | NativeType:
    if name in CORE_ARITY:
        return _core(name, args)
    if name not in NATIVE_ALIASES:
        raise DefinitionError(f"Unknown type {name!r}.", hint=_unknown_hint(name))
    if name == "float":
        return _float(args)
    if args and name in _CHARACTER:
        return _core(_CHARACTER[name], args)
    target = NATIVE_ALIASES[name]
    if not args or _ARGUMENTS_IGNORED.match(name):
        return target
    if isinstance(target, CoreType):
        return _core(target.name, args)
    return _native(target.sql, args)


def _unknown_hint(name: str) -> str:
    first = name.partition(" ")[0]
    if name.endswith("unsigned"):
        return "Leave `unsigned` out; where the range matters, use the next larger type."
    if name in _MEANINGS:
        return f"Write {_MEANINGS[name]}."
    if close := did_you_mean(name, [*CORE_ARITY, "enum", *NATIVE_ALIASES]).strip():
        return close
    if first in CORE_ARITY:
        return f"Write {_EXAMPLES.get(first, first)} and nothing after it."
    return f"The core types are {', '.join(CORE_ARITY)} and enum."


def _core(name: str, args: tuple[int, ...]) -> CoreType:
    fewest, most = CORE_ARITY[name]
    if not fewest <= len(args) <= most:
        takes = f"takes {most} argument{'s' if most > 1 else ''}" if most else "takes no arguments"
        raise DefinitionError(f"{name} {takes}.", hint=f"Write {_EXAMPLES.get(name, name)}.")
    match name, args:
        case "decimal", (precision, scale):
            _check_decimal(precision, scale)
        case "char" | "varchar", (length,):
            _check_range(f"The length of {name}", length, 1, MAX_LENGTH)
        case "datetime", (digits,):
            _check_range("The number of fractional digits", digits, 0, _FRACTION_DIGITS)
    return CoreType(name, args)


def _native(sql: str, args: tuple[int, ...]) -> NativeType:
    if sql == "numeric":
        if len(args) > 2:  # noqa: PLR2004 - precision and scale
            raise DefinitionError("numeric takes at most 2 arguments.", hint="Write decimal(8,3).")
        precision, scale = (*args, 0)[:2]
        _check_decimal(precision, scale)
        return NativeType(f"numeric({precision},{scale})")
    first, *rest = sql.split()
    if first not in ("time", "timestamp", "interval") or len(args) > 1:
        raise DefinitionError(f"{sql} takes no such arguments.", hint=f"Write {sql}.")
    _check_range("The number of fractional digits", args[0], 0, _FRACTION_DIGITS)
    return NativeType(" ".join([f"{first}({args[0]})", *rest]))


def _float(args: tuple[int, ...]) -> NativeType:
    match args:
        case ():
            return NativeType("double precision")
        case (bits,):
            _check_range("The bits of float", bits, 1, _DOUBLE_PRECISION_BITS)
            return NativeType("real" if bits <= _SINGLE_PRECISION_BITS else "double precision")
        case _:  # MySQL's display width and digits, of a single-precision number
            return NativeType("real")


def _array(element: StoredType) -> NativeType:
    sql = sql_type(element)
    if "serial" in sql:
        raise DefinitionError(f"There are no arrays of {sql}.", hint="Write integer[].")
    return NativeType(sql + "[]")


def _check_decimal(precision: int, scale: int) -> None:
    _check_range("The precision of a decimal", precision, 1, MAX_PRECISION)
    _check_range("The scale of a decimal", scale, 0, precision)


def _check_range(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise DefinitionError(f"{what} is {value}.", hint=f"It must be from {least} to {most}.")
