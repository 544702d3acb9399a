"""What the tests of objects share."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.tables.objects.lab import DEFINITION, Lab
from tests.tables.objects.two_stores import two_stores

from djflow.relation.database import Database
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


@pytest.fixture
def lab(schema: Schema) -> Lab:
    """A schema with an empty table."""
    return Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))


@pytest.fixture
def two_stores_database(
    process_environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """The tests' database with the stores "local" and "archive"."""
    for name, value in process_environment.items():
        monkeypatch.setenv(name, value)
    settings = two_stores(tmp_path)
    opened = Database(lambda: settings)
    yield opened
    opened.close()
