"""The pages that people read are programs: their Python blocks run, and print what the page says."""

import contextlib
import doctest
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import pytest

import djflow as dj
from djflow.relation.database import Database
from djflow.sql.ddl import drop_schema

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINKED = [*PAGES, *sorted((ROOT / "docs").glob("*/*.md"))]
LINK = re.compile(r"\]\((?P<target>[^)#]+)(?:#[^)]*)?\)")
SCHEMA = re.compile(r'dj\.Schema\("(?P<name>\w+)"')
LENIENT = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Block:
    """A Python block of a page; `printed` is the text block right behind it, None where there is none."""

    source: str
    line: int
    printed: str | None


def blocks(text: str) -> Iterator[Block]:
    fences = list(FENCE.finditer(text))
    for fence, following in zip_longest(fences, fences[1:]):
        if fence["kind"] != "python":
            continue
        behind = (
            following and following["kind"] == "text" and not text[fence.end() : following.start()].strip()
        )
        printed = following["text"] if following and behind else None
        yield Block(fence["text"], text.count("\n", 0, fence.start()) + 1, printed)


@pytest.fixture
def default_database(server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """`dj` as a reader has it: no configuration but the tests' server and a home of its own."""
    monkeypatch.setenv("DATABASE_URL", server_url)
    monkeypatch.setenv("DJFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "true")
    monkeypatch.chdir(tmp_path)
    database = dj.conn()
    database.close()
    dj.config.clear()
    yield database
    database.close()
    monkeypatch.undo()
    dj.config.clear()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run_and_print_what_it_says(page: Path, default_database: Database) -> None:
    text = page.read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": f"page_{page.stem.replace('-', '_')}"}
    try:
        for block in blocks(text):
            run(block, page, names)
    finally:
        for schema in SCHEMA.findall(text):
            if default_database.query("SELECT 1 FROM pg_namespace WHERE nspname = $1", (schema,)):
                default_database.query(drop_schema(schema))


def run(block: Block, page: Path, names: dict[str, object]) -> None:
    padding = "\n" * block.line  # so that a traceback names the page's own line
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(padding + block.source, str(page), "exec"), names)  # noqa: S102 - our own pages
    printed = output.getvalue()
    if block.printed is not None:
        matches = doctest.OutputChecker().check_output(block.printed, printed, LENIENT)
        assert matches, f"{page.name}, line {block.line}, printed:\n{printed}"


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_page_is_reached_from_the_readme() -> None:
    linked = {
        (ROOT / target).name for target in LINK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    }
    assert {page.name for page in PAGES} - {"README.md"} <= linked
