"""Which foreign keys connect two tables, and the plan that follows them."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from inline_snapshot import snapshot

from djflow.definition import bind, parse
from djflow.errors import AmbiguousPathError, DefinitionError, MissingTableError, QueryError
from djflow.model.catalog import Catalog
from djflow.model.names import TableName
from djflow.model.table import ForeignKey, Table
from djflow.model.types import CodecType, CoreType
from djflow.planner import scalar as s
from djflow.planner.distant import restrict_by, routes
from djflow.planner.explain import show_plan
from djflow.planner.nodes import Empty, Join, Node, Project, Restrict, Scan
from djflow.testing.naive import evaluate


def dtype(_codec: CodecType) -> CoreType:
    return CoreType("bytes")


def table(name: str, text: str, known: Mapping[str, Table]) -> Table:
    schema = "ephys" if name == "probe" else "lab"
    return bind(parse(text), TableName(schema, name), resolve=known.__getitem__, codec_dtype=dtype)


DEFINITIONS = {
    "species": "species : int32",
    "subject": """
        subject : int32
        ---
        -> species
        """,
    "session": """
        -> subject
        session : int32
        ---
        -> [nullable] subject.proj(mate='subject')
        """,
    "trial": """
        -> session
        trial : int32
        """,
    "probe": """
        -> session
        probe : int32
        """,
    "unit": """
        -> probe.proj(insertion='probe')
        unit : int32
        ---
        -> [nullable] trial
        """,
    "spike": """
        -> unit
        spike : int32
        """,
    "visit": """
        -> subject
        visit : int32
        """,
    "report": """
        report : int32
        ---
        -> [nullable] session
        -> subject
        """,
    "invoice": """
        invoice : int32
        ---
        -> [nullable] session
        -> [nullable] visit
        """,
    "pair": """
        -> trial.proj(first='trial')
        -> trial.proj(second='trial')
        """,
    "note": """
        note : int32
        ---
        -> [nullable] trial
        """,
    "remark": """
        -> note
        """,
    "person": """
        person : int32
        ---
        boss = null : int32
        """,
}


def bound(definitions: Mapping[str, str]) -> dict[str, Table]:
    known: dict[str, Table] = {}
    for name, text in definitions.items():
        known[name] = table(name, text, known)
    return known


TABLES = bound(DEFINITIONS)
CATALOG = Catalog(tuple(TABLES.values()))


def scan(name: str) -> Scan:
    return Scan(TABLES[name])


def paths(lower: str, upper: str, via: str | None = None) -> list[str]:
    passed = None if via is None else TABLES[via].name
    return [str(r) for r in routes(CATALOG, TABLES[lower].name, TABLES[upper].name, via=passed)]


def renamed(node: Node, **new: str) -> Node:
    attributes = [(a, s.Column(a.name, a.stored)) for a in node.heading if a.name not in new.values()]
    for name, old in new.items():
        (attribute,) = node.heading.select([old])
        attributes.append(
            (type(attribute)(name, attribute.type, attribute.stored), s.Column(old, attribute.stored))
        )
    return Project(node, tuple(attributes))


def shown(source: Node, other: Node, **options: Any) -> str:
    plan = restrict_by(source, other, CATALOG, **options)
    assert plan.heading == source.heading
    return show_plan(plan)


def test_routes_read_from_child_to_parent_with_the_columns_that_match() -> None:
    assert paths("trial", "subject") == snapshot(
        [
            "trial -> session -> subject (subject)",
            "trial -> session (subject, session) -> subject (mate = subject)",
        ]
    )
    assert paths("pair", "session") == snapshot(["pair -> trial -> session (subject, session)"])
    assert paths("subject", "trial") == []


def test_keys_handed_through_need_no_table_between() -> None:
    assert shown(scan("pair"), scan("session")) == snapshot("""\
SemiJoin: subject, session
  Scan: lab.pair
  Scan: lab.session""")
    assert shown(scan("session"), scan("pair")) == snapshot("""\
SemiJoin: subject, session
  Scan: lab.session
  Scan: lab.pair""")


def test_a_secondary_reference_keeps_the_table_that_holds_it() -> None:
    assert shown(scan("subject"), scan("species")) == snapshot("""\
SemiJoin: species
  Scan: lab.subject
  Scan: lab.species""")
    assert shown(scan("remark"), scan("session"), direction="up") == snapshot("""\
SemiJoin: note
  Scan: lab.remark
  SemiJoin: subject, session
    Restrict: trial IS NOT NULL
      Scan: lab.note
    Scan: lab.session""")
    assert shown(scan("session"), scan("remark")) == snapshot("""\
