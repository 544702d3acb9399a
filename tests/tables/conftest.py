"""What other processes need in order to reach the tests' server."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def process_environment(server_url: str, server_home: Path) -> dict[str, str]:
    """The environment in which another process finds the tests' server."""
    assert server_url
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJ", "PG"))}
    return kept | {"DJFLOW_HOME": str(server_home), "DJ_IGNORE_CONFIG_FILE": "true"}
