"""Diagrams over three schemas: what they are made of, how they combine, and what they answer."""

import pickle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from inline_snapshot import snapshot
from tests.diagram.conftest import World

import djflow as dj
from djflow.errors import (
    DefinitionError,
    DjflowError,
    InvalidArgumentError,
    MissingTableError,
    QueryError,
)
from djflow.relation.database import Database
from djflow.tables.schema import Schema


@pytest.fixture
def lab(world: World) -> Any:
    """The classes, over a few rows."""
    found = world.classes
    found.Species().insert([(1,), (2,)])
    found.Subject().insert([{"subject": n, "species": 1 + n % 2} for n in (1, 2, 3, 4)])
    found.Session().insert([{"subject": s, "session": n, "mate": 3} for s, n in ((1, 1), (1, 2), (2, 1))])
    found.Session.Trial().insert([(1, 1, 1), (1, 1, 2), (2, 1, 1)])
    found.Rig().insert([(1,), (2,)])
    found.Setup().insert([(1, 1, 1), (2, 1, 1)])
    found.Pair().insert([(1, 2), (2, 3)])
    fits = [{"subject": s, "session": 1, "rig": 1, "reference": 3} for s in (1, 2)]
    found.Fit().insert(fits, allow_direct_insert=True)
    return found


def names(diagram: dj.Diagram) -> list[str]:
    """Without the schemas."""
    return [name.table for name in diagram.tables]


# what they are made of


def test_a_table_is_a_diagram_of_its_own_without_its_parts(lab: Any) -> None:
    for source in (lab.Session, lab.Session(), lab.Session & {"subject": 1}, lab.Session().proj()):
        assert names(dj.Diagram(source)) == ["session"]
    with_parts = dj.Diagram(lab.Session).add_parts()
    assert names(with_parts) == ["session", "session__trial", "session__spike"]


def test_a_schema_stands_for_all_tables_of_the_database_though_no_class_knows_them(
    lab: Any, database: Database
) -> None:
    stranger = Schema(lab.lab.database, connection=database)
    assert names(dj.Diagram(stranger)) == [
        "#species",
        "subject",
        "session",
        "session__trial",
        "session__spike",
    ]


def test_a_module_stands_for_its_schemas_or_else_for_its_classes(lab: Any) -> None:
    with_schema, with_classes, empty = (ModuleType(name) for name in "abc")
    with_schema.__dict__.update(schema=lab.lab, Fit=lab.Fit)
    with_classes.__dict__.update(Session=lab.Session, n=1)
    assert dj.Diagram(with_schema) == dj.Diagram(lab.lab)
    assert names(dj.Diagram(with_classes)) == ["session", "session__trial"]
    with pytest.raises(InvalidArgumentError, match="module c holds no schema and no table"):
        dj.Diagram(empty)


def test_a_diagram_of_a_diagram_is_the_same(lab: Any) -> None:
    diagram = dj.Diagram(lab.rig)
    assert dj.Diagram(diagram) == diagram
    assert hash(dj.Diagram(diagram)) == hash(dj.Diagram(lab.rig))
    assert diagram != dj.Diagram(lab.lab)
    assert diagram != "a text"


@pytest.mark.parametrize(
    ("source", "advice"),
    [("lab", r"dj\.Schema\('lab'\)"), (7, "of int"), ([], "from_sequence"), (object, "of type")],
)
def test_what_no_diagram_is_made_of_is_refused_with_advice(source: object, advice: str) -> None:
    with pytest.raises(InvalidArgumentError, match=advice):
        dj.Diagram(source)


def test_a_join_is_no_table_of_a_diagram(lab: Any) -> None:
    with pytest.raises(QueryError, match="one table"):
        dj.Diagram(lab.Session * lab.Rig)


def test_a_sequence_is_a_union(lab: Any) -> None:
    parts = [lab.rig, dj.Diagram(lab.Subject), lab.Species]
    union = dj.Diagram(lab.rig) + dj.Diagram(lab.Subject) + lab.Species
    assert dj.Diagram.from_sequence(parts) == union
    with pytest.raises(InvalidArgumentError, match="empty sequence"):
        dj.Diagram.from_sequence([])


