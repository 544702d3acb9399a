"""What the tests of objects share."""

import pytest
from tests.tables.objects.lab import DEFINITION, Lab

from djflow.tables.schema import Schema
from djflow.tables.tiers import Manual


@pytest.fixture
def lab(schema: Schema) -> Lab:
    """A schema with an empty table."""
    return Lab(schema, schema(type("Recording", (Manual,), {"definition": DEFINITION})))
