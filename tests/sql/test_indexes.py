from hypothesis import given
from hypothesis import strategies as st

from djflow.model.names import TableName
from djflow.model.table import Attribute, ForeignKey, IndexSpec, Table
from djflow.model.types import CoreType
from djflow.sql.indexes import all_indexes, create_indexes, index_name

INT = CoreType("int32")
PARENT = TableName("lab", "parent")


def table(
    *names: str, key: int = 1, fks: tuple[ForeignKey, ...] = (), indexes: tuple[IndexSpec, ...] = ()
) -> Table:
    columns = tuple(Attribute(name, INT, INT, in_key=i < key) for i, name in enumerate(names))
    return Table(TableName("lab", "t"), "", columns, fks, indexes)


def reference(*own: str, unique: bool = False) -> ForeignKey:
    return ForeignKey(PARENT, tuple((name, name) for name in own), unique=unique)


def test_a_leading_part_of_the_primary_key_needs_no_index() -> None:
    assert all_indexes(table("a", "b", "c", key=3, fks=(reference("a", "b"),))) == ()


def test_other_foreign_keys_get_an_index() -> None:
    fks = (reference("b"), reference("c", unique=True), reference("b", "a"))
    assert all_indexes(table("a", "b", "c", fks=fks)) == (
        IndexSpec(("b",)),
        IndexSpec(("c",), unique=True),
        IndexSpec(("b", "a")),
    )


def test_a_unique_foreign_key_is_enforced_even_where_it_leads_the_primary_key() -> None:
    unique = table("a", "b", key=2, fks=(reference("a", unique=True),))
    assert all_indexes(unique) == (IndexSpec(("a",), unique=True),)


def test_no_index_is_made_twice() -> None:
    twice = table("a", "b", fks=(reference("b"), reference("b")), indexes=(IndexSpec(("b",)),))
    assert all_indexes(twice) == (IndexSpec(("b",)),)
    covered = table("a", "b", fks=(reference("b"),), indexes=(IndexSpec(("b",), unique=True),))
    assert all_indexes(covered) == (IndexSpec(("b",), unique=True),)


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,62}", fullmatch=True), min_size=1, max_size=4))
def test_index_names_fit_and_differ_where_their_columns_do(columns: list[str]) -> None:
    name = index_name("some_table", IndexSpec(tuple(columns)))
    assert len(name.encode()) <= 63
    assert name != index_name("some_table", IndexSpec((*columns, "x")))


def test_a_name_that_is_taken_is_avoided() -> None:
    spec = table("a", "b", indexes=(IndexSpec(("b",)),))
    [usual] = create_indexes(spec, ())
    [other] = create_indexes(spec, ["idx_t_b"])
    assert '"idx_t_b"' in usual
    assert '"idx_t_b_' in other
    assert create_indexes(spec, ["idx_t_b"]) == (other,)