SemiJoin: subject, session
  Scan: lab.session
  Restrict: trial IS NOT NULL
    SemiJoin: note
      Scan: lab.note
      Scan: lab.remark""")


def test_the_way_that_asks_for_least_stands_for_all_of_the_same_columns() -> None:
    assert paths("unit", "session") == snapshot(["unit -> ephys.probe -> session (subject, session)"])
    assert paths("unit", "session", via="trial") == snapshot(["unit -> trial -> session (subject, session)"])
    assert shown(scan("unit"), scan("session"), via=scan("trial")) == snapshot("""\
SemiJoin: subject, session
  Restrict: trial IS NOT NULL
    Scan: lab.unit
  Scan: lab.session""")


def test_the_order_of_references_does_not_decide_which_asks_for_least() -> None:
    assert set(paths("report", "subject")) == {
        "report -> subject (subject)",
        "report -> session (subject, session) -> subject (mate = subject)",
    }


def test_ways_that_ask_for_different_things_differ() -> None:
    assert "invoice -> session -> subject (subject)" in paths("invoice", "subject")
    assert "invoice -> visit -> subject (subject)" in paths("invoice", "subject")


def test_a_reference_that_may_be_null_keeps_its_table_though_the_key_goes_on() -> None:
    assert shown(scan("spike"), scan("session"), via=scan("trial")) == snapshot("""\
SemiJoin: subject, session, insertion, unit
  Scan: lab.spike
  SemiJoin: subject, session
    Restrict: trial IS NOT NULL
      Scan: lab.unit
    Scan: lab.session\
""")
    assert shown(scan("session"), scan("spike"), via=scan("trial")) == snapshot("""\
SemiJoin: subject, session
  Scan: lab.session
  Restrict: trial IS NOT NULL
    SemiJoin: subject, session, insertion, unit
      Scan: lab.unit
      Scan: lab.spike\
""")


def test_renamed_columns_are_followed_on_both_ends() -> None:
    units = renamed(scan("unit"), insertion_site="insertion")
    assert shown(units, Restrict(scan("probe"), s.TRUE)) == snapshot("""\
SemiJoin: subject, session, insertion_site
  Project: subject, session, unit, trial, insertion_site = insertion
    Scan: lab.unit
  Project: subject, session, insertion_site = probe
    Restrict: TRUE
      Scan: ephys.probe""")
    assert shown(scan("probe"), units) == snapshot("""\
SemiJoin: subject, session, probe
  Scan: ephys.probe
  Project: subject, session, unit, probe = insertion_site
    Project: subject, session, unit, trial, insertion_site = insertion
      Scan: lab.unit""")


def test_a_projection_for_the_match_keeps_the_key_whole() -> None:
    mates = restrict_by(scan("subject"), scan("session"), with_table(only_mates()))
    assert show_plan(mates) == snapshot("""\
SemiJoin: subject
  Scan: lab.subject
  Project: subject_ = subject, session, subject = mate
    Scan: lab.session""")


def with_table(changed: Table) -> Catalog:
    return Catalog(tuple({**TABLES, changed.name.table: changed}.values()))


def only_mates() -> Table:
    session = TABLES["session"]
    mates = tuple(key for key in session.foreign_keys if key.own == ("mate",))
    return Table(session.name, "", session.columns, mates)


def test_one_column_that_refers_to_two_asks_them_to_be_equal() -> None:
    pair, trial = TABLES["pair"], TABLES["trial"]
    columns = (("first", "subject"), ("first", "session"), ("second", "trial"))
    twice = Table(pair.name, "", pair.columns, (ForeignKey(trial.name, columns),))
    plan = restrict_by(Scan(twice), scan("trial"), with_table(twice))
    assert show_plan(plan) == snapshot("""\
