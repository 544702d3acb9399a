"""The scalar expression tree: what conditions and computed attributes are made of.

Every node is a frozen value. Constants hold Python values and become query parameters,
never SQL text.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, assert_never

from djflow.model.types import CoreType, EnumType, StoredType

if TYPE_CHECKING:
    from djflow.planner.nodes import Node

BOOL: Final = CoreType("bool")
INT64: Final = CoreType("int64")
FLOAT64: Final = CoreType("float64")
TEXT: Final = CoreType("varchar")
DATE: Final = CoreType("date")
DATETIME: Final = CoreType("datetime")
JSON: Final = CoreType("json")

CompareOp: TypeAlias = Literal["=", "<>", "<", "<=", ">", ">="]
ArithmeticOp: TypeAlias = Literal["+", "-", "*", "/", "%"]


@dataclass(frozen=True, slots=True)
class Column:
    """The value of an attribute."""

    name: str
    type: StoredType


@dataclass(frozen=True, slots=True)
class Constant:
    """A value of the user's; `None` is SQL's null."""

    value: Any
    type: StoredType


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a constant's value, in a plan that is kept for other values."""

    number: int


@dataclass(frozen=True, slots=True)
class Compare:
    """`left op right`, unknown where a side is null."""

    op: CompareOp
    left: "Scalar"
    right: "Scalar"


@dataclass(frozen=True, slots=True)
class And:
    """All of the items; true when there are none."""

    items: tuple["Scalar", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of the items; false when there are none."""

    items: tuple["Scalar", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    item: "Scalar"


@dataclass(frozen=True, slots=True)
class IsTrue:
    """True where the item is true, false where it is false or unknown."""

    item: "Scalar"


@dataclass(frozen=True, slots=True)
class IsNull:
    """Whether the value is absent."""

    item: "Scalar"


@dataclass(frozen=True, slots=True)
class InList:
    """Whether the value equals one of the constants, given as one typed array."""

    item: "Scalar"
    values: tuple[Any, ...]
    type: StoredType


@dataclass(frozen=True, slots=True)
class Like:
    """SQL pattern match; `%` any text, `_` any character; after a backslash a character means itself."""

    item: "Scalar"
    pattern: "Scalar"
    ignore_case: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`left op right`; `/` is true division, also between integers."""

    op: ArithmeticOp
    left: "Scalar"
    right: "Scalar"
    type: StoredType


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the allow-list, by its name in `functions`."""

    function: str
    args: tuple["Scalar", ...]
    type: StoredType


@dataclass(frozen=True, slots=True)
class Case:
    """`CASE WHEN condition THEN value ... ELSE otherwise END`."""

    whens: tuple[tuple["Scalar", "Scalar"], ...]
    otherwise: "Scalar | None"
    type: StoredType


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion that the user asked for."""

    item: "Scalar"
    type: StoredType


@dataclass(frozen=True, slots=True)
class JsonPath:
    """The value at a path inside a JSON document, as text, or as a number where it is one."""

    item: "Scalar"
    path: tuple[str, ...]
    type: StoredType = TEXT


@dataclass(frozen=True, slots=True)
class Matches:
    """Whether another relation has a row with equal values in the attributes `on`."""

    other: "Node"
    on: tuple[str, ...]


Scalar: TypeAlias = (
    Column
    | Constant
    | Compare
    | And
    | Or
    | Not
    | IsTrue
    | IsNull
    | InList
    | Like
    | Arithmetic
    | Call
    | Case
    | Cast
    | JsonPath
    | Matches
)

TRUE: Final = And(())
FALSE: Final = Or(())


def type_of(scalar: Scalar) -> StoredType:
    """The type that a scalar evaluates to.

    >>> type_of(Compare("=", Column("n", INT64), Constant(1, INT64)))
    CoreType(name='bool', args=())
    """
    match scalar:
        case Column() | Constant() | Arithmetic() | Call() | Case() | Cast() | JsonPath():
            return scalar.type
        case Compare() | And() | Or() | Not() | IsTrue() | IsNull() | InList() | Like() | Matches():
            return BOOL
        case _ as never:
            assert_never(never)


def children(scalar: Scalar) -> tuple[Scalar, ...]:
    """The direct operands of a scalar."""
    match scalar:
        case Column() | Constant() | Matches():
            return ()
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return left, right
        case And(items) | Or(items):
            return items
        case Not(item) | IsTrue(item) | IsNull(item) | InList(item) | Cast(item) | JsonPath(item):
            return (item,)
        case Like(item, pattern):
            return item, pattern
        case Call():
            return scalar.args
        case Case(whens, otherwise):
            rest = (otherwise,) if otherwise is not None else ()
            return (*(side for when in whens for side in when), *rest)
        case _ as never:
            assert_never(never)


def walk(scalar: Scalar) -> Iterator[Scalar]:
    """The scalar and all that it is made of, outermost first."""
    yield scalar
    for child in children(scalar):
        yield from walk(child)


def columns_of(scalar: Scalar) -> frozenset[str]:
    """The attributes that a scalar reads.

    >>> sorted(columns_of(Compare("<", Column("a", INT64), Column("b", INT64))))
    ['a', 'b']
    """
    found: set[str] = set()
    waiting = [scalar]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Column):
            found.add(part.name)
        elif isinstance(part, Matches):
            found.update(part.on)
        else:
            waiting.extend(children(part))
    return frozenset(found)


def has_matches(scalar: Scalar) -> bool:
    """Whether the scalar asks another relation."""
    return any(isinstance(node, Matches) for node in walk(scalar))


