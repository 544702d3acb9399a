"""`TableSpec` to the text of a definition."""

from collections.abc import Iterable
from typing import Final

from djflow.definition.defaults import needs_quotes
from djflow.model.table import (
    AttributeSpec,
    CurrentTimestamp,
    ForeignKeySpec,
    IndexSpec,
    Line,
    Literal,
    Null,
    TableSpec,
)

_WIDEST: Final = 32  # characters; longer cells stick out rather than push every other line to the right


def render(spec: TableSpec) -> str:
    """The definition that `parse` reads as `spec`, its columns aligned.

    >>> from djflow.definition.parser import parse
    >>> print(render(parse('''
    ... subject_id:int32   # assigned by the lab
    ... ---
    ... -> Species
    ... weight=null:float64
    ... index(weight)''')), end="")
    subject_id    : int32    # assigned by the lab
    ---
    -> Species
    weight = null : float64
    index (weight)
    """
    attributes = [line for line in (*spec.primary, *spec.secondary) if isinstance(line, AttributeSpec)]
    left = _width(_left(attribute) for attribute in attributes)
    right = _width(str(attribute.type) for attribute in attributes if attribute.comment)
    lines = [f"# {spec.comment}"] if spec.comment else []
    lines += [_line(line, left, right) for line in spec.primary]
    if spec.secondary or not spec.primary:
        lines.append("---")
    lines += [_line(line, left, right) for line in spec.secondary]
    lines += [_index(index) for index in spec.indexes]
    return "\n".join(lines) + "\n"


def render_line(line: Line) -> str:
    """One line as text, as messages cite it.

    >>> render_line(ForeignKeySpec("Subject", (("mate_id", "subject_id"),), nullable=True))
    "-> [nullable] Subject.proj(mate_id='subject_id')"
    """
    return _line(line, 0, 0)


def _width(cells: Iterable[str]) -> int:
    return max((len(cell) for cell in cells if len(cell) <= _WIDEST), default=0)


def _line(line: Line, left: int, right: int) -> str:
    match line:
        case ForeignKeySpec():
            return _foreign_key(line)
        case AttributeSpec():
            text = f"{_left(line):<{left}} : {line.type!s:<{right}}"
            return f"{text}  # {line.comment}" if line.comment else text.rstrip()


def _left(attribute: AttributeSpec) -> str:
    match attribute.default:
        case None:
            return attribute.name
        case Null():
            return f"{attribute.name} = null"
        case CurrentTimestamp():
            return f"{attribute.name} = CURRENT_TIMESTAMP"
        case Literal(text) as literal:
            quoted = "'" + text.replace("'", "''") + "'" if needs_quotes(attribute.type, literal) else text
            return f"{attribute.name} = {quoted}"


def _foreign_key(line: ForeignKeySpec) -> str:
    options = [name for name, is_set in (("nullable", line.nullable), ("unique", line.unique)) if is_set]
    bracket = f"[{', '.join(options)}] " if options else ""
    renames = ", ".join(f"{new}='{old}'" for new, old in line.renames)
    return f"-> {bracket}{line.parent}" + (f".proj({renames})" if renames else "")


def _index(index: IndexSpec) -> str:
    return ("unique " if index.unique else "") + f"index ({', '.join(index.items)})"
