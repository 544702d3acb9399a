"""Tables back to definitions, for `describe` and for databases that were made elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from djflow.model.names import TableName
from djflow.model.table import Attribute, AttributeSpec, ForeignKey, ForeignKeySpec, Line, Table, TableSpec


def unbind(table: Table, *, class_path: Callable[[TableName], str]) -> TableSpec:
    """The definition that declares a table; hidden columns are left out.

    `class_path` gives the reference to write for a parent; a part's master is written `master`.

    >>> from djflow.definition.bind import bind
    >>> from djflow.definition.parser import parse
    >>> spec = parse("subject_id : int32")
    >>> table = bind(spec, TableName("lab", "subject"), resolve=None, codec_dtype=None)
    >>> unbind(table, class_path=lambda name: name.class_path) == spec
    True
    """
    draft = _Draft([column for column in table.columns if not column.is_hidden], list(table.foreign_keys))
    primary: list[Line] = []
    secondary: list[Line] = []
    for item in draft.items():
        match item:
            case Attribute(in_key=in_key):
                line: Line = AttributeSpec(item.name, item.type, item.default, item.comment)
            case ForeignKey(in_key=in_key):
                line = _reference(item, table.name, class_path)
        (primary if in_key else secondary).append(line)
    return TableSpec(table.comment, tuple(primary), tuple(secondary), table.indexes)


@dataclass(slots=True)
class _Draft:
    """Columns and foreign keys still to be written."""

    columns: Sequence[Attribute]
    waiting: list[ForeignKey]
    covered: set[str] = field(default_factory=set)

    def items(self) -> Iterator[Attribute | ForeignKey]:
        """Columns and foreign keys in the order of their lines."""
        yield from self._next_without_columns()
        for position, column in enumerate(self.columns):
            if column.name not in self.covered:
                yield self._take(column, position)
                yield from self._next_without_columns()
        yield from self.waiting

    def _take(self, column: Attribute, position: int) -> Attribute | ForeignKey:
        candidates = [foreign_key for foreign_key in self.waiting if column.name in foreign_key.own]
        if not candidates:
            return column
        # Of several, the one whose line would create exactly the columns that follow here.
        chosen = next((c for c in candidates if self._fits(c, position)), candidates[0])
        self.waiting.remove(chosen)
        self.covered.update(chosen.own)
        return chosen

    def _fits(self, foreign_key: ForeignKey, position: int) -> bool:
        new = [own for own in foreign_key.own if own not in self.covered]
        return new == [column.name for column in self.columns[position : position + len(new)]]

    def _next_without_columns(self) -> Iterator[ForeignKey]:
        """Foreign keys whose turn it is and that only share columns written already."""
        while self.waiting and self.covered.issuperset(self.waiting[0].own):
            yield self.waiting.pop(0)


def _reference(
    foreign_key: ForeignKey, child: TableName, class_path: Callable[[TableName], str]
) -> ForeignKeySpec:
    parent = "master" if foreign_key.parent == child.master else class_path(foreign_key.parent)
    renames = tuple((own, referenced) for own, referenced in foreign_key.columns if own != referenced)
    return ForeignKeySpec(parent, renames, foreign_key.nullable, foreign_key.unique)
