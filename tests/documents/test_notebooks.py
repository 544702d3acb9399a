"""The tutorials run, each in a kernel and a database of its own, and hold what they showed when they ran."""

# mypy: allow-untyped-calls

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from psycopg.conninfo import conninfo_to_dict

ROOT = Path(__file__).parents[2]
TUTORIALS = ROOT / "docs" / "tutorials"
NOTEBOOKS = sorted(TUTORIALS.glob("*.ipynb"))
PLACES = re.compile(r"/home/|/root/|/tmp/|/Users/|[A-Z]:\\|\.venv|site-packages|ipykernel_\d+")


@pytest.fixture
def reader(server_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a reader who has no configuration but a database on the tests' server."""
    name = conninfo_to_dict(empty_url)["dbname"]
    monkeypatch.setenv("DATABASE_URL", re.sub(r"/\w+\?", f"/{name}?", server_url, count=1))
    monkeypatch.setenv("DJFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DJ_IGNORE_CONFIG_FILE", "true")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "work"
    work.mkdir()
    return work


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_runs(path: Path, reader: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    example = ROOT / "examples" / path.stem
    if example.exists():  # the tutorial walks through it, in its folder
        shutil.copytree(example, reader, dirs_exist_ok=True)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(reader)}})
    client.execute()
    if "DJFLOW_STORE_NOTEBOOKS" in os.environ:
        store(notebook, path)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_is_stored_as_it_ran_and_shows_nobodys_folders(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert [found for cell in code for text in texts(cell["outputs"]) for found in PLACES.findall(text)] == []


def texts(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        yield "".join(output.get("text", ()))
        for kind, value in output.get("data", {}).items():
            if not kind.startswith("image/png"):
                yield "".join(value) if isinstance(value, list) else str(value)


def store(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Write a notebook as it ran, without what differs from run to run."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":  # bars and warnings go to stderr
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
