"""The tests run in schemas and a folder of their own."""

import os
import tempfile

import pytest

os.environ["DJ_DATABASE_PREFIX"] = "test_maze_"
os.environ["MAZE_DATA"] = tempfile.mkdtemp(prefix="maze-")


@pytest.fixture(scope="session")
def pipeline():
    """The pipeline, filled; its schemas are dropped at the end, the last one first."""
    from maze import animal, behavior, pipeline, session
    from maze.invented import fill

    fill()
    behavior.schema.populate(suppress_errors=False)
    yield pipeline
    for module in (behavior, session, animal):
        module.schema.drop(prompt=False)
