"""Hypothesis strategies of schemas of related tables; they need the package `hypothesis`."""

from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from djflow.definition import bind, parse
from djflow.model.names import TableName
from djflow.model.table import Table
from djflow.model.types import CodecType, CoreType

_KEY_TYPES: Final = (
    "int32",
    "int16",
    "varchar(6)",
    "int64",
    "int8",
    "char(3)",
    "enum('a', 'b', 'it''s')",
    "date",
    "uuid",
    "decimal(6,2)",
    "datetime",
    "bool",
)
_TYPES: Final = (*_KEY_TYPES, "float64", "float32", "varchar(10)", "decimal(12,0)", "json", "bytes")
# Tables have some of these in common, though not by origin.
_SHARED: Final = ("note", "x")


@st.composite
def schemas(draw: st.DrawFn, schema: str, most: int = 5) -> tuple[Table, ...]:
    """Two to `most` tables of a schema, parents first, related by foreign keys of all kinds."""
    known: dict[str, Table] = {}
    for number in range(draw(st.integers(2, most))):
        definition, master = draw(_definitions(tuple(known.values()), number))
        name = f"{master}__p{number}" if master else f"t{number}"
        known[name] = bind(
            parse(definition),
            TableName(schema, name),
            resolve=lambda reference: known[reference],
            codec_dtype=_no_codec,
        )
    return tuple(known.values())


def _no_codec(codec: CodecType) -> CoreType:
    raise AssertionError(codec)


@st.composite
def _definitions(draw: st.DrawFn, known: Sequence[Table], number: int) -> tuple[str, str]:
    """A definition, and the name of the master if it is one of a part."""
    kind = draw(
        st.sampled_from(("root", "child", "child", "part", "extension", "singleton") if known else _FIRST)
    )
    masters = [table for table in known if "__" not in table.name.table and not table.is_singleton]
    parents = [table for table in known if not table.is_singleton]
    if kind != "singleton" and not masters:
        kind = "root"
    keys = [
        f"k{number}{letter} : {draw(st.sampled_from(_KEY_TYPES))}"
        for letter in "ab"[: draw(st.integers(1, 2))]
    ]
    master = ""
    match kind:
        case "singleton":
            keys = []
        case "child":
            keys = [f"-> {draw(st.sampled_from(parents)).name.table}", keys[0]]
        case "extension":
            keys = [f"-> {draw(st.sampled_from(parents)).name.table}"]
        case "part":
            master = draw(st.sampled_from(masters)).name.table
            keys = ["-> master", keys[0]]
    secondary = [draw(_attributes(f"a{number}{letter}")) for letter in "abc"[: draw(st.integers(0, 3))]]
    if draw(st.booleans()):
        secondary.append(draw(_attributes(draw(st.sampled_from(_SHARED)))))
    if parents and draw(st.sampled_from((True, False))):
        secondary.append(draw(_references(draw(st.sampled_from(parents)), number)))
    if not (keys or secondary):
        secondary.append(draw(_attributes(f"a{number}")))
    text = "\n".join((*keys, "---", *secondary))
    return text.replace("-> master", f"-> {master}"), master


_FIRST: Final = ("root", "root", "root")


@st.composite
def _attributes(draw: st.DrawFn, name: str) -> str:
    default = draw(st.sampled_from((" = null", " = null", "")))
    return f"{name}{default} : {draw(st.sampled_from(_TYPES))}"


@st.composite
def _references(draw: st.DrawFn, parent: Table, number: int) -> str:
    options = draw(st.sampled_from(("", "[nullable] ", "[nullable, unique] ", "[unique] ", "[nullable] ")))
    renames = ", ".join(f"f{number}_{name}='{name}'" for name in parent.primary_key)
    return f"-> {options}{parent.name.table}.proj({renames})"