# how they combine


def test_levels_are_added_one_after_the_other(lab: Any) -> None:
    session = dj.Diagram(lab.Session)
    assert set(names(session + 1)) == {"session", "session__trial", "setup"}
    assert set(names(session - 1)) == {"session", "subject"}
    assert set(names(session + 1 - 1)) == {"session", "session__trial", "setup", "subject", "rig"}
    assert set(names(session - 1 + 1)) == {"subject", "session", "session__trial", "setup", "pair", "__fit"}
    assert session + 0 == session
    assert dj.Diagram(lab.Fit) - 10 == dj.Diagram(lab.Fit) - 4


def test_tables_can_be_taken_away_and_met(lab: Any) -> None:
    everything = dj.Diagram.from_sequence([lab.lab, lab.rig, lab.ana])
    assert "subject" not in names(everything - dj.Diagram(lab.Subject))
    assert everything * dj.Diagram(lab.rig) == dj.Diagram(lab.rig)
    between = (dj.Diagram(lab.Subject) + 100) * (dj.Diagram(lab.Setup) - 100)
    assert names(between) == ["subject", "session", "setup"]
    assert not everything - everything


def test_tables_made_later_join_a_union(lab: Any) -> None:
    before = dj.Diagram(lab.lab)
    Subject, schema = lab.Subject, lab.rig  # noqa: N806 - a class

    @schema
    class Later(dj.Manual):
        definition = "-> Subject"

    assert issubclass(Later, dj.Manual)
    assert Subject().primary_key == ["subject"]
    assert "later" in names(before + dj.Diagram(schema))
    assert "later" not in names(before + 1)


def test_a_table_is_found_by_whatever_it_is_called(lab: Any) -> None:
    diagram = dj.Diagram(lab.lab)
    schema = lab.lab.database
    spellings = [
        lab.Session.Trial,
        lab.Session.Trial(),
        lab.Session.Trial().table_model.name,
        "Session.Trial",
        "session__trial",
        f"{schema}.Session.Trial",
        f"{schema}.session__trial",
        f'"{schema}"."session__trial"',
        f"`{schema}`.`session__trial`",
    ]
    for spelling in spellings:
        assert spelling in diagram
        assert diagram[spelling].table_model == lab.Session.Trial().table_model
    assert lab.Rig not in diagram
    assert "Rig" not in diagram
    assert len(diagram) == 5


def test_what_a_table_is_not_called_is_answered_with_what_there_is(lab: Any) -> None:
    diagram = dj.Diagram(lab.rig)
    with pytest.raises(MissingTableError, match=r"'Rigg' is not in this diagram\. Did you mean 'Rig'\?"):
        diagram["Rigg"]
    with pytest.raises(MissingTableError, match=r"lab\.subject' is not in this diagram.* It has .*rig"):
        diagram[lab.Subject]
    with pytest.raises(InvalidArgumentError, match="not by int"):
        diagram[0]


def test_a_name_that_two_schemas_have_needs_its_schema(lab: Any) -> None:
    @lab.rig
    class Subject(dj.Manual):
        definition = "number : int32"

    assert Subject().primary_key == ["number"]
    both = dj.Diagram(lab.rig) + dj.Diagram(lab.lab)
    with pytest.raises(MissingTableError, match=r"'Subject' could be any of .*_lab.subject, .*_rig"):
        both["Subject"]
    assert both[f"{lab.rig.database}.Subject"].primary_key == ["number"]


def test_the_context_names_tables(lab: Any) -> None:
    diagram = dj.Diagram(lab.Subject, context={"Mouse": lab.Subject, "n": 1})
    assert str(diagram) == "Mouse  manual"
    assert diagram["Mouse"].primary_key == ["subject"]


# which rows


def counted(diagram: dj.Diagram) -> dict[str, int]:
    return {name.partition(".")[2].strip('"'): number for name, number in diagram.counts().items()}


