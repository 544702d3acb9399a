"""Indexes of a table: those that its definition names and those that its foreign keys need."""

from collections.abc import Iterable
from hashlib import md5

from djflow.model.names import MAX_IDENTIFIER, TableName
from djflow.model.table import ForeignKey, IndexSpec, Table
from djflow.sql.expression import checked_expression
from djflow.sql.identifiers import qualified, quote


def implied_index(fk: ForeignKey, primary_key: tuple[str, ...]) -> IndexSpec | None:
    """The index that a foreign key brings along, or None where the primary key's serves.

    >>> fk = ForeignKey(TableName("lab", "#species"), (("species", "species"),))
    >>> implied_index(fk, ("subject_id",)), implied_index(fk, ("species", "subject_id"))
    (IndexSpec(items=('species',), unique=False), None)
    """
    leads = primary_key[: len(fk.own)] == fk.own
    return None if leads and not fk.unique else IndexSpec(fk.own, fk.unique)


def all_indexes(table: Table) -> tuple[IndexSpec, ...]:
    """The indexes to create, the declared ones first; none twice, none that a unique twin makes redundant."""
    implied = (implied_index(fk, table.primary_key) for fk in table.foreign_keys)
    indexes = dict.fromkeys([*table.indexes, *(index for index in implied if index is not None)])
    return tuple(i for i in indexes if i.unique or IndexSpec(i.items, unique=True) not in indexes)


def index_name(table: str, index: IndexSpec) -> str:
    """The name of an index: `idx_` with table and columns; expressions and long names end in a hash.

    >>> index_name("subject", IndexSpec(("dob", "sex")))
    'idx_subject_dob_sex'
    >>> index_name("subject", IndexSpec(("(lower(name))",)))
    'idx_subject_expr_b6b23299'
    """
    pieces = (f"expr_{_hash(item)}" if is_expression(item) else item for item in index.items)
    return _cut("_".join(["idx", table, *pieces]))


def create_indexes(table: Table, taken_names: Iterable[str]) -> tuple[str, ...]:
    """The statements that create a table's indexes, avoiding the names that relations of its schema have."""
    return create_these(table, all_indexes(table), taken_names)


def create_these(table: Table, indexes: Iterable[IndexSpec], taken_names: Iterable[str]) -> tuple[str, ...]:
    """The statements that create some of a table's indexes, avoiding the names given."""
    taken = set(taken_names)
    statements = []
    for index in indexes:
        name = _free_name(table.name.table, index, taken)
        taken.add(name)
        statements.append(_create_index(table.name, name, index))
    return tuple(statements)


def is_expression(item: str) -> bool:
    """Whether an index item is an SQL expression rather than an attribute's name."""
    return item.startswith("(")


def _create_index(table: TableName, name: str, index: IndexSpec) -> str:
    items = ", ".join(
        checked_expression(item) if is_expression(item) else quote(item) for item in index.items
    )
    return f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote(name)} ON {qualified(table)} ({items})"


def _free_name(table: str, index: IndexSpec, taken: set[str]) -> str:
    # Table `a_b` with column `c` and table `a` with column `b_c` would share a name.
    usual = name = index_name(table, index)
    suffix = _hash(repr((table, index)))
    while name in taken:
        name = _with_suffix(usual, suffix)
        suffix = _hash(suffix)
    return name


def _cut(name: str) -> str:
    return name if len(name.encode()) <= MAX_IDENTIFIER else _with_suffix(name, _hash(name))


def _with_suffix(name: str, suffix: str) -> str:
    room = MAX_IDENTIFIER - len(suffix) - 1
    return name.encode()[:room].decode(errors="ignore") + "_" + suffix


def _hash(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()[:8]
