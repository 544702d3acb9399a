"""What the tests of objects share."""

from collections.abc import Callable

import pytest
from tests.tables.objects.lab import DEFINITION, Lab

from djflow.relation.database import Database
from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


@pytest.fixture
def lab(schema: Schema) -> Lab:
    """A schema with an empty table."""
    return Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))


@pytest.fixture
def other_database(database: Database) -> "Callable[[], Database]":
    """More databases of the same settings, each with connections of its own."""
    return lambda: Database(lambda: database.settings)
