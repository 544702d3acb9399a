"""Hypothesis strategies of definitions; they need the package `hypothesis`."""

import keyword

from hypothesis import strategies as st

from djflow.definition.defaults import accepts_current_timestamp, canonical_default
from djflow.model.table import (
    AttributeSpec,
    CurrentTimestamp,
    Default,
    ForeignKeySpec,
    IndexSpec,
    Line,
    Null,
    TableSpec,
)
from djflow.model.types import CodecType, CoreType, DataType, EnumType, NativeType

_NATIVE = (
    "smallint",
    "integer",
    "bigint",
    "real",
    "double precision",
    "text",
    "numeric",
    "numeric(8,3)",
    "interval",
    "character varying",
    "timestamp without time zone",
    "timestamp(3) with time zone",
    "time(0) without time zone",
    "real[]",
    "double precision[]",
    "character varying(20)[]",
    "numeric(8,3)[]",
)
_SIMPLE_CORE = (
    "int8",
    "int16",
    "int32",
    "int64",
    "float32",
    "float64",
    "bool",
    "date",
    "datetime",
    "bytes",
    "json",
    "uuid",
)
_BITS = {"int8": 8, "int16": 16, "int32": 32, "int64": 64, "smallint": 16, "integer": 32, "bigint": 64}


def printable_text(max_size: int = 20) -> st.SearchStrategy[str]:
    """Text of one line, in any script, without control characters."""
    return st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=max_size)


def attribute_names() -> st.SearchStrategy[str]:
    """Names that an attribute may have, words of the language and of SQL among them."""
    common = st.sampled_from(
        ("index", "unique", "null", "proj", "select", "master", "enum", "default", "a", "b")
    )
    return common | st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)


def data_types() -> st.SearchStrategy[DataType]:
    """Types of every kind, in canonical spelling."""
    lengths = st.integers(1, 300)
    precisions = st.integers(1, 76).flatmap(lambda p: st.tuples(st.just(p), st.integers(0, p)))
    labels = st.lists(printable_text(8), min_size=1, max_size=4, unique=True)
    stores = st.none() | st.just("") | st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
    return st.one_of(
        st.sampled_from(_SIMPLE_CORE).map(CoreType),
        st.builds(lambda name, n: CoreType(name, (n,)), st.sampled_from(("char", "varchar")), lengths),
        st.builds(lambda n: CoreType("datetime", (n,)), st.integers(0, 6)),
        precisions.map(lambda pair: CoreType("decimal", pair)),
        labels.map(lambda texts: EnumType(tuple(texts))),
        st.builds(CodecType, st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), stores),
        st.sampled_from(_NATIVE).map(NativeType),
    )


def default_values(type_: DataType) -> st.SearchStrategy[Default | None]:
    """Defaults that an attribute of this type outside the key may have, None among them."""
    options: list[st.SearchStrategy[Default | None]] = [st.none(), st.just(Null())]
    if accepts_current_timestamp(type_):
        options.append(st.just(CurrentTimestamp()))
    constants = _constants(type_)
    if constants is not None:
        options.append(constants.map(lambda text: canonical_default(type_, text)))
    return st.one_of(options)


def _constants(type_: DataType) -> st.SearchStrategy[str] | None:
    match type_:
        case EnumType(labels):
            return st.sampled_from(labels)
        case CoreType("char" | "varchar", (length,)):
            return printable_text(min(length, 20))
        case CoreType("decimal", (precision, scale)):
            digits = 10**precision - 1
            return st.integers(-digits, digits).map(lambda n: _point(n, scale))
        case CoreType("datetime", args):
            unit = 10 ** (6 - (args[0] if args else 6))
            return st.datetimes().map(
                lambda moment: moment.replace(microsecond=moment.microsecond // unit * unit).isoformat()
            )
        case CoreType(name) | NativeType(name):
            return _by_name(name)
        case CodecType():
            return None


def _point(number: int, scale: int) -> str:
    digits = str(abs(number)).rjust(scale + 1, "0")
    cut = len(digits) - scale
    return ("-" if number < 0 else "") + digits[:cut] + "." + digits[cut:]


def _by_name(name: str) -> st.SearchStrategy[str] | None:
    if name in _BITS:
        half = 1 << (_BITS[name] - 1)
        return st.integers(-half, half - 1).map(str)
    match name:
        case "float32" | "real":
            return st.floats(width=32).map(str)
        case "float64" | "double precision":
            return st.floats().map(str)
        case "bool":
            return st.sampled_from(("true", "false", "0", "1"))
        case "date":
            return st.dates().map(str)
        case "uuid":
            return st.uuids().map(str)
        case "text" | "interval" | "character varying":
            return printable_text()
        case _:
            return None


@st.composite
def attribute_specs(draw: st.DrawFn, name: str, *, in_key: bool = False) -> AttributeSpec:
    """Attribute lines of a name; those of a key have no default that keys forbid."""
    type_ = draw(data_types())
    default = None if in_key else draw(default_values(type_))
    comment = draw(printable_text().map(str.strip).filter(lambda text: not text.startswith(":")))
    return AttributeSpec(name, type_, default, comment)


@st.composite
def foreign_key_specs(draw: st.DrawFn, *, in_key: bool = False) -> ForeignKeySpec:
    """Foreign-key lines to parents that need not exist."""
    segment = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True).filter(
        lambda s: not keyword.iskeyword(s)
    )
    parent = draw(st.just("master") | st.lists(segment, min_size=1, max_size=3).map(".".join))
    new = draw(st.lists(attribute_names(), max_size=3, unique=True))
    old = draw(st.lists(attribute_names(), min_size=len(new), max_size=len(new), unique=True))
    renames = tuple(zip(new, old, strict=True))
    return ForeignKeySpec(parent, renames, not in_key and draw(st.booleans()), draw(st.booleans()))


@st.composite
def table_specs(draw: st.DrawFn) -> TableSpec:
    """Whole definitions with at least one line; `parse` and `render` are inverse on them."""
    names = draw(st.lists(attribute_names(), max_size=6, unique=True))
    cut = draw(st.integers(0, len(names)))
    primary: list[Line] = [draw(attribute_specs(name, in_key=True)) for name in names[:cut]]
    secondary: list[Line] = [draw(attribute_specs(name)) for name in names[cut:]]
    for section, in_key in ((primary, True), (secondary, False)):
        for foreign_key in draw(st.lists(foreign_key_specs(in_key=in_key), max_size=2)):
            section.insert(draw(st.integers(0, len(section))), foreign_key)
    if not primary and not secondary:
        primary.append(draw(foreign_key_specs(in_key=True)))
    comment = draw(printable_text().map(str.strip))
    return TableSpec(comment, tuple(primary), tuple(secondary), tuple(draw(st.lists(_indexes(), max_size=2))))


def _indexes() -> st.SearchStrategy[IndexSpec]:
    expressions = st.sampled_from(("(lower(a))", "(meta #>> '{x,y}')", "(a || ', (' || b)", "((a + b) * 2)"))
    items = st.lists(attribute_names() | expressions, min_size=1, max_size=3)
    return st.builds(lambda chosen, unique: IndexSpec(tuple(chosen), unique), items, st.booleans())