SemiJoin: first, second
  Scan: lab.pair
  Project: first = subject, second = trial, session
    Restrict: subject = session
      Scan: lab.trial""")


def test_paths_that_give_different_rows_are_an_error_that_lists_them() -> None:
    with pytest.raises(AmbiguousPathError) as caught:
        restrict_by(scan("trial"), scan("subject"), CATALOG)
    assert (caught.value.start, caught.value.end) == ("lab.trial", "lab.subject")
    assert str(caught.value).splitlines()[:3] == snapshot(
        [
            "Foreign keys connect lab.trial and lab.subject in 2 ways:",
            "  - trial -> session -> subject (subject)",
            "  - trial -> session (subject, session) -> subject (mate = subject)",
        ]
    )
    assert "via=" in str(caught.value)


def test_references_in_a_circle_connect_both_ways_which_is_ambiguous() -> None:
    a, b = TABLES["subject"], TABLES["species"]
    circle = Table(b.name, "", b.columns, (ForeignKey(a.name, (("species", "subject"),)),))
    catalog = Catalog((a, circle))
    with pytest.raises(AmbiguousPathError, match="in 2 ways"):
        restrict_by(Scan(a), Scan(circle), catalog)
    assert show_plan(restrict_by(Scan(a), Scan(circle), catalog, direction="up")).startswith(
        "SemiJoin: species\n"
    )
    assert show_plan(restrict_by(Scan(a), Scan(circle), catalog, direction="down")).startswith(
        "SemiJoin: subject"
    )


def test_a_table_restricts_itself_by_its_key_whatever_it_refers_to() -> None:
    person = TABLES["person"]
    boss = (ForeignKey(person.name, (("boss", "person"),), nullable=True),)
    itself = Scan(Table(person.name, "", person.columns, boss))
    plan = restrict_by(itself, itself, Catalog((itself.table,)))
    assert show_plan(plan) == "SemiJoin: person\n  Scan: lab.person\n  Scan: lab.person"


@pytest.mark.parametrize(
    ("lower", "upper", "options", "message"),
    [
        ("pair", "note", {}, "Both depend on trial: say pair.restrict_by(trial.restrict_by(note))."),
        ("pair", "person", {}, "Restrict by a table that is connected with both."),
        ("session", "pair", {"direction": "up"}, "another way: pair -> trial -> session (subject, session)."),
        ("pair", "session", {"direction": "down"}, "lead down from lab.pair to lab.session."),
        ("pair", "session", {"via": scan("person")}, "through lab.person."),
        ("pair", "session", {"via": Restrict(scan("trial"), s.TRUE)}, "`via` takes a table without"),
        ("pair", "session", {"direction": "sideways"}, "'up' or 'down', not 'sideways'"),
    ],
)
def test_what_is_not_connected_is_an_error_with_advice(
    lower: str, upper: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError) as caught:
        restrict_by(scan(lower), scan(upper), CATALOG, **options)
    assert message in str(caught.value)


def test_an_attribute_that_the_route_needs_must_be_there() -> None:
    whole = scan("note")
    kept = Project(whole, tuple((a, s.Column(a.name, a.stored)) for a in whole.heading if a.name != "trial"))
    with pytest.raises(QueryError, match=r"need 'trial' of lab\.note, but the query leaves it out"):
        restrict_by(kept, scan("session"), CATALOG)
    anew = Project(whole, tuple((a, s.Constant(1, s.INT64)) for a in whole.heading))
    with pytest.raises(QueryError, match="gives that name to another value"):
        restrict_by(anew, scan("session"), CATALOG)


def test_a_query_over_several_tables_is_refused() -> None:
    trial, session = scan("trial"), scan("session")
    for several in (Join(trial, session, ("subject",), trial.heading), Empty(trial.heading)):
        with pytest.raises(QueryError, match="queries over one table"):
            restrict_by(several, session, CATALOG)


def test_a_table_that_the_catalog_lacks_is_missing() -> None:
    with pytest.raises(MissingTableError):
        restrict_by(scan("remark"), scan("session"), Catalog(()))


def test_many_diamonds_above_each_other_are_listed_in_part() -> None:
    definitions = {"t0": "k0 : int32"}
    for n in range(1, 13):
        above = f"t{n - 1}"
        definitions[f"t{n}"] = f"k{n} : int32\n---\n-> {above}\n-> {above}.proj(o{n}='k{n - 1}')"
    deep = bound(definitions)
    found = routes(Catalog(tuple(deep.values())), deep["t12"].name, deep["t0"].name)
    assert len(found) == 100


# the law: what plans give is what chains of foreign keys lead to

Rows = list[dict[str, Any]]


@st.composite
def schemas(draw: st.DrawFn) -> list[Table]:
    """Up to five tables that refer to earlier ones in every way that a definition can say."""
    known: dict[str, Table] = {}
    for n in range(draw(st.integers(3, 5))):
        primary, secondary = [f"k{n} : int32"], [f"x{n} : int32"]
        for parent in draw(st.lists(st.sampled_from(list(known)), min_size=1, max_size=3)) if known else []:
            kind = draw(st.sampled_from(("key", "key", "plain", "nullable", "nullable")))
            prefix = draw(st.sampled_from(("", "", "", f"r{len(primary) + len(secondary)}")))
            renames = ", ".join(f"{prefix}{k}='{k}'" for k in known[parent].primary_key) if prefix else ""
            target = f"{parent}.proj({renames})" if renames else parent
            line = f"-> {'[nullable] ' if kind == 'nullable' else ''}{target}"
            longer = ([line, *primary], secondary) if kind == "key" else (primary, [line, *secondary])
            try:
                table(f"t{n}", "\n".join([*longer[0], "---", *longer[1]]), known)
            except DefinitionError:
                continue
            primary, secondary = longer
        known[f"t{n}"] = table(f"t{n}", "\n".join([*primary, "---", *secondary]), known)
    return list(known.values())


@st.composite
def rowsets(draw: st.DrawFn, tables: Sequence[Table]) -> dict[TableName, Rows]:
    """Rows whose foreign keys resolve as PostgreSQL asks: those with a null anywhere refer to nothing."""
    stored: dict[TableName, Rows] = {}
    for each in tables:
        kept: dict[tuple[Any, ...], dict[str, Any]] = {}
        for _ in range(draw(st.integers(2, 5))):
            row = {
                a.name: draw(st.sampled_from((0, 1, *([None] if a.nullable else [])))) for a in each.columns
            }
            for key in each.foreign_keys:
                if all(row[own] is not None for own in key.own) and stored[key.parent]:
                    parent = draw(st.sampled_from(stored[key.parent]))
                    row.update({own: parent[its] for own, its in key.columns})
            if all(_refers(row, key, stored) for key in each.foreign_keys):
                kept[tuple(row[name] for name in each.primary_key)] = row
        stored[each.name] = list(kept.values())
    return stored


def _refers(row: dict[str, Any], key: ForeignKey, stored: dict[TableName, Rows]) -> bool:
    return any(row[own] is None for own in key.own) or bool(list(_parents(row, key, stored)))


def _parents(row: dict[str, Any], key: ForeignKey, stored: dict[TableName, Rows]) -> Iterator[dict[str, Any]]:
    for parent in stored[key.parent]:
        if all(row[own] is not None and row[own] == parent[its] for own, its in key.columns):
            yield parent


def chains(tables: Mapping[TableName, Table], lower: TableName, upper: TableName) -> list[list[ForeignKey]]:
    if lower == upper:
        return [[]]
    keys = tables[lower].foreign_keys
    return [[key, *rest] for key in keys for rest in chains(tables, key.parent, upper)]


def reached(row: dict[str, Any], chain: list[ForeignKey], stored: dict[TableName, Rows]) -> Rows:
    rows = [row]
    for key in chain:
        rows = [parent for child in rows for parent in _parents(child, key, stored)]
    return rows


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_the_rows_kept_are_those_that_chains_of_foreign_keys_connect(data: st.DataObject) -> None:
    tables = data.draw(schemas())
    catalog, by_name = Catalog(tuple(tables)), {each.name: each for each in tables}
    connected = [
        (low, top) for top, low in itertools.combinations(tables, 2) if chains(by_name, low.name, top.name)
    ]
    assume(connected)
    # far ends first: that is where there is something to get wrong
    connected.sort(key=lambda ends: -max(map(len, chains(by_name, ends[0].name, ends[1].name))))
    low, top = data.draw(st.sampled_from(connected[:3]))
    found = chains(by_name, low.name, top.name)
    via = data.draw(st.sampled_from([None, *(key.parent for chain in found for key in chain)]))
    taken = [chain for chain in found if via is None or via in [key.parent for key in chain]]
    passed = None if via is None else Scan(by_name[via])
    stored = data.draw(rowsets(tables))
    own = top.heading.secondary[-1]
    some = Restrict(Scan(top), s.Compare("=", s.Column(own, top.heading[own].stored), s.Constant(1, s.INT64)))
    own = low.heading.secondary[-1]
    few = Restrict(Scan(low), s.Compare("=", s.Column(own, low.heading[own].stored), s.Constant(1, s.INT64)))
    different = len(routes(catalog, low.name, top.name, via=via))
    assert 1 <= different <= len(taken)
    if different > 1:
        with pytest.raises(AmbiguousPathError):
            restrict_by(Scan(low), some, catalog, via=passed)
        return
    up = restrict_by(Scan(low), some, catalog, via=passed)
    down = restrict_by(Scan(top), few, catalog, via=passed)
    kept, chosen = evaluate(some, stored), evaluate(few, stored)
    assert evaluate(up, stored) == [
        row
        for row in stored[low.name]
        if any(p in kept for chain in taken for p in reached(row, chain, stored))
    ]
    leading = [parent for row in chosen for chain in taken for parent in reached(row, chain, stored)]
    assert evaluate(down, stored) == [row for row in stored[top.name] if row in leading]
