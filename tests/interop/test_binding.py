"""Classes bind to tables that DataJoint made, and change nothing about them."""

import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

TIERS = {
    "Species": "Lookup",
    "Subject": "Manual",
    "Session": "Manual",
    "Trial": "Part",
    "Cfg": "Lookup",
    "Spec": "Imported",
    "Ana": "Computed",
    "P": "Part",
}


def classes(lab: Any) -> dict[str, Any]:
    found = {name: getattr(lab, name) for name in TIERS if hasattr(lab, name)}
    return {**found, "Trial": lab.Session.Trial, "P": lab.Ana.P}


def catalog_rows(url: str) -> list[tuple[Any, ...]]:
    """Everything that a declaration could have changed."""
    relations = "(SELECT oid FROM pg_class WHERE relnamespace = 'lab'::regnamespace)"
    statements = (
        "SELECT 'relation', oid::text, relname FROM pg_class WHERE relnamespace = 'lab'::regnamespace",
        "SELECT 'type', oid::text, typname FROM pg_type WHERE typnamespace = 'lab'::regnamespace",
        "SELECT 'constraint', oid::text, conname FROM pg_constraint WHERE connamespace = 'lab'::regnamespace",
        f"SELECT objoid::text, objsubid::text, description FROM pg_description WHERE objoid IN {relations}",
        f"SELECT attrelid::text, attnum::text, attname FROM pg_attribute WHERE attrelid IN {relations}",
        'SELECT table_name, attribute_name, lineage FROM lab."~lineage"',
        "SELECT 'schema', oid::text, nspname FROM pg_namespace WHERE nspname !~ '^pg_'",
    )
    with psycopg.connect(url) as connection:
        return sorted(row for statement in statements for row in connection.execute(statement.encode()))


def test_declaring_the_classes_creates_and_changes_nothing(lab: Any, lab_url: str) -> None:
    before = catalog_rows(lab_url)
    lab.schema.create()
    for table in classes(lab).values():
        assert len(table()) > 0
    assert catalog_rows(lab_url) == before


def test_all_tables_are_listed_and_bookkeeping_is_not(lab: Any) -> None:
    listed = lab.schema.list_tables()
    assert sorted(listed) == sorted(
        ["#species", "subject", "session", "session__trial", "#cfg", "_spec", "__ana", "__ana__p"]
    )


def definitions(interop: Path) -> dict[str, str]:
    """The definition of each class of `pipeline.txt`, by name."""
    found = {}
    for block in (interop / "pipeline.txt").read_text().split("\n\n")[1:]:
        head, *lines = block.strip().splitlines()
        tier, name = head.split()
        assert TIERS[name] == tier
        found[name] = "\n".join(line.strip() for line in lines)
    return found


def normal(definition: str) -> list[str]:
    """The lines without the layout that people choose freely."""
    lines = (re.sub(r"\s*:\s*", " : ", line.strip(), count=1) for line in definition.strip().splitlines())
    return [re.sub(r"\s+", " ", re.sub(r"\s*=\s*", " = ", line, count=1)) for line in lines if line]


@pytest.mark.parametrize("name", TIERS)
def test_describe_gives_back_the_definition(lab: Any, interop: Path, name: str) -> None:
    lab.schema.create()
    described = classes(lab)[name]().describe()
    assert normal(described) == normal(definitions(interop)[name])


def test_hidden_columns_and_lineage_are_understood(lab: Any) -> None:
    lab.schema.create()
    model = lab.Ana().table_model
    hidden = [a.name for a in model.columns if a.is_hidden]
    assert hidden == ["_job_start_time", "_job_duration", "_job_version"]
    assert lab.Session().heading["mate_id"].lineage == "lab.subject.subject_id"
    assert lab.Cfg().heading.names == ("a",)
    assert lab.Cfg().table_model.is_singleton
