"""Pipelines made of one-line tables."""

from collections.abc import Callable
from typing import Any

import pytest

import djflow as dj
from djflow.tables.schema import Schema

Declare = Callable[..., Any]


@pytest.fixture
def calls() -> list[tuple[str, dict[str, Any]]]:
    """Which keys were made of which table, in order."""
    return []


@pytest.fixture
def computed(schema: Schema, source: Any, calls: list[tuple[str, dict[str, Any]]]) -> Declare:
    """Declare a computed table by name and `->` lines; `make` notes its key, and `then` may do more."""
    context: dict[str, Any] = {"Item": type(source)}

    def declare(name: str, *key: str, secondary: str = "", then: Any = None, **members: Any) -> Any:
        lines = "\n".join(key)

        def make(self: Any, key: dict[str, Any]) -> None:
            calls.append((name, key))
            self.insert1(
                {**key, "value": 1} if then is None else {**key, "value": 1, **(then(self, key) or {})}
            )

        members = {"definition": f"{lines}\n---\nvalue : int32\n{secondary}", "make": make, **members}
        cls = schema(type(name, (dj.Computed,), members), context=context)
        context[name] = cls
        return cls()

    return declare


@pytest.fixture
def source(schema: Schema) -> Any:
    """Five items."""

    @schema
    class Item(dj.Manual):
        definition = """
        item : int32
        """

    Item().insert({"item": n} for n in range(5))
    return Item()