def test_a_cascade_counts_what_a_delete_would_take(lab: Any) -> None:
    cascade = dj.Diagram.cascade(lab.Subject & {"subject": 1})
    assert counted(cascade) == snapshot(
        {
            "subject": 1,
            "pair": 1,
            "session": 2,
            "session__trial": 2,
            "session__spike": 0,
            "setup": 1,
            "__fit": 1,
            "__fit__item": 0,
        }
    )
    assert list(counted(cascade)) == [table.table_name for table in cascade]
    assert [table.table_name for table in reversed(cascade)] == list(reversed(counted(cascade)))
    assert len(cascade[lab.Session]) == 2
    everything = dj.Diagram.from_sequence([lab.lab, lab.rig, lab.ana])
    assert set(cascade.tables) == set(everything.tables) - set(dj.Diagram(lab.Rig).tables) - set(
        dj.Diagram(lab.Species).tables
    )


def test_counts_are_read_under_any_name(lab: Any) -> None:
    counts = dj.Diagram.cascade(lab.Session & {"subject": 1}).counts()
    schema = lab.lab.database
    full = f'"{schema}"."session"'
    assert lab.Session().full_table_name == full
    assert full in counts
    for spelling in (full, f"`{schema}`.`session`", "Session", lab.Session, f"{schema}.Session"):
        assert counts[spelling] == 2
    with pytest.raises(KeyError, match="Species"):
        counts["Species"]
    assert pickle.loads(pickle.dumps(counts)) == counts  # noqa: S301 - our own bytes


def test_a_part_takes_its_master_along_if_asked(lab: Any) -> None:
    part = lab.Session.Trial & {"subject": 1, "trial": 1}
    assert counted(dj.Diagram.cascade(part)) == snapshot(
        {"session__trial": 1, "__fit__item": 0, "session__spike": 0}
    )
    assert counted(dj.Diagram.cascade(part, part_integrity="cascade")) == snapshot(
        {"session": 1, "session__trial": 2, "session__spike": 0, "setup": 1, "__fit": 1, "__fit__item": 0}
    )


def test_a_policy_that_does_not_exist_is_a_value_error(lab: Any) -> None:
    with pytest.raises(ValueError, match="'enforce', 'ignore' or 'cascade', not 'maybe'"):
        dj.Diagram.cascade(lab.Session, part_integrity="maybe")


def test_a_trace_counts_what_rows_come_from(lab: Any) -> None:
    trace = dj.Diagram.trace(lab.Fit & {"subject": 1})
    assert counted(trace) == snapshot(
        {"#species": 1, "subject": 2, "pair": 0, "session": 1, "rig": 1, "setup": 1, "__fit": 1}
    )
    assert trace[lab.Subject].to_arrays("subject").tolist() == [1, 3]
    assert trace["Session"].fetch1("session") == 1
    assert len(trace["Session"] * trace["Rig"]) == 1
    with pytest.raises(MissingTableError, match=r"session__trial' is not in this trace of .*__fit"):
        trace[lab.Session.Trial]


def test_restrictions_of_several_tables_must_all_be_met(lab: Any) -> None:
    whole = dj.Diagram.from_sequence([lab.lab, lab.rig, lab.ana])
    one = whole.restrict(lab.Subject & {"subject": 1})
    assert counted(one) == snapshot(
        {
            "subject": 1,
            "pair": 1,
            "session": 2,
            "session__trial": 2,
            "session__spike": 0,
            "setup": 1,
            "__fit": 0,
            "__fit__item": 0,
        }
    )
    assert counted(one.restrict(lab.Rig & {"rig": 2})) == snapshot(
        {
            "subject": 1,
            "pair": 1,
            "session": 2,
            "session__trial": 2,
            "session__spike": 0,
            "rig": 1,
            "setup": 0,
            "__fit": 0,
            "__fit__item": 0,
        }
    )
    assert counted(one.restrict(lab.Subject & {"subject": 2}))["subject"] == 0
    assert one.tables == whole.tables
    assert len(one[lab.Species]) == 2


def test_several_references_to_one_parent_are_alternatives(lab: Any) -> None:
    diagram = dj.Diagram(lab.ana).restrict(lab.Subject & {"subject": 2})
    assert len(diagram["Pair"]) == 2


