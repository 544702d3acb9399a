"""Trees whose value depends on one row."""

from collections.abc import Callable
from typing import Any, TypeAlias

from djflow.model.table import Heading
from djflow.planner import scalar as s
from djflow.planner.polars_expressions.calls import call, cast
from djflow.planner.polars_expressions.kinds import (
    STORED,
    Value,
    as_kind,
    case,
    column_value,
    common_kind,
    require,
)
from djflow.planner.polars_expressions.literals import read_literal
from djflow.planner.polars_expressions.membership import is_in
from djflow.planner.polars_expressions.operators import binary
from djflow.planner.polars_expressions.serialised import Tree, UntranslatableError, function_path, node_of

Reader: TypeAlias = Callable[[Tree], Value]


def row_reader(heading: Heading) -> Reader:
    """What reads expressions over the attributes of one row."""

    def read(tree: Tree) -> Value:
        match node_of(tree):
            case "Column", str() as name:
                return column_value(heading[name])
            case kind, held:
                return read_composed(kind, held, read)

    return read


def read_composed(kind: str, held: Any, read: Reader) -> Value:
    """The value of a node that combines others, which `read` reads."""
    match kind:
        case "Literal":
            return read_literal(held)
        case "Alias":
            return read(held[0])
        case "BinaryExpr":
            return binary(held["op"], read(held["left"]), read(held["right"]))
        case "Ternary":
            return _choice(read(held["predicate"]), read(held["truthy"]), read(held["falsy"]))
        case "Cast":
            strict = {"Strict": True, "NonStrict": False}[held["options"]]
            return cast(read(held["expr"]), held["dtype"]["Literal"], strict=strict)
        case "Function":
            return _function(held["function"], held["input"], read)
        case _:
            raise UntranslatableError(kind)


def _choice(predicate: Value, then: Value, otherwise: Value) -> Value:
    kind = common_kind(then, otherwise)
    when = require(predicate, "Boolean").scalar
    if kind == "Decimal":
        return Value(s.Case(((when, then.scalar),), otherwise.scalar, s.type_of(then.scalar)), kind)
    return case(
        ((when, as_kind(then, kind)),), as_kind(otherwise, kind), require(Value(when, kind), *STORED).kind
    )


def _function(function: Tree, arguments: list[Tree], read: Reader) -> Value:
    path, options = function_path(function)
    if path == ("Boolean", "IsIn"):
        value, values = arguments
        return is_in(read(value), values, nulls_equal=options["nulls_equal"])
    return call(path, [read(argument) for argument in arguments], options)
