"""Each example as its README says to run it: in its folder, in a process and a database of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict

EXAMPLES = Path(__file__).parents[2] / "examples"

Run = Callable[..., str]


@pytest.fixture
def run(empty_url: str, tmp_path: Path) -> Run:
    """Run a module in the folder of an example; returns what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DJ", "PG", "PYTEST"))}
    own = {
        "DATABASE_URL": f"postgresql://?{urlencode(conninfo_to_dict(empty_url), quote_via=quote)}",
        "DJFLOW_HOME": str(tmp_path / "home"),
        "DJ_IGNORE_CONFIG_FILE": "true",
        "MAZE_DATA": str(tmp_path / "data"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
    }

    def run(example: str, *arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=EXAMPLES / example,
            env=kept | own,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run


def numbers(text: str, *labels: str) -> list[float]:
    """The numbers in the rows of printed frames that begin with these labels."""
    cells = [[cell.strip() for cell in line.strip("│").split("┆")] for line in text.splitlines()]
    found = [row for row in cells if tuple(row[: len(labels)]) == labels]
    assert found, text
    return [float(cell) for row in found for cell in row[len(labels) :]]


def shown_in(example: str) -> str:
    """The result that the README of an example shows."""
    return (
        (EXAMPLES / example / "README.md").read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    )


def is_png(path: Path) -> bool:
    return path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


@pytest.mark.skipif(
    find_spec("skimage") is None or find_spec("mahotas") is None, reason="needs djflow[examples]"
)
def test_images_are_segmented_in_every_way_and_drawn(run: Run, tmp_path: Path) -> None:
    figure = tmp_path / "spots.png"
    text = run("images", "spots", "--photo", "tissue", "--figure", str(figure))
    assert numbers(text, "Segmentation")[:2] == [3, 0]
    covered, regions, *_ = numbers(text, "tissue", "specks")
    assert 0.2 < covered < 0.5
    assert 250 < regions < 500
    assert is_png(figure)


@pytest.mark.skipif(find_spec("sleepecg") is None, reason="needs djflow[examples]")
def test_heart_beats_are_detected_and_drawn(run: Run, tmp_path: Path) -> None:
    figure = tmp_path / "spikes.png"
    text = run("electrophysiology", "spikes", "--executor", "threads", "--figure", str(figure))
    assert numbers(text, "heart", "low")[1] == pytest.approx(478, abs=10)  # what a detector of beats finds
    assert numbers(text, "Rate")[:2] == [numbers(text, "Spikes")[0], 0]
    assert is_png(figure)


def test_the_university_answers_every_question_with_its_sql(run: Run) -> None:
    text = run("university", "university", "--explain")
    assert text.count("def ") == text.count("-- SQL\nSELECT") == text.count("Optimised plan") == 20
    assert "-- 0 rows" not in text
    assert shown_in("university") in text


def test_the_modules_of_the_maze_work_together(run: Run) -> None:
    text = run("multi_module", "maze", "--executor", "processes", "--workers", "1")
    assert numbers(text, "Performance") == [36, 0, 36]
    assert shown_in("multi_module") in text


def test_the_maze_passes_its_own_tests(run: Run) -> None:
    assert "3 passed" in run("multi_module", "pytest", "-q", "-p", "no:cacheprovider")
