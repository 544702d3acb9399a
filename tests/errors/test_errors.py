"""The public errors as a set: what is raised is documented, with its cause and its cure."""

import re
from inspect import getdoc
from pathlib import Path

import pytest

from djflow import errors

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
PUBLIC = {name: value for name in errors.__all__ if isinstance(value := getattr(errors, name), type)}
NAMES = sorted({value.__name__ for value in PUBLIC.values()} - {"DjflowError"})


def test_every_public_class_is_on_the_page_with_its_cause_and_its_cure() -> None:
    rows = [re.split(r" \| ", line.strip("| ")) for line in PAGE.splitlines() if line.startswith("| `")]
    told = {name: row for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert [name for name in NAMES if name not in told] == []
    assert [name for name in NAMES if len(told[name]) != 3] == []


def test_the_tree_of_the_module_shows_every_class_below_its_base() -> None:
    tree: dict[str, str] = {}
    above: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"([│ ]*[├└]── )?(\w+(?:Error|Warning|File|Inaccessible))\b", line):
            depth = len(found[1] or "") // 4
            del above[depth:]
            tree[found[2]] = above[-1] if above else ""
            above.append(found[2])
    assert [name for name in NAMES if name not in tree] == []
    bases = {name: {base.__name__ for base in PUBLIC[name].__bases__} for name in NAMES}
    assert {name: tree[name] for name in NAMES if tree[name] not in bases[name]} == {}


@pytest.mark.parametrize("name", NAMES)
def test_what_an_error_carries_is_told_by_its_docstring(name: str) -> None:
    described = getdoc(PUBLIC[name]) or ""
    assert [
        field for field in vars(PUBLIC[name]).get("__annotations__", {}) if f"`{field}`" not in described
    ] == []


def test_errors_are_shown_by_the_place_where_people_import_them_from() -> None:
    assert {value.__module__ for value in PUBLIC.values()} == {"djflow.errors"}