def test_pruning_leaves_out_tables_without_rows_and_keeps_them_for_restrictions(lab: Any) -> None:
    whole = dj.Diagram.from_sequence([lab.lab, lab.rig])
    assert set(names(whole)) - set(names(whole.prune())) == {"session__spike"}
    pruned = whole.restrict(lab.Subject & {"subject": 4}).prune()
    assert set(names(pruned)) == {"#species", "rig", "subject"}
    assert counted(pruned.restrict(lab.Session & {"session": 1})) == {"subject": 1}
    assert counted(pruned + 1)["session"] == 0


def test_any_query_over_one_table_chooses_rows(lab: Any) -> None:
    queries = [
        lab.Session & {"subject": 1},
        (lab.Session & {"subject": 1}).proj(),
        (lab.Session & {"subject": 1}).proj(again="session"),
        lab.Session().aggr(lab.Session.Trial, n="count(trial)") & {"subject": 1},
        lab.Session & dj.Top(2, order_by=["subject", "session"]),
        lab.Session & [{"subject": 1, "session": 1}, {"subject": 1, "session": 2}],
    ]
    for query in queries:
        cascade = dj.Diagram.cascade(query)
        assert cascade.counts()["Session"] == 2
        assert cascade.counts()["Session.Trial"] == 2
        assert cascade["Session"].heading == lab.Session().heading
    assert dj.Diagram.cascade(lab.Session).counts()["Session"] == 3


def test_rows_of_two_tables_are_refused(lab: Any) -> None:
    for choose in (dj.Diagram.cascade, dj.Diagram.trace, dj.Diagram(lab.lab).restrict):
        with pytest.raises(QueryError, match="one table"):
            choose(lab.Session * lab.Rig)
        with pytest.raises(InvalidArgumentError, match="query over one table"):
            choose({"subject": 1})


def test_what_makes_no_sense_together_is_refused(lab: Any, server_home: Path) -> None:
    cascade = dj.Diagram.cascade(lab.Session & {"subject": 1})
    with pytest.raises(QueryError, match=r"restrict\(\) does not go with this cascade of .*session"):
        cascade.restrict(lab.Subject)
    with pytest.raises(QueryError, match="prune"):
        cascade.prune()
    with pytest.raises(QueryError, match=r"Diagram\.cascade\(query\)"):
        dj.Diagram(lab.lab).counts()
    with pytest.raises(QueryError, match="nothing in the diagram depends on it"):
        dj.Diagram(lab.rig).restrict(lab.Pair)
    with pytest.raises(QueryError, match="nothing can be added"):
        cascade + lab.Species
    with pytest.raises(QueryError, match="choose different rows"):
        cascade + dj.Diagram.trace(lab.Session)
    stranger = Database(lambda: lab.lab.connection.settings)
    with pytest.raises(QueryError, match="another database"):
        dj.Diagram(lab.lab).restrict(dj.Schema(lab.lab.database, connection=stranger)["Session"])
    stranger.close()
    assert server_home


def test_a_cascade_stays_one_when_tables_are_taken_away(lab: Any) -> None:
    cascade = dj.Diagram.cascade(lab.Session & {"subject": 1})
    less = cascade - dj.Diagram(lab.Setup)
    assert set(names(cascade)) - set(names(less)) == {"setup"}
    assert less.counts()["Session"] == 2
    assert less + 1 == cascade == cascade + 5 == cascade + dj.Diagram(lab.Session)


def test_a_diagram_needs_no_database_to_be_refused() -> None:
    class Unbound(dj.Manual):
        definition = "n : int32"

    with pytest.raises(DjflowError, match="belongs to no schema"):
        dj.Diagram(Unbound)
    assert issubclass(DefinitionError, DjflowError)


# what they look like


def without_prefix(text: str, lab: Any) -> str:
    return text.replace(lab.lab.database.removesuffix("lab"), "")


def test_several_schemas_are_named(lab: Any) -> None:
    everything = dj.Diagram.from_sequence([lab.lab, lab.rig, lab.ana])
    assert without_prefix(str(everything), lab) == snapshot("""\
lab.Species  lookup
└── lab.Subject  manual
    ├── ana.Pair  manual
    └── lab.Session  manual
        └── Trial  part
            └── lab.Session.Spike  part
rig.Rig  manual
└── rig.Setup  manual  (also from lab.Session)
    └── ana.Fit  computed  (also from ana.Pair, lab.Subject)
        └── Item  part  (also from lab.Session.Trial)\
""")
    picture = everything._repr_svg_()
    assert picture is not None
    assert picture.count("<ellipse") == 1
    assert picture in everything._repr_html_()
    assert everything._repr_mimebundle_()["text/plain"] == repr(everything)


