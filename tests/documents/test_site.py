"""The site holds every page, and its reference every public name."""

import re
from pathlib import Path

import djflow as dj

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAMED = re.compile(r"^ +- (?:[^:\n]+: )?(?P<page>[\w/-]+\.(?:md|ipynb))$", re.MULTILINE)
DOCUMENTED = re.compile(r"^::: djflow\.(\w+)", re.MULTILINE)
PROOF = re.compile(r"`(tests/[\w/.]+)`")
ALSO = re.compile(r"`dj\.(\w+)`")


def test_every_page_stands_once_in_the_navigation() -> None:
    named = [match["page"] for match in NAMED.finditer((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))]
    pages = [path for kind in ("*.md", "*.ipynb") for path in DOCS.rglob(kind)]
    assert sorted(named) == sorted(path.relative_to(DOCS).as_posix() for path in pages)


def test_every_public_name_is_in_the_reference() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md"))
    assert set(dj.__all__) - {*DOCUMENTED.findall(text), *ALSO.findall(text)} == set()


def test_the_tests_that_prove_the_guarantees_exist() -> None:
    named = PROOF.findall((DOCS / "guarantees.md").read_text(encoding="utf-8"))
    assert len(named) > 40
    assert [path for path in named if not (ROOT / path).exists()] == []
