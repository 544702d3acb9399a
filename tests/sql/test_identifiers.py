import pytest
from hypothesis import given
from hypothesis import strategies as st

from djflow.errors import QueryError
from djflow.model.names import TableName
from djflow.sql.identifiers import literal, qualified, quote

names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=15)


@given(names)
def test_quotes_inside_a_name_are_doubled_and_nothing_else_changes(name: str) -> None:
    quoted = quote(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == name.replace('"', "")
    assert quoted[1:-1].replace('""', '"') == name


def test_a_name_of_63_bytes_is_the_longest() -> None:
    assert quote("a" * 63) == '"' + "a" * 63 + '"'
    with pytest.raises(QueryError, match=r"has 64 bytes; PostgreSQL allows 63\. Shorten it by 1"):
        quote("a" * 64)
    with pytest.raises(QueryError, match="has 64 bytes"):
        quote("é" * 32)


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_names_that_postgresql_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(QueryError):
        quote(name)


def test_schema_and_table_are_quoted_each() -> None:
    assert qualified(TableName("my.lab", '~od"d')) == '"my.lab"."~od""d"'


def test_a_literal_cannot_hold_nul() -> None:
    with pytest.raises(QueryError, match="NUL"):
        literal("a\0b")
