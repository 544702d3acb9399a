"""`is_in` a list of constants."""

from typing import Any, Final

import pyarrow as pa

from djflow.planner import scalar as s
from djflow.planner.polars_expressions.kinds import INTEGERS, STORED, Value, require, truth
from djflow.planner.polars_expressions.serialised import Tree, UntranslatableError, listed, node_of

_OF_KIND: Final = {
    "Float64": pa.types.is_float64,
    "String": lambda type_: pa.types.is_string_view(type_) or pa.types.is_large_string(type_),
    "Date": pa.types.is_date32,
    "Datetime": lambda type_: type_ == pa.timestamp("us"),
    **dict.fromkeys(INTEGERS, pa.types.is_signed_integer),
}


def is_in(value: Value, values: Tree, *, nulls_equal: bool) -> Value:
    """Whether a value is one of a list; of an absent one unknown, unless `nulls_equal`."""
    array = _array(values)
    kind = require(value, *_OF_KIND).kind
    if not pa.types.is_null(array.type) and not _OF_KIND[kind](array.type):
        raise UntranslatableError(f"{kind} among {array.type}")
    wanted = tuple(found for found in array.to_pylist() if found is not None)
    if any(isinstance(found, str) and "\0" in found for found in wanted):
        raise UntranslatableError("NUL in text")
    found: s.Scalar = s.InList(value.scalar, wanted, STORED[kind]) if wanted else s.FALSE
    absent = s.IsNull(value.scalar)
    if nulls_equal:
        return truth(s.Or((absent, s.IsTrue(found))) if array.null_count else s.IsTrue(found))
    # Not in no list at all is unknown, too, where the value is absent.
    return truth(found if wanted else s.Case(((s.Not(absent), s.FALSE),), None, s.BOOL))


def _array(tree: Tree) -> Any:
    match node_of(tree):
        case "Literal", ({"Scalar": {"List": payload}} | {"Series": payload}):
            return listed(payload)
        case _:
            raise UntranslatableError("a list that is not constant")