def map_children(scalar: Scalar, change: Callable[["Scalar"], "Scalar"]) -> Scalar:
    """The scalar with its direct operands changed."""
    match scalar:
        case Column() | Constant() | Matches():
            return scalar
        case Compare() | Arithmetic():
            return replace(scalar, left=change(scalar.left), right=change(scalar.right))
        case And() | Or():
            return replace(scalar, items=tuple(map(change, scalar.items)))
        case Not() | IsTrue() | IsNull() | InList() | Cast() | JsonPath():
            return replace(scalar, item=change(scalar.item))
        case Like():
            return replace(scalar, item=change(scalar.item), pattern=change(scalar.pattern))
        case Call():
            return replace(scalar, args=tuple(map(change, scalar.args)))
        case Case(whens, otherwise):
            pairs = tuple((change(when), change(then)) for when, then in whens)
            return replace(scalar, whens=pairs, otherwise=None if otherwise is None else change(otherwise))
        case _ as never:
            assert_never(never)


def transform(scalar: Scalar, replace_leaf: Callable[[Column], Scalar]) -> Scalar:
    """The scalar with each column replaced."""
    if isinstance(scalar, Column):
        return replace_leaf(scalar)
    return map_children(scalar, lambda child: transform(child, replace_leaf))


def conjuncts(scalar: Scalar) -> tuple[Scalar, ...]:
    """The parts that must all hold.

    >>> a, b = Column("a", BOOL), Column("b", BOOL)
    >>> conjuncts(And((a, And((b,))))) == (a, b)
    True
    """
    match scalar:
        case And(items):
            return tuple(part for item in items for part in conjuncts(item))
        case _:
            return (scalar,)


def conjunction(parts: tuple[Scalar, ...]) -> Scalar:
    """One condition of many; a single part stands alone."""
    return parts[0] if len(parts) == 1 else And(parts)


def show(scalar: Scalar) -> str:
    """A scalar as a person would write it, for plans and errors.

    >>> show(And((Compare("=", Column("rat", INT64), Constant(7, INT64)), IsNull(Column("note", TEXT)))))
    'rat = 7 AND note IS NULL'
    """
    match scalar:
        case Column(name):
            return name
        case Constant(value):
            return "NULL" if value is None else repr(value)
        case Compare(op, left, right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case And(items):
            return " AND ".join(_operand(item) for item in items) if items else "TRUE"
        case Or(items):
            return " OR ".join(_operand(item) for item in items) if items else "FALSE"
        case Not(IsNull(item)):
            return f"{_operand(item)} IS NOT NULL"
        case Not(item):
            return f"NOT {_operand(item)}"
        case IsTrue(item):
            return f"{_operand(item)} IS TRUE"
        case IsNull(item):
            return f"{_operand(item)} IS NULL"
        case InList(item, values):
            return f"{_operand(item)} IN ({_some(values)})"
        case Like(item, pattern, ignore_case):
            return f"{_operand(item)} {'ILIKE' if ignore_case else 'LIKE'} {_operand(pattern)}"
        case _:
            return _show_value(scalar)


def _show_value(scalar: Arithmetic | Call | Case | Cast | JsonPath | Matches) -> str:
    match scalar:
        case Arithmetic(op, left, right):
            return f"{_operand(left)} {op} {_operand(right)}"
        case Call("||", (left, right)):
            return f"{_operand(left)} || {_operand(right)}"
        case Call(function, args):
            return f"{function}({', '.join(map(show, args)) or '*'})"
        case Case(whens, otherwise):
            pairs = " ".join(f"WHEN {show(when)} THEN {show(then)}" for when, then in whens)
            rest = "" if otherwise is None else f" ELSE {show(otherwise)}"
            return f"CASE {pairs}{rest} END"
        case Cast(item, type_):
            return f"CAST({show(item)} AS {type_})"
        case JsonPath(item, path):
            return f"{_operand(item)}.{'.'.join(path)}"
        case Matches(_, on):
            return f"MATCHES({', '.join(on)})"
        case _ as never:
            assert_never(never)


def _operand(scalar: Scalar) -> str:
    text = show(scalar)
    return (
        f"({text})"
        if isinstance(scalar, And | Or | Compare | Arithmetic | Case) and _is_compound(scalar)
        else text
    )


def _is_compound(scalar: Scalar) -> bool:
    match scalar:
        case And(items) | Or(items):
            return len(items) > 1
        case Compare():
            return False
        case _:
            return True


def _some(values: tuple[Any, ...], limit: int = 5) -> str:
    shown = ", ".join(repr(value) for value in values[:limit])
    return shown if len(values) <= limit else f"{shown}, ... {len(values)} values"


def is_numeric(type_: StoredType) -> bool:
    """Whether arithmetic applies."""
    names = ("int8", "int16", "int32", "int64", "float32", "float64", "decimal")
    natives = ("smallint", "integer", "bigint", "real", "double precision", "serial", "bigserial")
    return core_name(type_) in names or str(type_) in natives


def is_integer(type_: StoredType) -> bool:
    """Whether the type holds whole numbers."""
    return core_name(type_).startswith("int") or str(type_) in (
        "smallint",
        "integer",
        "bigint",
        "serial",
        "bigserial",
    )


def is_text(type_: StoredType) -> bool:
    """Whether the type holds text; enum labels count."""
    return isinstance(type_, EnumType) or core_name(type_) in ("char", "varchar") or str(type_) == "text"


def family(type_: StoredType) -> str:
    """What types that compare with each other have in common.

    >>> family(INT64) == family(FLOAT64), family(INT64) == family(TEXT)
    (True, False)
    """
    if is_numeric(type_):
        return "number"
    if is_text(type_):
        return "text"
    name = core_name(type_) or str(type_)
    return "time" if name.startswith(("date", "timestamp")) else name


def core_name(type_: StoredType) -> str:
    """The name of a core type, or nothing."""
    return type_.name if isinstance(type_, CoreType) else ""
