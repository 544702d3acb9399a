"""The pages about queries name what there is."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import get_args

from djflow.planner.calls import known_functions
from djflow.planner.nodes import Node
from djflow.planner.rewriter import STAGES

DOCS = Path(__file__).parents[2] / "docs"


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def named_on(page: str) -> set[str]:
    """The names that a page has in code within its text and tables."""
    text = re.sub(r"```.*?```|``.*?``", "", text_of(page), flags=re.DOTALL)
    return {name for code in re.findall(r"`([^`]+)`", text) for name in re.findall(r"\w+", code)}


def rules() -> set[str]:
    books = [stage.values() if isinstance(stage, Mapping) else [(stage,)] for stage in STAGES]
    return {rule.__name__ for book in books for several in book for rule in several}


def nodes() -> set[str]:
    return {node.__name__ for node in get_args(Node)}


def test_every_rule_and_node_is_named_on_the_page_about_the_planner() -> None:
    assert (rules() | nodes()) - named_on("planner.md") == set()


def test_the_page_about_the_planner_has_no_row_for_a_rule_that_is_gone() -> None:
    listed = set(re.findall(r"^\| `([a-z_]+)` \| ", text_of("planner.md"), re.MULTILINE))
    assert listed == rules()


def test_every_function_is_named_on_the_page_about_strings() -> None:
    # `date_trunc('day', x)` is `date_trunc_day` to the planner; upper case is for Polars expressions alone.
    families = ("date_trunc", "timestampdiff", "count")
    functions = {
        next((family for family in families if name.startswith(f"{family}_")), name)
        for name in known_functions()
        if name.islower()
    }
    assert functions - named_on("query-strings.md") == set()
