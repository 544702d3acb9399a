"""Definitions as people write them to `TableSpec`."""

import warnings
from dataclasses import dataclass, field

from djflow.definition.lexer import Kind, SourceLine, lex
from djflow.definition.lines import parse_attribute, parse_index
from djflow.definition.references import parse_foreign_key
from djflow.definition.types import native_advice
from djflow.errors import DefinitionError, NativeTypeWarning
from djflow.model.table import AttributeSpec, IndexSpec, Line, Literal, Null, TableSpec


def parse(text: str) -> TableSpec:
    """Read a table definition.

    A table comment may come first; attributes, foreign keys and indexes follow, one a line, with
    the primary key above `---`. An empty part above `---` declares a table of at most one row.

    Raises `DefinitionError` with the line and column of the first mistake. Warns with
    `NativeTypeWarning` of types that are spelled in a database's own way.

    >>> spec = parse('''
    ... # Animal subjects
    ... subject_id : int32   # assigned by the lab
    ... ---
    ... -> [nullable] Species
    ... name = 'none' : varchar(40)
    ... unique index (name)
    ... ''')
    >>> spec.comment, [line.name for line in spec.primary], spec.secondary[0].nullable
    ('Animal subjects', ['subject_id'], True)
    >>> spec.secondary[1].default, spec.indexes[0].items
    (Literal(text='none'), ('name',))
    """
    draft = _Draft()
    for position, line in enumerate(lex(text)):
        if line.tokens:
            draft.read(line)
        elif position == 0:
            draft.comment = _table_comment(line)
    for advice in draft.advice:
        warnings.warn(advice, NativeTypeWarning, stacklevel=2)
    return draft.finish()


@dataclass(slots=True)
class _Draft:
    """What has been read so far."""

    comment: str = ""
    primary: list[Line] = field(default_factory=list)
    secondary: list[Line] = field(default_factory=list)
    indexes: list[IndexSpec] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)
    separator: SourceLine | None = None
    declared: dict[str, int] = field(default_factory=dict)

    def read(self, line: SourceLine) -> None:
        match line.tokens[0].kind:
            case Kind.DASHES:
                self._separate(line)
            case Kind.ARROW:
                section = self.primary if self.separator is None else self.secondary
                section.append(parse_foreign_key(line, in_key=self.separator is None))
            case _ if _is_index(line):
                self.indexes.append(parse_index(line))
            case _:
                self._attribute(line)

    def finish(self) -> TableSpec:
        if not self.primary and not self.secondary:
            raise DefinitionError(
                "The definition declares no attributes.", hint="Write, for example, `subject_id : int32`."
            )
        return TableSpec(self.comment, tuple(self.primary), tuple(self.secondary), tuple(self.indexes))

    def _separate(self, line: SourceLine) -> None:
        if self.separator is not None:
            raise line.error(
                f"A second separator; the first is in line {self.separator.number}.",
                at=line.tokens[0].start,
                hint="Keep the one that ends the primary key.",
            )
        if line.tokens[1:]:
            raise line.error(
                "Nothing can follow the separator.", at=line.tokens[1].start, hint="Start a new line."
            )
        self.separator = line

    def _attribute(self, line: SourceLine) -> None:
        attribute, type_text = parse_attribute(line)
        if attribute.name in self.declared:
            raise line.error(
                f"Attribute {attribute.name!r} is declared already, in line {self.declared[attribute.name]}.",
                at=line.tokens[0].start,
                hint="Rename one of them, or leave one out.",
            )
        if self.separator is None:
            _check_key_default(line, attribute)
        self.declared[attribute.name] = line.number
        if advice := native_advice(type_text, attribute.type):
            self.advice.append(f"attribute {attribute.name!r}: {advice}")
        (self.primary if self.separator is None else self.secondary).append(attribute)


def _table_comment(line: SourceLine) -> str:
    comment = line.comment or ""
    if comment.startswith(":"):
        raise line.error(
            "A table's comment cannot start with a colon.",
            at=line.text.index("#"),
            hint="Leave the colon out.",
        )
    return comment.strip()


def _is_index(line: SourceLine) -> bool:
    match [token.text.lower() for token in line.tokens[:3]]:
        case ["index", "(", *_] | ["unique", "index", "("]:
            return True
        case _:
            return False


def _check_key_default(line: SourceLine, attribute: AttributeSpec) -> None:
    match attribute.default:
        case Null():
            raise line.error(
                "An attribute of the primary key cannot be null.",
                at=line.tokens[2].start,
                hint="Leave the default out, or move the line below `---`.",
            )
        case Literal():
            raise line.error(
                "A constant cannot be the default of a primary key.",
                at=line.tokens[2].start,
                hint="Leave the default out; only CURRENT_TIMESTAMP gives each row a key of its own.",
            )