def test_a_cascade_is_drawn_with_counts(lab: Any) -> None:
    cascade = dj.Diagram.cascade(lab.Session & {"subject": 1})
    assert without_prefix(repr(cascade), lab) == snapshot("""\
lab.Session  manual  2 rows
├── Trial  part  2 rows
│   └── lab.Session.Spike  part  0 rows
└── rig.Setup  manual  1 row
    └── ana.Fit  computed  1 row
        └── Item  part  0 rows  (also from lab.Session.Trial)\
""")
    assert cascade.make_svg().count(">2 rows<") == 2


def test_folded_schemas_are_one_box(lab: Any) -> None:
    folded = dj.Diagram(lab.rig) + dj.Diagram(lab.lab).collapse() + dj.Diagram(lab.ana).collapse()
    assert without_prefix(str(folded), lab) == snapshot("""\
lab (5 tables)
├── ana (3 tables)  (also from rig.Setup)
└── rig.Setup  manual  (also from rig.Rig)
rig.Rig  manual\
""")
    some = dj.Diagram(lab.Session) + dj.Diagram(lab.lab).collapse()
    assert without_prefix(str(some), lab) == snapshot("""\
lab (4 tables)  (also from Session)
└── Session  manual\
""")
    assert some.tables == dj.Diagram(lab.lab).tables


def test_mermaid_draws_the_same(lab: Any) -> None:
    diagram = dj.Diagram(lab.lab).collapse() + dj.Diagram(lab.Session.Trial) + dj.Diagram(lab.ana)
    text = without_prefix(diagram.make_mermaid(), lab)
    assert text[: text.index("classDef")] == "flowchart LR\n    "
    assert text[text.index("    subgraph") :] == snapshot("""\
    subgraph lab
        Session_Trial[Session.Trial]:::part
    end
    lab_tables[["lab (4 tables)"]]:::collapsed

    subgraph ana
        Pair[Pair]:::manual
        Fit([Fit]):::computed
        Fit_Item[Fit.Item]:::part
    end

    lab_tables --> Pair
    lab_tables --> Session_Trial
    Session_Trial --> lab_tables
    lab_tables -.-> Fit
    Pair -.-> Fit
    Fit --> Fit_Item
    Session_Trial -.-> Fit_Item\
""")


def test_mermaid_follows_the_configured_direction(lab: Any) -> None:
    settings = lab.lab.connection.settings
    assert dj.Diagram(lab.lab).make_mermaid().startswith(f"flowchart {settings.display.diagram_direction}\n")


def test_diagrams_are_saved_as_what_their_names_say(lab: Any, tmp_path: Path) -> None:
    diagram = dj.Diagram(lab.rig) + lab.ana
    told = {
        "a.mmd": f"{diagram.make_mermaid()}\n",
        "a.txt": f"{diagram}\n",
        "a.dot": diagram.make_dot(),
        "a.svg": diagram.make_svg(),
    }
    for name, text in told.items():
        diagram.save(tmp_path / name)
        assert (tmp_path / name).read_text(encoding="utf-8") == text
    diagram.save(str(tmp_path / "b.md"), format="mermaid")
    assert (tmp_path / "b.md").read_text(encoding="utf-8") == told["a.mmd"]
    diagram.save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InvalidArgumentError, match=r"Cannot save a diagram as \.pdf: .* \.svg, \.png"):
        diagram.save(tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_a_picture_is_what_notebooks_show(lab: Any) -> None:
    diagram = dj.Diagram(lab.rig) + lab.ana
    assert diagram.make_svg()._repr_svg_() == diagram.make_svg().data == diagram._repr_svg_()
    image = diagram.make_image()
    assert image.shape[2] == 4
    assert image.min() < 0.5 < image[0, image.shape[1] // 2].min()
