"""Whether each row's result depends on that row alone."""

from typing import TYPE_CHECKING, Final

from djflow.planner.polars_expressions.serialised import Tree, function_path, node_of, tree_of

if TYPE_CHECKING:
    import polars as pl

_BY_ITSELF: Final = frozenset(
    {
        "Abs",
        "Ceil",
        "Clip",
        "Coalesce",
        "Exp",
        "FillNull",
        "Floor",
        "Log",
        "Log1p",
        "MaxHorizontal",
        "MinHorizontal",
        "Negate",
        "Round",
        "Sign",
        "SumHorizontal",
    }
)
_FAMILIES: Final[dict[str, frozenset[str]]] = {
    "Boolean": frozenset(
        {
            "AllHorizontal",
            "AnyHorizontal",
            "IsBetween",
            "IsFinite",
            "IsIn",
            "IsInfinite",
            "IsNan",
            "IsNotNan",
            "IsNotNull",
            "IsNull",
            "Not",
        }
    ),
    "Pow": frozenset({"Cbrt", "Generic", "Sqrt"}),
    "StringExpr": frozenset(
        {
            "ConcatHorizontal",
            "Contains",
            "CountMatches",
            "EndsWith",
            "Extract",
            "Head",
            "LenBytes",
            "LenChars",
            "Lowercase",
            "Replace",
            "Reverse",
            "Slice",
            "StartsWith",
            "StripChars",
            "StripCharsEnd",
            "StripCharsStart",
            "StripPrefix",
            "StripSuffix",
            "Tail",
            "Titlecase",
            "Uppercase",
            "ZFill",
        }
    ),
    "TemporalExpr": frozenset(
        {
            "Date",
            "Day",
            "Hour",
            "Microsecond",
            "Millisecond",
            "Minute",
            "Month",
            "OrdinalDay",
            "Quarter",
            "Second",
            "Time",
            "TotalDays",
            "TotalHours",
            "TotalMicroseconds",
            "TotalMilliseconds",
            "TotalMinutes",
            "TotalSeconds",
            "Week",
            "WeekDay",
            "Year",
        }
    ),
    "Trigonometry": frozenset(
        {"ArcCos", "ArcSin", "ArcTan", "Cos", "Cosh", "Degrees", "Radians", "Sin", "Sinh", "Tan", "Tanh"}
    ),
}


def is_elementwise(expr: "pl.Expr") -> bool:
    """Whether each row's result surely depends on that row alone; False where in doubt.

    >>> import polars as pl
    >>> is_elementwise(pl.col("a") * 2 > 1), is_elementwise(pl.col("a") > pl.col("a").mean())
    (True, False)
    """
    try:
        return is_by_row(tree_of(expr))
    except Exception:  # noqa: BLE001 - what cannot be read could be anything
        return False


def is_by_row(tree: Tree) -> bool:
    """`is_elementwise` of a serialised expression."""
    match node_of(tree):
        case "Column", _:
            return True
        case "Literal", held:
            return "Series" not in held
        case "Alias", [inner, _]:
            return is_by_row(inner)
        case "BinaryExpr", held:
            return is_by_row(held["left"]) and is_by_row(held["right"])
        case "Ternary", held:
            return all(is_by_row(held[part]) for part in ("predicate", "truthy", "falsy"))
        case "Cast", held:
            return is_by_row(held["expr"])
        case "Function", held:
            return _is_function_by_row(held["function"], held["input"])
        case _:
            return False


def _is_function_by_row(function: Tree, arguments: list[Tree]) -> bool:
    path, _ = function_path(function)
    if path == ("Boolean", "IsIn"):  # in another column means in all of its rows
        return is_by_row(arguments[0]) and all(node_of(a)[0] == "Literal" for a in arguments[1:])
    known = path[0] in _BY_ITSELF if len(path) == 1 else path[1] in _FAMILIES.get(path[0], ())
    return known and all(map(is_by_row, arguments))
